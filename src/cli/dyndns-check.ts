/** `netsteward dyndns check`: the command line. */
import type { Command } from 'commander';

export interface DyndnsCheckFlags {
  readonly patchedTinydns?: true;
  readonly records?: string;
}

export function registerDyndnsCheck(parent: Command): void {
  parent
    .command('check')
    .summary('list the blocks of zone files, and what is wrong in them')
    .description(
      'Lists the blocks, keys and names of tinydns zone files, and tells what is wrong where. Changes nothing.',
    )
    .argument('<zone-file...>', 'tinydns zone files')
    .option('--records <kinds>', 'lines that follow besides + 6 3 and generic AAAA: any of = @ . &')
    .option('--patched-tinydns', 'the zone is for a tinydns with the IPv6 patch, which knows 3 and 6 lines')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine (perhaps with warnings), 78 something is wrong or a file cannot be read.

Example:
  $ netsteward dyndns check /etc/tinydns/root/data`,
    )
    .action(async (files: readonly string[], flags: DyndnsCheckFlags) => {
      const { checkZones } = await import('./dyndns-check-run.ts');
      process.exitCode = await checkZones(files, flags);
    });
}
