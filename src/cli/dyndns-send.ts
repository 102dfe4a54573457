/** `netsteward dyndns send`: the drop-in for tddu-client.py, with its flags, and a client that goes on by itself. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../core/duration.ts';

export interface DyndnsSendFlags {
  readonly genkey?: true;
  readonly bind?: string;
  readonly ipAf?: string;
  readonly randomAddr?: true;
  readonly packets: number;
  readonly sendDelay: string;
  readonly watch?: true;
  /** Milliseconds; 0: none. */
  readonly interval?: number;
  readonly debug?: true;
}

export function registerDyndnsSend(parent: Command): void {
  parent
    .command('send')
    .summary("tell a dyndns server this machine's address")
    .description(
      'Sends a signed packet to a dyndns server, which takes the address that it comes from as the new address of the names that follow the key. There is no answer.',
    )
    .argument('[destination]', 'host[:port], several split by "/"; an IPv6 address with a port in brackets')
    .argument('[keys...]', 'files of secret keys (paths that begin with "/" or "."), "-" for standard input, or keys')
    .option('-g, --genkey', 'make a key pair and print it, nothing else')
    .option('-b, --bind <addresses>', 'send from host[:port], several split by "/"')
    .addOption(
      new Option('-v, --ip-af <family>', 'addresses of the destination: only 4 or 6, or one of each').choices([
        '4',
        '6',
        'both',
      ]),
    )
    .option('-r, --random-addr', 'of several addresses of a name take any, not the first')
    .option('-n, --packets <count>', 'send so many packets one after the other, against loss', count, 1)
    .option(
      '--send-delay <delay>',
      'seconds between them, n or n:op[:arg]: each further one is op(the one before, arg) with an operator of Python',
      '1:mul:2',
    )
    .option('--watch', "go on, and send whenever this machine's own addresses or default route change")
    .option(
      '--interval <duration>',
      'go on, and send so often (with --watch: 15m; 0s: only when something changes)',
      interval,
    )
    .option('-d, --debug', 'tell of each packet')
    .addHelpText(
      'after',
      `
Without --ip-af a packet goes to the first IPv4 address of a name or, where it has none, to the first IPv6 address: only one of
A and AAAA follows. "--ip-af both" updates both.

Signals, with --watch or --interval: HUP sends now, INT and TERM end it.
Exit codes: 0 sent to every destination, 1 not to all, 64 the command line is wrong.

Examples:
  $ netsteward dyndns send ns.example.org /etc/netsteward/dyndns.key
  $ netsteward dyndns send -n 3 --ip-af both ns1.example.org/ns2.example.org:5533 /etc/netsteward/dyndns.key
  $ netsteward dyndns send --watch --interval 10m --ip-af both ns.example.org /etc/netsteward/dyndns.key
  $ pass show dyndns | netsteward dyndns send ns.example.org -`,
    )
    .action(async (destination: string | undefined, keys: readonly string[], flags: DyndnsSendFlags) => {
      const { runDyndnsSend } = await import('./dyndns-send-run.ts');
      process.exitCode = await runDyndnsSend(destination, keys, flags);
    });
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 1000) throw new InvalidArgumentError('must be from 1 to 1000');
  return value;
}

function interval(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || (value !== 0 && value < 1000)) {
    throw new InvalidArgumentError('must be a duration of at least "1s", such as "15m"');
  }
  return value;
}
