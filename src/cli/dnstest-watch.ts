/** `netsteward dnstest watch`: checks that go on, with the flags and exit codes of dns-test-daemon's -c, and cures. */
import { Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../core/duration.ts';
import { type CheckOptions, dnstestCheck } from './dnstest-check.ts';

/** As typed: a shell command, or a unit. */
export interface CureFlag {
  readonly kind: 'flush' | 'reload' | 'restart' | 'hook';
  readonly what: string;
}

export interface WatchOptions extends Omit<CheckOptions, 'json'> {
  /** `interval:retries:timeout`, seconds; `150:6:100` where it is absent. */
  readonly continuous?: string;
  /** In the order in which they are tried. */
  readonly cures?: readonly CureFlag[];
  /** Whether the default route and its link must be there. */
  readonly uplink?: boolean;
  /** Addresses with ports. */
  readonly tcp?: readonly string[];
  /** Milliseconds, as in `[dnstest]`. */
  readonly rest?: number;
  readonly calm?: number;
  readonly settle?: number;
}

/** The subcommand `watch`, on its own: whoever adds it lends it the settings of the program (copyInheritedSettings). */
export function dnstestWatch(): Command {
  const cures: CureFlag[] = [];
  const cure =
    (kind: CureFlag['kind']) =>
    (what: string): string => {
      if (what.trim() === '') throw new InvalidArgumentError('must not be empty');
      cures.push({ kind, what });
      return what;
    };
  const command = new Command('watch')
    .summary('go on checking resolvers, and cure them')
    .description(
      'Checks again and again. Without cures it ends with exit code 53 when a resolver has failed, for systemd to act on. With cures it tries them one after the other, each once, in the order of the command line, with a check after each; when none has helped it rests, longer and longer, and checks on.',
    )
    .argument('<name>', 'such as "@.test.example.org"');
  // The same questions, asked again and again.
  for (const option of dnstestCheck().options) {
    if (option.long !== '--json') command.addOption(option);
  }
  return command
    .option(
      '-c, --continuous <interval:retries:timeout>',
      'seconds between checks; after a failed one so many more checks, spread over so many seconds; all from the first good one on must be good',
      '150:6:100',
    )
    .option('--uplink', 'a failed check counts only if there is a default route whose link is up')
    .option(
      '--tcp <address:port>',
      'a failed check counts only if this can be connected to (repeatable; with --ping: one answer is enough)',
      (value: string, before: readonly string[]) => [...before, value],
      [],
    )
    .option(
      '--flush <command>',
      'cure: a shell command, such as "unbound-control flush_zone test.example.org"',
      cure('flush'),
    )
    .option('--reload <unit>', 'cure: systemctl reload', cure('reload'))
    .option('--restart <unit>', 'cure: restart the unit, unless somebody has stopped it', cure('restart'))
    .option(
      '--hook <command>',
      'cure: a shell command; it gets $NETSTEWARD_RESOLVER, _FAILURE and _REASON',
      cure('hook'),
    )
    .option('--settle <duration>', 'from a cure to the check that verifies it (3s)', duration)
    .option(
      '--rest <duration>',
      'when no cure has helped, until they are tried again; doubled each time (15m)',
      duration,
    )
    .option('--calm <duration>', 'a resolver that was well for so long begins with the first cure again (1h)', duration)
    .addHelpText(
      'after',
      `
Signals: INT and TERM end it. Under systemd: Type=notify, WatchdogSec= is fed.
Exit codes: 53 a resolver has failed (without cures), 2 the command line is wrong, 1 anything else, 0 ended by a signal.

Examples:
  $ netsteward dnstest watch -k secret -c 150:6:100 -p 192.0.2.1 @.test.example.org
  $ netsteward dnstest watch -k secret -r 127.0.0.1 --control 198.51.100.7 \\
      --flush 'unbound-control flush_zone test.example.org' --restart unbound.service @.test.example.org`,
    )
    .action(async (name: string, flags: Omit<WatchOptions, 'name' | 'cures'>) => {
      process.exitCode = await runWatch({ ...flags, name, cures });
    });
}

/** Gives the exit code; what is wrong with the options is told, and 2. Rejects with `dnstest-fping` and what nobody foresaw. */
export async function runWatch(options: WatchOptions): Promise<number> {
  const { runDnsWatch } = await import('./dnstest-watch-run.ts');
  return runDnsWatch(options);
}

function duration(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || value > 30 * 86_400_000) {
    throw new InvalidArgumentError('must be a duration of at most "30d", such as "15m"');
  }
  return value;
}
