/** `netsteward dyndns status`: the command line. */
import type { Command } from 'commander';
import type { ModuleStatusFlags } from './module-status.ts';
import { addSocketOption } from './socket-option.ts';

export function registerDyndnsStatus(parent: Command): void {
  const command = parent
    .command('status')
    .summary('names, their addresses, and who moved them when')
    .description('Asks the running netsteward for the names that it keeps, their addresses, keys and last updates.')
    .option('--json', 'as JSON');
  addSocketOption(command)
    .addHelpText(
      'after',
      `
A server that was started as \`netsteward dyndns serve\` has no such socket: \`netsteward dyndns check ZONE\` shows its zone.

Example:
  $ netsteward dyndns status`,
    )
    .action(async (flags: ModuleStatusFlags) => {
      const { showDyndnsStatus } = await import('./dyndns-status-run.ts');
      process.exitCode = await showDyndnsStatus(flags);
    });
}
