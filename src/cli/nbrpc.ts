/** `netsteward nbrpc`: the drop-in for nbrpc.py, with its flags. */
import type { Command } from 'commander';
import { NetstewardError } from '../core/errors.ts';
import { registerAsking } from './nbrpc-asking.ts';
import { print, printError } from './output.ts';

/** As commander gives them: texts that are not looked at yet. */
export interface NbrpcFlags {
  readonly checkListFile: readonly string[];
  readonly db: string;
  /** Absent: af-all. */
  readonly checkListDefaultPolicy?: string;
  readonly updateAll?: true;
  readonly syncOnStart?: true;
  readonly printState?: true;
  readonly updateHost?: string;
  readonly failingChecks?: true;
  readonly forceNChecks?: string;
  readonly zoneFor: readonly string[];
  readonly zoneFormat: string;
  readonly interval: readonly string[];
  readonly timeout: readonly string[];
  readonly limit: readonly string[];
  readonly policyUpdateCmd?: string;
  readonly policyReplaceCmd?: string;
  readonly policySocket?: true;
  readonly controlService: readonly string[];
  readonly gates: boolean;
  readonly quiet?: true;
  readonly debug?: true;
  readonly debugCurlCmd?: true;
  readonly replay?: string;
  readonly replayLog?: string;
  readonly now?: string;
  readonly tz?: string;
}

/** Where the command's text goes. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Columns of a terminal; undefined where standard output is none. */
  readonly columns: number | undefined;
  /** The process ends with the command, so its signals stay taken until then. */
  readonly last?: true;
}

const terminal: Terminal = { out: print, error: printError, columns: process.stdout.columns, last: true };

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function registerNbrpc(program: Command, to: Terminal = terminal): void {
  const command = program
    .command('nbrpc')
    .summary('check services and tell routing policies, as nbrpc.py does')
    .description(
      'Checks the services of check lists at each of their addresses, and tells hooks or a socket which of them need another route. Takes the flags of nbrpc.py; it changes no nftables itself.',
    )
    .option(
      '-f, --check-list-file <path>',
      'check list (repeatable); may be missing, and change at any time',
      collect,
      [],
    )
    .option('-d, --db <path>', 'state file', 'nbrpc.db')
    .option('-p, --check-list-default-policy <spec>', 'policy of hosts that name none (default: "af-all")')
    .option('-U, --update-all', 'force all checks in the first pass')
    .option('-S, --sync-on-start', 'tell the full policy in the first pass, changed or not')
    .option('-P, --print-state', 'print the state and exit')
    .option('-u, --update-host <host>', 'check this host now, its state following without grace, and exit')
    .option('-F, --failing-checks', 'check what fails over this (the other) route, to tell what is down everywhere')
    .option('-n, --force-n-checks <n>', 'make n forced checks and exit')
    .option('-Z, --zone-for <spec>', '[PREFIX]REGEX: print zones of these hosts and exit (repeatable)', collect, [])
    .option('-z, --zone-format <format>', 'unbound, hosts, dnsmasq or rpz', 'unbound')
    .option('-i, --interval <name=seconds>', 'set an interval (repeatable)', collect, [])
    .option('-t, --timeout <name=seconds>', 'set a time-out (repeatable)', collect, [])
    .option('-l, --limit <name=n>', 'set a limit (repeatable)', collect, [])
    .option('-X, --policy-update-cmd <command>', 'gets what changed, on standard input; "-" prints it')
    .option('-x, --policy-replace-cmd <command>', 'gets the whole policy, on standard input; "-" prints it')
    .option('-s, --policy-socket', 'the values of -X and -x are unix sockets')
    .option(
      '--control-service <token>',
      'a check that works wherever this machine has internet: nothing is marked while none of them does (repeatable)',
      collect,
      [],
    )
    .option('--no-gates', 'mark what fails even where the fault is on this side: link, resolver, control services')
    .option('-q, --quiet', 'tell only what is wrong')
    .option('--debug', 'tell more')
    .option('--debug-curl-cmd', 'print how each check could be made by hand, and exit')
    .option('--replay <file>', 'rehearse: answers and results come from this file')
    .option('--replay-log <file>', 'play a state log again, with the -p, -i, -t and -l given here, and exit')
    .option('--now <seconds>', 'rehearse: the time, seconds since the epoch')
    .option('--tz <zone>', 'time zone of printed times')
    .addHelpText(
      'after',
      `
Intervals: checks=240 host-addrs=420 addr-state=54000 host-ok-state=147600 host-na-state=36000 db-reopen=18000
Time-outs: host-addr=1036800 addr-check=30 log-td-info=90 kill=8 policy-cmd=30
Limits: iter-hosts=9 iter-addrs=32 addrs-per-host=18

Zone prefixes, any of: + IPv4, * IPv6, > only what works directly, @ only the newest DNS answer, % shuffled.
Signals: HUP checks now and tells the full policy, QUIT checks now, TERM and INT end it.

Examples:
  $ netsteward nbrpc -f services.list -x 'nft-policy.sh full' -X 'nft-policy.sh update'
  $ netsteward nbrpc -f services.list -SUn99 -x-        check once, print the policy
  $ netsteward nbrpc -P
  $ netsteward nbrpc explain example.org                why does it go where it goes? changes nothing`,
    )
    // Else a slip in `explain` would be told as too many arguments.
    .allowExcessArguments()
    .action(async (flags: NbrpcFlags, { args: [word] }: Command) => {
      if (word !== undefined) throw unknownQuestion(word, command);
      const { runNbrpc } = await import('./nbrpc-run.ts');
      process.exitCode = await runNbrpc(flags, to);
    });
  registerAsking(command);
  // After the subcommands were made: they would take it over. -f and -d are the drop-in's alone.
  command.enablePositionalOptions();
}

function unknownQuestion(word: string, { commands }: Command): NetstewardError {
  const names = commands
    .map((each) => each.name())
    .filter((name) => name !== 'help')
    .join(', ');
  return new NetstewardError('usage', `nbrpc has no subcommand ${JSON.stringify(word)}`, {
    remedy: `There are ${names}; without one it takes the flags of nbrpc.py alone.`,
  });
}
