/** `netsteward status`: what is rerouted, since when, why; and what is wrong. */
import type { Command } from 'commander';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

interface StatusOptions extends SocketOptions {
  readonly json?: true;
}

/** Milliseconds; a status costs no I/O. */
const patience = 10_000;

export function registerStatus(program: Command): void {
  addSocketOption(program.command('status'))
    .summary('show what is rerouted, since when and why')
    .description(
      'Shows what the running netsteward does: what is rerouted, since when, why, and what is wrong with it.',
    )
    .option('--json', 'print everything as JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 all modules run, 1 a module does not run, or netsteward does not.

Examples:
  $ netsteward status
  $ netsteward status --json | jq '.modules[].health.summary'`,
    )
    .action(async ({ socket, json }: StatusOptions) => {
      const [{ askControl }, { statusOf }, { renderStatus }, { print, printJson }, { exitCodes }] = await Promise.all([
        import('./control-client.ts'),
        import('./control-shapes.ts'),
        import('./status-view.ts'),
        import('./output.ts'),
        import('../core/exit-codes.ts'),
      ]);
      const answer = await askControl({ socket, method: 'GET', path: '/status', limit: patience });
      const report = statusOf(socket, answer);
      if (json) printJson(answer.body);
      else print(renderStatus(report));
      if (!report.ready) process.exitCode = exitCodes.failure;
    });
}
