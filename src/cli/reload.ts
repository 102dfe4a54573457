/** `netsteward reload`: the running netsteward reads its configuration again. */
import type { Command } from 'commander';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

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
      const [{ askControl }, { print, printError }, { exitCodes }] = await Promise.all([
        import('./control-client.ts'),
        import('./output.ts'),
        import('../core/exit-codes.ts'),
      ]);
      const { body } = await askControl(socket, 'POST', '/reload');
      const record = body as { readonly ok?: boolean; readonly problems?: readonly string[] };
      if (record.ok === true) return print('The new configuration is in force.\n');
      printError(`${(record.problems ?? ['no reason was given']).join('\n')}\n`);
      printError('The old configuration stays in force.\n');
      process.exitCode = exitCodes.config;
    });
}
