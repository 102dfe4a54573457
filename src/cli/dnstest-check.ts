/** `netsteward dnstest check`: one check of one resolver or of many, with the flags and exit codes of dns-test-daemon's client. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../core/duration.ts';
import { hashKeyFlags } from './dnstest-serve.ts';

/** What the drop-in and `check` have in common, and what `check` adds. */
export interface CheckOptions {
  readonly name: string;
  readonly hashKey?: string;
  /** Instead of the key itself. */
  readonly hashKeyFile?: string;
  /** `A` or `AAAA`, in any case. */
  readonly query?: string;
  readonly any?: boolean;
  /** Host for fping. */
  readonly ping?: string;
  readonly debug?: boolean;
  /** As readResolver (src/dnstest/transport-address.ts) takes them; none: libc's. */
  readonly resolver?: readonly string[];
  readonly control?: string;
  /** Keys that were in use before. */
  readonly oldKey?: readonly string[];
  /** Milliseconds. */
  readonly timeout?: number;
  /** Milliseconds. */
  readonly slow?: number;
  readonly mixedCase?: boolean;
  readonly caFile?: string;
  readonly json?: boolean;
}

/** Exit codes of the drop-in (contracts/dnstest.md, section 4); 1 is anything that nobody foresaw. */
export const checkExits = { right: 0, usage: 2, failing: 53 } as const;

/** The subcommand `check`, on its own: whoever adds it lends it the settings of the program (copyInheritedSettings). */
export function dnstestCheck(): Command {
  const command = new Command('check')
    .summary('ask resolvers what no cache can know, once')
    .description(
      "Asks for a name whose address follows from its hash, as `netsteward dnstest serve` gives it, and compares. Each @ in the name becomes 12 random letters and digits, so that no cache can know the answer. Without --resolver the machine's own way is checked (getaddrinfo: resolv.conf, nsswitch).",
    )
    .argument('<name>', 'such as "@.test.example.org"');
  for (const option of [...hashKeyFlags(), ...checkFlags()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Several resolvers are asked at the same time. What fails is told on standard error.

Exit codes: 0 all right (or the network is down, with --ping), 53 a resolver fails, 2 the command line is wrong,
1 anything else: with --control also where the test zone itself is down, so that nobody restarts a resolver for it.

Examples:
  $ netsteward dnstest check -k secret @.test.example.org
  $ netsteward dnstest check -k secret -r 192.0.2.53 -r tls://dns.example.org#192.0.2.53 --control 198.51.100.7 @.test.example.org
  $ netsteward dnstest check -k secret -q AAAA -r https://[2001:db8::53]/dns-query --slow 500ms --json @.test.example.org`,
    )
    .action(async (name: string, flags: Omit<CheckOptions, 'name'>) => {
      process.exitCode = await runCheck({ ...flags, name });
    });
}

/** Without those that server and check have in common. */
export function checkFlags(): readonly Option[] {
  const list = (flags: string, text: string, none: string): Option =>
    new Option(flags, text).argParser<readonly string[]>((value, before) => [...before, value]).default([], none);
  return [
    new Option('-q, --query <type>', 'what to ask for: A or AAAA').default('A'),
    new Option('--any', 'one right address among others is enough'),
    new Option(
      '-p, --ping <host>',
      'after a failure ping this host (fping): without an answer the network is down, and the check counts as good',
    ),
    list(
      '-r, --resolver <address>',
      'ask this resolver: ADDRESS, udp://ADDRESS:PORT, tcp://…, tls://NAME#ADDRESS, https://NAME/dns-query#ADDRESS, or system (repeatable)',
      'system',
    ),
    new Option(
      '--control <address>',
      "the zone's own server, asked after a failure: is it the resolver, or the test zone?",
    ),
    list('--old-key <key>', 'a key that was in use before: its answers are told as stale (repeatable)', 'none'),
    new Option('--timeout <duration>', 'for each question')
      .argParser(duration)
      .default(undefined, '5s, and 30s for "system"'),
    new Option('--slow <duration>', 'a right answer that takes longer is a failure').argParser(duration),
    new Option('--mixed-case', 'ask with letters in upper and lower case by chance (0x20), against forged answers'),
    new Option('--ca-file <file>', "PEM certificates to trust beside the system's, for tls and https"),
    new Option('--json', 'print the results as JSON'),
  ];
}

/** Gives the exit code; what is wrong with the options is told, and 2. Rejects with what nobody foresaw. */
export async function runCheck(options: CheckOptions): Promise<number> {
  const { runDnsCheck } = await import('./dnstest-check-run.ts');
  return runDnsCheck(options);
}

function duration(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || value < 1 || value > 3_600_000) {
    throw new InvalidArgumentError('must be a duration of at most "1h", such as "2s"');
  }
  return value;
}
