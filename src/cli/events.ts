/** `netsteward events`: what changed, when and why, from every module. */
import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../core/duration.ts';
import { moduleNames } from '../core/module.ts';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

export interface EventsOptions extends SocketOptions {
  /** Milliseconds before now, or a time. */
  readonly since?: { readonly ago: number } | { readonly at: number };
  readonly module?: string;
  readonly subject?: string;
  readonly limit: number;
  readonly follow?: true;
  readonly json?: true;
}

export function registerEvents(program: Command): void {
  addSocketOption(program.command('events'))
    .summary('show what changed, when and why')
    .description('Shows what changed, when and why, from every module: the newest last.')
    .option('--since <time>', 'not older than this: a duration such as 2d, or a time such as 2026-11-21T14:00', time)
    .option('--module <name>', `of this one alone: netsteward, ${moduleNames.join(', ')}`, moduleName)
    .option('--subject <name>', 'about this service, unit, name or file alone')
    .option('--limit <count>', 'the newest so many', count, 1000)
    .option('-f, --follow', 'go on with those to come, until Ctrl-C')
    .option('--json', 'print JSON, one event a line')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine (also without any event), 1 netsteward cannot be reached.

Examples:
  $ netsteward events --since 2d --module nbrpc
  $ netsteward events --subject example.org
  $ netsteward events --follow --json | jq -r .code`,
    )
    .action(async (options: EventsOptions) => {
      const { showEvents } = await import('./events-run.ts');
      await showEvents(options);
    });
}

function time(text: string): EventsOptions['since'] {
  const ago = parseDuration(text);
  if (ago !== undefined) return { ago };
  const [, day, clock] = /^(\d{4}-\d\d-\d\d)(?:[T ](.+))?$/.exec(text) ?? [];
  // A day alone would be taken as one of UTC (ECMA-262 §21.4.1.32), but the times shown are local.
  const at = Date.parse(`${day}T${clock ?? '00:00'}`);
  if (Number.isNaN(at))
    throw new InvalidArgumentError('It must be a duration such as 2d, or a time such as 2026-11-21T14:00.');
  return { at };
}

function moduleName(text: string): string {
  if (['netsteward', ...moduleNames].includes(text)) return text;
  throw new InvalidArgumentError(`There are netsteward, ${moduleNames.join(', ')}.`);
}

function count(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 10_000) return value;
  throw new InvalidArgumentError('It must be a whole number from 1 to 10000.');
}
