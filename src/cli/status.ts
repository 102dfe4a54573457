/** `netsteward status`: what is rerouted, since when, why; and what is wrong. */
import type { Command } from 'commander';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

interface StatusOptions extends SocketOptions {
  readonly json?: true;
}

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
      const [{ askControl }, { renderStatus }, { print, printJson }, { NetstewardError }] = await Promise.all([
        import('./control-client.ts'),
        import('./status-view.ts'),
        import('./output.ts'),
        import('../core/errors.ts'),
      ]);
      const { status, body } = await askControl(socket, 'GET', '/status');
      if (status !== 200) throw new NetstewardError('control-failed', `${socket} answered with status ${status}`);
      const report = body as Parameters<typeof renderStatus>[0];
      if (json) printJson(body);
      else print(renderStatus(report));
      if (!report.ready) process.exitCode = 1;
    });
}
