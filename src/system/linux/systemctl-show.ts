/** The UnitProperties port through `systemctl show`. */
import { execFile } from 'node:child_process';
import type { UnitFacts, UnitProperties } from '../unit-properties.ts';
import { isUnitName } from './journalctl-entries.ts';

const properties = 'Id,Names,LoadState,ActiveState,ControlGroup,Slice,TriggeredBy,Triggers,Accept';

/** Far below what an argument list may have (execve(2)). */
const unitsInOneCall = 400;
/** Milliseconds; a hung systemd must not hold the command. */
const timeLimit = 5000;
const mostOutput = 16 * 1024 * 1024;

export class SystemctlProperties implements UnitProperties {
  readonly #command: string;

  constructor(command = 'systemctl') {
    this.#command = command;
  }

  async of(units: readonly string[]): Promise<ReadonlyMap<string, UnitFacts> | undefined> {
    const asked = [...new Set(units.filter(isAskable))];
    // A socket that is not loaded is not among the TriggeredBy= of its service. Sockets first, so that they are loaded by then.
    const sockets = [...new Set(asked.flatMap((unit) => socketOf(unit) ?? []))].filter((unit) => !asked.includes(unit));
    const wanted = [...sockets, ...asked];
    const found = new Map<string, Shown>();
    for (let at = 0; at < wanted.length; at += unitsInOneCall) {
      const text = await this.#show(wanted.slice(at, at + unitsInOneCall));
      if (text === undefined) return undefined;
      for (const shown of parseShown(text)) for (const name of shown.names) found.set(name, shown);
    }
    return new Map(
      asked.flatMap((unit) => {
        const shown = found.get(unit);
        return shown === undefined ? [] : [[unit, factsOf(unit, shown, found)] as const];
      }),
    );
  }

  #show(units: readonly string[]): Promise<string | undefined> {
    const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };
    const options = { env, cwd: '/', timeout: timeLimit, maxBuffer: mostOutput, encoding: 'utf8' } as const;
    const args = ['--no-pager', 'show', `--property=${properties}`, '--', ...units];
    return new Promise((resolve) => {
      execFile(this.#command, args, options, (error, stdout) => resolve(error === null ? stdout : undefined));
    });
  }
}

/** Not what systemctl takes for a pattern, nor a template without its instance, which it refuses together with all others. */
function isAskable(unit: string): boolean {
  return isUnitName(unit) && !unit.includes('@.');
}

/** The socket that starts a service unless it says otherwise (systemd.socket(5), Service= and Accept=). */
function socketOf(unit: string): string | undefined {
  return /^([^@]+)(?:@.*)?\.service$/.exec(unit)?.[1]?.concat('.socket');
}

interface Shown {
  readonly names: readonly string[];
  readonly value: (property: string) => string;
}

/** Blocks of `Property=value`, an empty line between units (pure). */
export function parseShown(text: string): readonly Shown[] {
  return text.split(/\n{2,}/).flatMap((block) => {
    const values = new Map(
      block.split('\n').map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, Math.max(0, at)), line.slice(at + 1)] as const;
      }),
    );
    const value = (property: string): string => values.get(property) ?? '';
    const names = [...new Set([value('Id'), ...value('Names').split(' ')])].filter(Boolean);
    return names.length === 0 ? [] : [{ names, value }];
  });
}

function factsOf(unit: string, { value }: Shown, all: ReadonlyMap<string, Shown>): UnitFacts {
  const sockets = value('TriggeredBy')
    .split(' ')
    .filter((name) => name.endsWith('.socket'));
  const usual = socketOf(unit);
  const shown = usual === undefined ? undefined : all.get(usual);
  if (usual !== undefined && shown?.value('LoadState') === 'loaded' && !sockets.includes(usual)) {
    // With Accept=yes each connection gets an instance of the template.
    const perConnection = shown.value('Accept') === 'yes' && unit.includes('@');
    if (perConnection || shown.value('Triggers').split(' ').includes(unit)) sockets.push(usual);
  }
  return {
    load: value('LoadState'),
    active: value('ActiveState'),
    cgroup: value('ControlGroup').replace(/^\//, '') || undefined,
    slice: value('Slice') || undefined,
    sockets,
  };
}
