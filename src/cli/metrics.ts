/** `netsteward metrics`: what is measured, in Prometheus' text format. */
import type { Command } from 'commander';
import { addSocketOption, type SocketOptions } from './socket-option.ts';

interface MetricsOptions extends SocketOptions {
  readonly reference?: true;
}

/** Milliseconds: each module is asked first. */
const patience = 10_000;

export function registerMetrics(program: Command): void {
  addSocketOption(program.command('metrics'))
    .summary('print what is measured, for Prometheus')
    .description("Prints what the running netsteward measures, in Prometheus' text format.")
    .option('--reference', 'explain every metric instead, as Markdown')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 netsteward cannot be reached.

Example, for the textfile collector of Prometheus' node exporter:
  $ netsteward metrics > netsteward.prom.new && mv netsteward.prom.new netsteward.prom`,
    )
    .action(async ({ socket, reference }: MetricsOptions) => {
      const { print } = await import('./output.ts');
      if (reference) {
        const { allMetrics } = await import('./metrics-modules.ts');
        const { metricsReference } = await import('./metrics-reference.ts');
        return print(metricsReference(await allMetrics()));
      }
      const { controlLines } = await import('./events-stream.ts');
      const lines: string[] = [];
      // As a whole or not at all: half of it would be taken for all.
      for await (const line of controlLines({ socket, path: '/metrics', limit: patience })) lines.push(`${line}\n`);
      print(lines.join(''));
    });
}
