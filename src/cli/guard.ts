/** `netsteward guard`: the kill switch of nbrpc.while_down, a static table that outlives netsteward. */
import type { Command } from 'commander';
import { addConfigOptions, type ConfigOptions, configSource } from './config-options.ts';

export function registerGuard(program: Command): void {
  const guard = program
    .command('guard')
    .summary('drop what the LAN sends while netsteward is not there')
    .description(
      'The kill switch of nbrpc.while_down = "drop": a static nftables table that drops what the interfaces of [nbrpc.guard] send ' +
        "elsewhere, except what passed netsteward's own table. Loaded at boot, before the network is up, it outlives every process.",
    )
    .addHelpText(
      'after',
      `
Examples:
  $ netsteward guard print > /etc/nftables.d/guard.nft    to be included by a ruleset of your own
  $ netsteward guard load                                 what netsteward-guard.service does
  $ netsteward guard unload                               lift the drop by hand, until the next load`,
    );
  addConfigOptions(guard.command('print'))
    .summary('print the table as a file for nft -f')
    .description('Prints the table as a file for `nft -f`, which replaces an older one in one transaction.')
    .action(async (options: ConfigOptions) => {
      const { printGuard } = await import('./guard-run.ts');
      process.exitCode = await printGuard(configSource(options));
    });
  addConfigOptions(guard.command('load'))
    .summary('load the table; with while_down = "direct", take it away')
    .description('Loads the table, in the place of an older one; where while_down is "direct", takes it away.')
    .action(async (options: ConfigOptions) => {
      const { loadGuard } = await import('./guard-run.ts');
      process.exitCode = await loadGuard(configSource(options));
    });
  guard
    .command('unload')
    .summary('take the table away')
    .description(
      'Takes the table away: what the LAN sends goes the direct way while netsteward is not there. A netsteward, or ' +
        'netsteward-nft.service, that runs with while_down = "drop" puts it back at once: stop it first.',
    )
    .action(async () => {
      const { unloadGuard } = await import('./guard-run.ts');
      process.exitCode = await unloadGuard();
    });
}
