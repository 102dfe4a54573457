/** What can be asked of nbrpc: `netsteward nbrpc explain`, `history`, `plan` and `replay`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { addConfigOptions, type ConfigOptions } from './config-options.ts';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

export interface ExplainFlags extends SocketOptions, ConfigOptions {
  readonly json?: true;
}

export interface HistoryFlags extends SocketOptions, ConfigOptions {
  readonly days: number;
  readonly json?: true;
}

export interface PlanFlags extends SocketOptions, ConfigOptions {
  readonly json?: true;
}

export interface ReplayFlags {
  readonly log: string;
  readonly config?: string;
  readonly set: readonly string[];
  readonly schedule?: 'original' | 'prompt';
  readonly json?: true;
}

export function registerAsking(command: Command): void {
  registerExplain(command);
  registerHistory(command);
  registerPlan(command);
  registerReplay(command);
}

function registerExplain(command: Command): void {
  addConfigOptions(addSocketOption(command.command('explain')))
    .summary('show why a service goes where it goes')
    .description(
      'Shows the whole chain for one service: the list line that names it, its policy, what DNS and each route say of each of its ' +
        'addresses, what is asked next, the rule that is applied, and what the kernel has. Asks the running netsteward; where none ' +
        'runs, the state file of the configuration. Changes nothing.',
    )
    .argument('<host>', 'a service of a check list')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 no such service, or nobody to ask.

Examples:
  $ netsteward nbrpc explain example.org
  $ netsteward nbrpc explain example.org --json | jq '.addresses[].direct'`,
    )
    .action(async (host: string, flags: ExplainFlags) => {
      const { explainService } = await import('./nbrpc-explain-run.ts');
      process.exitCode = await explainService(host, flags);
    });
}

function registerHistory(command: Command): void {
  addConfigOptions(addSocketOption(command.command('history')))
    .summary('show the past of a service')
    .description(
      'Shows when a service went direct, through which exit, failed or was down, and why, with totals. Asks the running ' +
        "netsteward; where none runs, the history's file of the configuration. Changes nothing.",
    )
    .argument('<host>', 'a service of a check list')
    .option('--days <count>', 'of so many days', days, 7)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 no such service, or nobody to ask.

Examples:
  $ netsteward nbrpc history example.org
  $ netsteward nbrpc history example.org --days 30 --json | jq .totals`,
    )
    .action(async (host: string, flags: HistoryFlags) => {
      const { showServiceHistory } = await import('./nbrpc-history-run.ts');
      process.exitCode = await showServiceHistory(host, flags);
    });
}

function days(text: string): number {
  const value = Number(text);
  if (/^\d{1,4}(?:\.\d+)?$/.test(text) && value > 0 && value <= 3650) return value;
  throw new InvalidArgumentError('It must be a number of days, at most 3650.');
}

function registerPlan(command: Command): void {
  addConfigOptions(addSocketOption(command.command('plan')))
    .summary('show what changed lists or another configuration would flip')
    .description(
      'Shows which services would go another way with this configuration and its check lists as they are now, from the state as it ' +
        'is: a dry run. Nothing is written, and nobody is asked but the running netsteward, for what is in force.',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine (also where something would flip), 1 a list would be refused, 78 the configuration is wrong.

Examples:
  $ netsteward nbrpc plan                                        after the lists were edited
  $ netsteward nbrpc plan --config new.toml
  $ netsteward nbrpc plan --set 'nbrpc.default_policy="pick"'`,
    )
    .action(async (flags: PlanFlags) => {
      const { showPlan } = await import('./nbrpc-plan-run.ts');
      process.exitCode = await showPlan(flags);
    });
}

function registerReplay(command: Command): void {
  command
    .command('replay')
    .summary('show what other settings would have done with the recorded past')
    .description(
      'Plays a state log (nbrpc.state_log) once as it was recorded and once with other settings, and compares how long each service ' +
        'went around, and how often it changed its route. Writes nothing, and asks nobody.',
    )
    .requiredOption('--log <file>', 'a file that nbrpc.state_log has written')
    .option('-c, --config <file>', 'other settings: those of this configuration; else those of the log')
    .addOption(
      new Option('--set <key=value>', 'one key of [nbrpc], the value as in TOML; may be repeated')
        .default([], 'none')
        .argParser((value: string, before: readonly string[]) => [...before, value]),
    )
    .addOption(new Option('--schedule <name>', 'decide by this schedule').choices(['original', 'prompt']))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Keys that can make a difference: nbrpc.timers.host_na_state, host_ok_state, host_addr_timeout; nbrpc.limits.addrs_per_host;
nbrpc.default_policy; nbrpc.schedule. Only the checks that were made then are in the log.

Examples:
  $ netsteward nbrpc replay --log state.log --set 'nbrpc.timers.host_na_state="1h"'
  $ netsteward nbrpc replay --log state.log --schedule prompt`,
    )
    .action(async (flags: ReplayFlags) => {
      const { replayPast } = await import('./nbrpc-replay-run.ts');
      process.exitCode = await replayPast(flags);
    });
}
