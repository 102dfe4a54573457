/** `netsteward dnstest serve`: the flags of dns-test-daemon's server, and what it lacks. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { NetstewardError } from '../core/errors.ts';
import { exitCodes } from '../core/exit-codes.ts';
import { failureText } from './failure.ts';
import { printError } from './output.ts';

export interface ServeFlags {
  readonly hashKey: string;
  readonly hashKeyFile?: string;
  /** As typed: HOST, HOST:PORT, :PORT, [IPv6]:PORT. Empty: the default. */
  readonly bind: readonly string[];
  /** Seconds. */
  readonly cacheTtl: number;
  readonly zone: readonly string[];
  /** As typed: NAME or NAME=ADDRESS,… */
  readonly ns: readonly string[];
  readonly tcpConnections: number;
  /** Seconds. */
  readonly tcpIdle: number;
  readonly debug?: true;
}

/** What server and checks must have in common. */
export function hashKeyFlags(): readonly Option[] {
  return [
    new Option('-k, --hash-key <key>', 'secret that server and checks share, 32 bytes at most').default('', 'none'),
    new Option('--hash-key-file <file>', 'a file with that key, which the list of processes does not show'),
    new Option('-d, --debug', 'tell everything'),
  ];
}

export function serveFlags(): readonly Option[] {
  const list = (flags: string, text: string, none: string): Option =>
    new Option(flags, text).argParser<readonly string[]>((value, before) => [...before, value]).default([], none);
  return [
    list(
      '-b, --bind <[host][:port]>',
      'where to serve (repeatable); no host: all addresses, but answers leave from the main one',
      '127.0.0.1:53',
    ),
    new Option('--cache-ttl <seconds>', 'how long resolvers may keep answers')
      .argParser(whole(0, 2 ** 31 - 1))
      .default(300),
    list('--zone <name>', 'answer for this zone and refuse the rest (repeatable)', 'any name'),
    list('--ns <name[=address,...]>', 'a name server of the zones (repeatable)', 'ns.ZONE, where it serves'),
    new Option('--tcp-connections <number>', 'most TCP connections at a time, for each --bind')
      .argParser(whole(1, 65_536))
      .default(256),
    new Option('--tcp-idle <seconds>', 'end a TCP connection that brings nothing for so long')
      .argParser(whole(1, 3600))
      .default(10),
  ];
}

export function dnstestServe(): Command {
  const command = new Command('serve')
    .summary('be the name server of the test zone')
    .description(
      'Answers A and AAAA queries with the keyed hash of the name, over UDP and TCP. Everything else that resolvers ask gets the answer of a zone in which every name exists and has nothing but these.',
    );
  for (const option of [...hashKeyFlags(), ...serveFlags()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Signals: INT and TERM end it.

Example:
  $ netsteward dnstest serve -k secret --zone test.example.org --ns ns.example.org -b 192.0.2.1 -b '[2001:db8::1]'`,
    )
    .action(async (flags: ServeFlags) => {
      process.exitCode = await runServe(flags);
    });
}

/** What can be wrong with the command line, beside what its parser finds. */
const usageCodes = ['usage', 'dnstest-key', 'dnstest-key-file', 'dnstest-name'];

/** Until a signal ends it. Gives the exit code; what is wrong with the options is told, and 2. Rejects with `dns-not-bound`, `host-unknown`. */
export async function runServe(flags: ServeFlags): Promise<number> {
  const { serveUntilSignal } = await import('./dnstest-serve-run.ts');
  try {
    await serveUntilSignal(flags);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof NetstewardError) || !usageCodes.includes(error.code)) throw error;
    printError(failureText(error));
    return 2;
  }
}

/** A whole number within these, and they count too. */
function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}`);
    }
    return value;
  };
}
