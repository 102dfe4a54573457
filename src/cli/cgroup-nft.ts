/** `netsteward cgroup-nft`: the drop-in for scnpm, with its flags, and what can be asked of rules and units. */
import { type Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { addSocketOption } from './socket-option.ts';

/** Of the drop-in. */
export interface CgroupNftFlags {
  readonly flush?: true;
  readonly reloadWithUnit: readonly string[];
  readonly reapplyWithUnit: readonly string[];
  /** Milliseconds. */
  readonly cooldown: number;
  readonly debug?: true;
}

/** Code of what is wrong with the drop-in's own command line, which scnpm ends with 1 for (contract; 64 everywhere else). */
export const dropInUsage = 'netsteward.dropInUsage';

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function registerCgroupNft(program: Command): void {
  const command = program
    .command('cgroup-nft')
    .summary('keep firewall rules of systemd units alive, as scnpm does')
    .description(
      'Applies the rules that comments of nftables files give to systemd units ("# UNIT :: add rule FAMILY TABLE CHAIN …"), and keeps them at the units\' cgroups whenever these are made anew.',
    )
    .argument('[nft-config...]', 'files with such comments, usually /etc/nftables.conf')
    .option('-f, --flush', 'flush the chains of all rules on start')
    .option(
      '-u, --reload-with-unit <unit>',
      'read the files again when this unit starts or stops (repeatable)',
      collect,
      [],
    )
    .option(
      '-a, --reapply-with-unit <unit>',
      'apply all again when this unit starts or stops (repeatable)',
      collect,
      [],
    )
    .option('-c, --cooldown <milliseconds>', "fold a unit's events within this time into one", milliseconds, 300)
    .option('-d, --debug', 'tell everything; otherwise only what is wrong')
    .addHelpText(
      'after',
      `
Signals: HUP reads the files again and applies all, INT and TERM end it; the rules stay.

Examples:
  $ netsteward cgroup-nft -f -u nftables.service /etc/nftables.conf
  $ netsteward cgroup-nft check /etc/nftables.conf     are the rules right? changes nothing
  $ netsteward cgroup-nft explain postfix.service      what matches this unit, and why`,
    )
    .action(async (files: readonly string[], flags: CgroupNftFlags) => {
      const { runCgroupNft } = await import('./cgroup-nft-run.ts');
      process.exitCode = await runCgroupNft(files, flags);
    });
  registerCheckFiles(command);
  registerExplain(command);
  registerDropIn(command);
  // After the subcommands were made: they would take it over. -f and -c mean other things to them than to the drop-in.
  command.enablePositionalOptions().exitOverride((error) => {
    throw new CommanderError(error.exitCode, error.exitCode === 0 ? error.code : dropInUsage, error.message);
  });
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 3_600_000) throw new InvalidArgumentError('must be milliseconds, at most 3600000');
  return value;
}

function registerCheckFiles(command: Command): void {
  command
    .command('check')
    .summary('check the rules of files')
    .description('Checks the rules in the comments of nftables files, also with nft itself. Changes nothing.')
    .argument('<file...>', 'files with rules in comments')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine (perhaps with warnings), 78 a rule is wrong or a file cannot be read.

Example:
  $ netsteward cgroup-nft check /etc/nftables.conf`,
    )
    .action(async (files: readonly string[]) => {
      const { checkRuleFiles } = await import('./cgroup-nft-check.ts');
      process.exitCode = await checkRuleFiles(files);
    });
}

function registerExplain(command: Command): void {
  const explain = command
    .command('explain')
    .summary('what matches a unit, and why')
    .description(
      'Tells where the cgroup of a unit is, which groups and rules match it, and what the kernel has of them.',
    )
    .argument('<unit>', 'name of a unit, or path of a cgroup')
    .option('-c, --config <file>', 'configuration of the service', '/etc/netsteward/netsteward.toml')
    .option(
      '-f, --file <file>',
      'a file with rules in comments, instead of the configuration (repeatable)',
      collect,
      [],
    );
  addSocketOption(explain)
    .addHelpText(
      'after',
      `
Exit codes: 0 a group or rule matches the unit, 1 none does.

Examples:
  $ netsteward cgroup-nft explain postfix.service
  $ netsteward cgroup-nft explain -f /etc/nftables.conf system.slice/postfix.service`,
    )
    .action(async (unit: string, flags: import('./cgroup-nft-explain.ts').ExplainFlags) => {
      const { explainUnit } = await import('./cgroup-nft-explain.ts');
      process.exitCode = await explainUnit(unit, flags);
    });
}

function registerDropIn(command: Command): void {
  command
    .command('drop-in')
    .summary('print a drop-in for a unit that must not start before its rules')
    .description(
      'Prints a drop-in file for a unit whose first packet must not be refused, not even on a machine that is out of CPU time. See docs/firewall-by-unit.md.',
    )
    .argument('<unit>', 'name of the unit')
    .addOption(
      new Option('--mode <mode>', 'how the unit is kept from being too early')
        .choices(['gate', 'slice', 'nftset'])
        .makeOptionMandatory(),
    )
    .option('--timeout <duration>', 'gate and nftset: how long the unit waits', '5s')
    .option('--slice <slice>', 'slice: its name (default: made from that of the unit)')
    .option('--set <set>', 'nftset: FAMILY:TABLE:SET')
    .action(async (unit: string, flags: import('./cgroup-nft-drop-in.ts').DropInFlags) => {
      const { printDropIn } = await import('./cgroup-nft-drop-in.ts');
      process.exitCode = printDropIn(unit, flags);
    });
  const wait = command
    .command('wait', { hidden: true })
    .description('Waits until the rules of the unit that it is started in are in the kernel (for ExecStartPre=).')
    .argument('<unit>', 'name of the unit')
    .option('--timeout <duration>', 'how long to wait', '5s')
    .option('--set <set>', 'FAMILY:TABLE:SET that systemd fills (NFTSet=), instead of what netsteward does');
  addSocketOption(wait).action(async (unit: string, flags: import('./cgroup-nft-wait.ts').WaitFlags) => {
    const { waitForUnit } = await import('./cgroup-nft-wait.ts');
    process.exitCode = await waitForUnit(unit, flags);
  });
}
