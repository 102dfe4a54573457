/** `netsteward reload`: the running netsteward reads its configuration again. */
import type { Command } from 'commander';
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
    .addHelpText(
      'after',
      `
Exit codes: 0 the new configuration is in force, 1 netsteward cannot be reached, 78 the old one stays in force.

Example:
  $ netsteward check && netsteward reload`,
    )
    .action(async ({ socket }: SocketOptions) => {
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
