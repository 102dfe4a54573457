/** `netsteward watch`: the status and the newest events, live in the terminal. */
import type { Command } from 'commander';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

export function registerWatch(program: Command): void {
  addSocketOption(program.command('watch'))
    .summary('watch what it does, live')
    .description(
      'Shows the status and the newest events, drawn anew every 2 seconds until Ctrl-C. Where standard output is no ' +
        'terminal, it prints the status once and then each event as a line.',
    )
    .addHelpText(
      'after',
      `
It waits for a netsteward that is not there (yet, or any more), and goes on with it.

Example:
  $ netsteward watch`,
    )
    .action(async ({ socket }: SocketOptions) => {
      const { watch } = await import('./watch-run.ts');
      await watch(socket);
    });
}
