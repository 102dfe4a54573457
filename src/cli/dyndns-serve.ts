/** `netsteward dyndns serve`: the command line of tddu-server.py, and what it lacks. */
import { type Command, InvalidArgumentError, Option } from 'commander';

export interface DyndnsServeFlags {
  readonly genkey?: true;
  readonly bind?: string;
  readonly ipAf?: '4' | '6';
  readonly systemd?: true;
  readonly uid?: string;
  readonly updateTimestamps?: true;
  readonly debug?: true;
  /** Seconds. */
  readonly clockWindow: number;
  /** Seconds. */
  readonly idleExit?: number;
  readonly state?: string;
  readonly verify?: string;
  readonly records?: string;
  readonly zone: readonly string[];
}

export function registerDyndnsServe(parent: Command): void {
  parent
    .command('serve')
    .summary('keep the names of a tinydns zone true, as tddu-server.py does')
    .description(
      'Takes signed update packets, changes the addresses below "# dynamic:" headers of a tinydns zone file, and runs the update command.',
    )
    .argument('[zone-file]', 'tinydns zone file with "# dynamic: TIMESTAMP KEY…" headers')
    .argument('[update-command...]', 'program to run after each change, with its arguments; after --')
    .option('-g, --genkey', 'print a new key pair and exit')
    .option('-b, --bind <[host:]port>', 'where to listen (default: [::]:5533)')
    .addOption(
      new Option(
        '-v, --ip-af <family>',
        'listen on addresses of this family; [::] takes IPv4 too, unless net.ipv6.bindv6only is 1',
      ).choices(['4', '6']),
    )
    .option('--systemd', 'take the socket that systemd passes, and tell it when ready')
    .option('-u, --uid <user[:group]>', 'give up root for this user once the socket is open')
    .option('--update-timestamps', 'write the timestamp of each packet into the zone, also when nothing changes')
    .option('-d, --debug', 'tell everything')
    .option('--clock-window <seconds>', 'refuse timestamps further than this from our clock; 0: take any', seconds, 600)
    .option('--idle-exit <seconds>', 'end after so long without a packet (for a service with a socket unit)', seconds)
    .option('--state <file>', 'where the newest timestamps are kept (default: a hidden file beside the zone)')
    .option('--verify <address>', 'after the update command, ask this name server whether it serves the changes')
    .option('--records <kinds>', 'tinydns lines that follow besides + 6 3 and generic AAAA: any of = @ . &')
    .option('--zone <file>', 'one more zone file (repeatable)', collect, [])
    .addHelpText(
      'after',
      `
Signals: INT and TERM end it. A changed zone file is noticed by itself.

The update command has in its environment: NETSTEWARD_ZONE, NETSTEWARD_NAME, NETSTEWARD_NAMES,
NETSTEWARD_OLD_ADDRESS, NETSTEWARD_NEW_ADDRESS, NETSTEWARD_KEY_ID, NETSTEWARD_CHANGES.

Example:
  $ netsteward dyndns serve -u tinydns /etc/tinydns/root/data -- make -C /etc/tinydns/root`,
    )
    .action(async (zone: string | undefined, command: readonly string[], flags: DyndnsServeFlags) => {
      const { runDyndnsServe } = await import('./dyndns-serve-run.ts');
      process.exitCode = await runDyndnsServe(zone, command, flags);
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(?:\.\d+)?$/.test(text) || value > 1e9) throw new InvalidArgumentError('must be seconds, such as 600');
  return value;
}
