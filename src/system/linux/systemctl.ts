/** When units' main processes began, as systemd knows it: one `systemctl show` for many units. */
import { spawn } from 'node:child_process';
import type { Clock, Timer } from '../../core/clock.ts';
import type { UnitStarts } from '../unit-ports.ts';
import { onAbort } from './http-probe-abort.ts';
import { isUnitName } from './journalctl-entries.ts';

export interface SystemctlOptions {
  readonly clock: Clock;
  /** The program; default: `systemctl`. */
  readonly command?: string;
}

/** 255 bytes each at most: far below what an argument list may have (execve(2)). */
const unitsInOneCall = 400;
/** Milliseconds for one call: a busy systemd takes its time, a hung one must not hold anybody. */
const timeLimit = 10_000;

export class SystemctlStarts implements UnitStarts {
  readonly #clock: Clock;
  readonly #command: string;

  constructor({ clock, command = 'systemctl' }: SystemctlOptions) {
    this.#clock = clock;
    this.#command = command;
  }

  /** Node reads CLOCK_MONOTONIC for this (libuv, uv_hrtime). */
  now(): number {
    return Number(process.hrtime.bigint() / 1000n);
  }

  async mainStarts(units: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const asked = [...new Set(units.filter(hasMainProcess))];
    const found = new Map<string, number>();
    for (let at = 0; at < asked.length && !signal.aborted; at += unitsInOneCall) {
      const part = new Set(asked.slice(at, at + unitsInOneCall));
      for (const { names, mainStart } of parseShow(await this.#show([...part], signal))) {
        // An alias is answered with the unit's own Id; it is among its Names.
        for (const name of names) if (mainStart > 0 && part.has(name)) found.set(name, mainStart);
      }
    }
    return found;
  }

  /** What it wrote, as far as it got. */
  #show(units: readonly string[], signal: AbortSignal): Promise<string> {
    return new Promise((resolve) => {
      const args = ['--no-pager', 'show', '--property=Names,ExecMainStartTimestampMonotonic', '--', ...units];
      const child = spawn(this.#command, args, {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
        cwd: '/',
      });
      const kill = (): void => void child.kill('SIGKILL');
      const timer: Timer = this.#clock.after(timeLimit, kill);
      const forget = onAbort(signal, kill);
      let text = '';
      child.stdout?.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      const end = (): void => {
        timer.cancel();
        forget();
        // A number that was cut off would be another number.
        resolve(text.slice(0, text.lastIndexOf('\n') + 1));
      };
      child.on('close', end);
      // Without a process, as when no descriptor is left for its pipe, there need not be a 'close'.
      child.on('error', end);
    });
  }
}

/**
 * Only services have one that systemd notes the start of. Names that systemctl would take for a pattern, or refuse (a template
 * without its instance: it then answers for none of those that follow), are left out.
 */
function hasMainProcess(unit: string): boolean {
  return isUnitName(unit) && unit.endsWith('.service') && !unit.includes('@.');
}

export interface ShownUnit {
  readonly names: readonly string[];
  /** CLOCK_MONOTONIC, microseconds; 0 where there was none. */
  readonly mainStart: number;
}

/** The answer of `systemctl show`: lines `Property=value` in any order, an empty line between units (pure). */
export function parseShow(text: string): readonly ShownUnit[] {
  return text
    .split(/\n{2,}/)
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const value = (property: string): string => new RegExp(`^${property}=(.*)$`, 'm').exec(block)?.[1] ?? '';
      const start = Number(value('ExecMainStartTimestampMonotonic'));
      return {
        names: value('Names').split(' ').filter(Boolean).map(unquote),
        mainStart: Number.isSafeInteger(start) ? start : 0,
      };
    });
}

/** A name with a backslash in it comes in quotes, the backslash doubled: `"dev-disk-by\\x2duuid.swap"`. */
function unquote(word: string): string {
  return word.startsWith('"') ? word.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1') : word;
}
