/** One run of `netsteward nbrpc replay`: the recorded past beside what other settings would have made of it. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Diagnostic, DiagnosticError } from '../core/diagnostic.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { ConfigTable } from '../core/module.ts';
import { type NbrpcConfig, parseNbrpc } from '../nbrpc/config.ts';
import type { DecideSettings } from '../nbrpc/decide.ts';
import { passSettings } from '../nbrpc/pass-settings.ts';
import { ReplayComparison } from '../nbrpc/replay-compare.ts';
import { applyOverride, isTable, parseOverride } from '../supervisor/config-override.ts';
import { configured } from './compose-nbrpc-look.ts';
import type { ReplayFlags } from './nbrpc-asking.ts';
import { replayText } from './nbrpc-replay-view.ts';
import { print, printError, printJson } from './output.ts';

interface Other {
  readonly schedule: 'original' | 'prompt';
  readonly settings: (logged: DecideSettings) => DecideSettings;
  /** Dotted, below nbrpc. */
  readonly keys: readonly string[];
}

/** Rejects with what the configuration rejects with, and NetstewardError `usage`. */
export async function replayPast(flags: ReplayFlags): Promise<ExitCode> {
  const other = await otherSettings(flags);
  const comparison = new ReplayComparison(other.schedule, other.settings);
  const { log } = flags;
  try {
    for await (const line of createInterface({ input: createReadStream(log, 'utf8') })) comparison.read(line);
  } catch (error) {
    throw new NetstewardError('usage', `--log: ${log} cannot be read: ${describeError(error)}`, { cause: error });
  }
  const found = comparison.end();
  if (found === undefined) {
    throw new NetstewardError('usage', `--log: ${log} is no state log`, {
      remedy: 'Name a file that [nbrpc.state_log] has written.',
    });
  }
  const [first] = comparison.unreadable;
  if (first !== undefined) {
    printError(`${log}:${first}: ${comparison.unreadable.length} line(s) could not be read and were left out\n`);
  }
  const remarks = remarksOn(other);
  if (flags.json === true) printJson({ schedule: other.schedule, ...found, remarks });
  else print(replayText(found, other.schedule, remarks));
  return exitCodes.ok;
}

async function otherSettings({ config, set, schedule }: ReplayFlags): Promise<Other> {
  const given = givenTable(set);
  const keys = Object.entries(given).flatMap(([key, value]) =>
    isTable(value) ? Object.keys(value).map((inner) => `${key}.${inner}`) : [key],
  );
  if (config !== undefined) {
    const { nbrpc } = await configured({ file: config, overrides: set, workingDirectory: process.cwd() });
    const { timers, limits, defaultPolicy } = passSettings(nbrpc);
    return { schedule: schedule ?? nbrpc.schedule, settings: () => ({ timers, limits, defaultPolicy }), keys };
  }
  const nbrpc = parsedTable(given);
  const chosen = schedule ?? (keys.includes('schedule') ? nbrpc.schedule : 'original');
  return { schedule: chosen, settings: (logged) => withGiven(logged, passSettings(nbrpc), new Set(keys)), keys };
}

/** Throws DiagnosticError. */
function givenTable(set: readonly string[]): ConfigTable {
  let table: ConfigTable = {};
  const problems: Diagnostic[] = [];
  for (const text of set) {
    const override = parseOverride(text);
    const applied = override.ok ? applyOverride(table, override.value) : override;
    if (!applied.ok) problems.push(applied.diagnostic);
    else if (override.ok && override.value.path[0] !== 'nbrpc') {
      problems.push({ file: override.value.label, message: 'only keys of [nbrpc] can be replayed' });
    } else table = applied.value;
  }
  if (problems.length > 0) throw new DiagnosticError('config-invalid', problems);
  return isTable(table.nbrpc) ? table.nbrpc : {};
}

/** Throws DiagnosticError. */
function parsedTable(table: ConfigTable): NbrpcConfig {
  const parsed = parseNbrpc({ check_lists: ['/state-log'], ...table });
  if (parsed.ok) return parsed.config;
  throw new DiagnosticError(
    'config-invalid',
    parsed.problems.map(({ path, message }) => ({ file: `--set nbrpc.${path.join('.')}`, message })),
  );
}

/** What was given counts, the rest is the log's. */
function withGiven(logged: DecideSettings, given: DecideSettings, keys: ReadonlySet<string>): DecideSettings {
  const timers = { ...logged.timers };
  const pick = (key: string, name: keyof DecideSettings['timers']): void => {
    if (keys.has(`timers.${key}`)) timers[name] = given.timers[name];
  };
  pick('host_addrs', 'hostAddrs');
  pick('addr_state', 'addrState');
  pick('host_ok_state', 'hostOkState');
  pick('host_na_state', 'hostNaState');
  pick('host_addr_timeout', 'hostAddrTimeout');
  const { addrsPerHost } = keys.has('limits.addrs_per_host') ? given.limits : logged.limits;
  return {
    timers,
    limits: { ...logged.limits, addrsPerHost },
    defaultPolicy: keys.has('default_policy') ? given.defaultPolicy : logged.defaultPolicy,
  };
}

/** Keys that could make a difference here; all others are about checks, which were made as they were made. */
const effective = new Set([
  'schedule',
  'default_policy',
  'limits.addrs_per_host',
  'timers.host_ok_state',
  'timers.host_na_state',
  'timers.host_addr_timeout',
]);

function remarksOn({ schedule, keys }: Other): readonly string[] {
  const idle = keys.filter((key) => !effective.has(key));
  const remarks = [
    'Only checks that were made then are in the log: neither their times nor their answers change with the settings.',
  ];
  if (schedule === 'prompt') {
    remarks.push(
      'The log has no results through exits, and the prompt schedule would have asked what fails again within a minute: here each ' +
        'recorded failure over the direct route confirms a block by itself, at the pace of the recorded checks.',
    );
    const timers = keys.filter((key) => key === 'timers.host_ok_state' || key === 'timers.host_na_state');
    if (timers.length > 0)
      remarks.push(`The prompt schedule has no grace periods: ${timers.join(', ')} changes nothing.`);
  }
  if (idle.length > 0) remarks.push(`Without effect on a recorded past: ${idle.join(', ')}.`);
  return remarks;
}
