/** docs/metrics.md, made from the definitions (pure). */
import type { MetricDefinition } from '../core/metrics.ts';

export function metricsReference(all: ReadonlyMap<string, readonly MetricDefinition[]>): string {
  return `# What does netsteward measure?

Made from the source by \`netsteward metrics --reference\`; a test holds this page against it.

\`netsteward metrics\` prints all of it in Prometheus' text format, and so does \`GET /metrics\` on the control socket:

\`\`\`
curl --unix-socket /run/netsteward/control.sock http://localhost/metrics
\`\`\`

Labels that come from outside (services, units, names) have at most 200 values in one metric. A metric without any value is left
out: \`absent()\` finds it. \`packaging/\` has a dashboard for Grafana and alert rules for Prometheus.
${[...all].map(([name, definitions]) => section(name, definitions)).join('')}`;
}

function section(name: string, definitions: readonly MetricDefinition[]): string {
  const rows = definitions.map(
    ({ name: metric, type, unit, labels, help }) =>
      `| \`${metric}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ') || '—'} | ${unit} | ${help} |`,
  );
  const title = name === 'netsteward' ? 'The service' : `\`${name}\``;
  return `\n## ${title}\n\n| metric | type | labels | unit | |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}
