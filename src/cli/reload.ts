/** `netsteward reload`: the running netsteward reads its configuration again. */
import type { Command } from 'commander';
import type { ExitCode } from '../core/exit-codes.ts';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

/** Milliseconds: each module may take some seconds to give back what it holds and to take the new. */
const patience = 60_000;

export function registerReload(program: Command): void {
  addSocketOption(program.command('reload'))
    .summary('make the running netsteward read its configuration again')
    .description(
      'Makes the running netsteward read its configuration again. It looks at all of it first; ' +
        'where there is any problem nothing changes, and the problems are printed.',
    )
    .option('--dry-run', 'change nothing, but show which services of nbrpc would change their route')
    .addHelpText(
      'after',
      `
Exit codes: 0 the new configuration is in force, 1 netsteward cannot be reached, 78 the old one stays in force.

Example:
  $ netsteward check && netsteward reload --dry-run
  $ netsteward reload`,
    )
    .action(async ({ socket, dryRun }: SocketOptions & { readonly dryRun?: true }) => {
      if (dryRun === true) {
        process.exitCode = await dryReload(socket);
        return;
      }
      const [{ askControl }, { reloadRecordOf }, { print, printError }, { printable }, { exitCodes }] =
        await Promise.all([
          import('./control-client.ts'),
          import('./control-shapes.ts'),
          import('./output.ts'),
          import('../core/printable.ts'),
          import('../core/exit-codes.ts'),
        ]);
      const answer = await askControl({ socket, method: 'POST', path: '/reload', limit: patience });
      const { ok, problems } = reloadRecordOf(socket, answer);
      if (ok) return print('The new configuration is in force.\n');
      printError(`${problems.map(printable).join('\n')}\nThe old configuration stays in force.\n`);
      process.exitCode = exitCodes.config;
    });
}

/** By the file that the running netsteward reads; what it was told by --set is not known here. */
async function dryReload(socket: string): Promise<ExitCode> {
  const [{ askControl }, { statusOf }, { showPlan }] = await Promise.all([
    import('./control-client.ts'),
    import('./control-shapes.ts'),
    import('./nbrpc-plan-run.ts'),
  ]);
  const { config } = statusOf(socket, await askControl({ socket, method: 'GET', path: '/status', limit: patience }));
  return showPlan({ socket, config, set: [] });
}
