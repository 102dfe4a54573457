/** `netsteward dnstest status`: the command line. */
import { Command } from 'commander';
import type { ModuleStatusFlags } from './module-status.ts';
import { addSocketOption } from './socket-option.ts';

/** The subcommand `status`, on its own: whoever adds it lends it the settings of the program (copyInheritedSettings). */
export function dnstestStatus(): Command {
  const command = new Command('status')
    .summary('resolvers under watch: how they answer, and what was done to them')
    .description('Asks the running netsteward for the resolvers that it watches: answers, failures, cures, history.')
    .option('--json', 'as JSON');
  return addSocketOption(command)
    .addHelpText(
      'after',
      `
A watch that was started as \`netsteward dnstest watch\` has no such socket: its log tells the same.

Example:
  $ netsteward dnstest status`,
    )
    .action(async (flags: ModuleStatusFlags) => {
      const { showDnstestStatus } = await import('./dnstest-status-run.ts');
      process.exitCode = await showDnstestStatus(flags);
    });
}
