/** `netsteward page`: where the status page is, and how to get there. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

/** Milliseconds: each module is asked first. */
const patience = 10_000;

export function registerPage(program: Command): void {
  addSocketOption(program.command('page'))
    .summary('print where the status page is')
    .description(
      'Prints the address of the status page of the running netsteward; for a page on a unix socket, the command that ' +
        'opens the way to it.',
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 netsteward cannot be reached, or its page is off.

Example:
  $ netsteward page`,
    )
    .action(async ({ socket }: SocketOptions) => {
      const { print } = await import('./output.ts');
      const { wayTo, runningPage } = await import('../supervisor/page/where.ts');
      const { askControl } = await import('./control-client.ts');
      const { statusOf } = await import('./control-shapes.ts');
      const report = statusOf(socket, await askControl({ socket, method: 'GET', path: '/status', limit: patience }));
      print(
        wayTo(runningPage(report), hostname())
          .map((line) => `${line}\n`)
          .join(''),
      );
    });
}
