/** Metrics in Prometheus' text format: for the control socket and the page. */
import { Counter, Gauge, type Metric as RegisteredMetric, Registry } from 'prom-client';
import type { Metric } from '../core/metrics.ts';
import type { ModuleName } from '../core/module.ts';
import type { EventFeed } from './events-feed.ts';
import { metricsOf, type ProcessFigures } from './metrics.ts';
import type { StatusReport } from './status-report.ts';

/** Makes metrics of a module's own picture (`health().detail`); it may throw where that is not of the shape that it knows. */
export type ModuleMetrics = (detail: unknown) => readonly Metric[];

export interface MetricsSources {
  readonly status: () => Promise<StatusReport>;
  readonly feed: Pick<EventFeed, 'counts'>;
  readonly loop: { readonly worst: number };
  readonly figures: () => ProcessFigures;
  /** Loads the code of just the modules that run. */
  readonly modules: ReadonlyMap<ModuleName, () => Promise<ModuleMetrics>>;
}

/** Asks every module how it is first, which takes seconds at most. */
export async function renderMetrics({ status, feed, loop, figures, modules }: MetricsSources): Promise<string> {
  const report = await status();
  const own = metricsOf(report, { ...figures(), events: feed.counts(), loopDelay: loop.worst });
  const theirs: Metric[] = [];
  for (const { name, health } of report.modules) {
    if (health?.detail === undefined) continue;
    const load = modules.get(name);
    if (load === undefined) continue;
    const metrics = await load();
    try {
      theirs.push(...metrics(health.detail));
    } catch {
      // A module that has just begun has no picture yet; the metrics of the others are as true without it.
    }
  }
  return renderText([...own, ...theirs]);
}

/** A metric without samples is left out. */
export function renderText(metrics: readonly Metric[]): Promise<string> {
  // One for each answer: what is no more must not be told any longer.
  const registry = new Registry();
  for (const metric of metrics) {
    const { name, help, type, labels, samples } = metric;
    if (samples.length === 0) continue;
    if (type === 'histogram') {
      registry.registerMetric(ready(metric));
      continue;
    }
    const configuration = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === 'counter') {
      const counter = new Counter(configuration);
      for (const sample of samples) counter.inc(sample.labels, sample.value);
    } else {
      const gauge = new Gauge(configuration);
      for (const sample of samples) gauge.set(sample.labels, sample.value);
    }
  }
  return registry.metrics();
}

/** prom-client's own histogram only counts what it sees itself; what it asks of a metric is its values. */
function ready({ name, help, samples }: Metric): RegisteredMetric {
  const values = samples.map(({ labels, value, series }) => ({ labels, value, metricName: `${name}_${series}` }));
  const get = async (): Promise<object> => ({ name, help, type: 'histogram', values, aggregator: 'sum' });
  return { name, get } as unknown as RegisteredMetric;
}
