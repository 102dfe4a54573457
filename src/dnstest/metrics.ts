/** Metrics of dnstest (pure). */
import { byLabel, histogram, type Metric, type MetricDefinition, measured } from '../core/metrics.ts';
import type { DnstestDetail, ResolverEntry } from './status.ts';

export const dnstestMetrics = {
  failing: {
    name: 'netsteward_dnstest_resolver_failing',
    help: '1 while the resolver counts as failing.',
    type: 'gauge',
    unit: '0 or 1',
    labels: ['resolver'],
  },
  latency: {
    name: 'netsteward_dnstest_last_check_duration_seconds',
    help: 'How long the last check of the resolver took.',
    type: 'gauge',
    unit: 'seconds',
    labels: ['resolver'],
  },
  answers: {
    name: 'netsteward_dnstest_right_answer_duration_seconds',
    help: 'How long right answers of the resolver took.',
    type: 'histogram',
    unit: 'seconds',
    labels: ['resolver'],
  },
  checks: {
    name: 'netsteward_dnstest_checks_total',
    help: 'Checks of the resolver.',
    type: 'counter',
    unit: 'checks',
    labels: ['resolver'],
  },
  failures: {
    name: 'netsteward_dnstest_check_failures_total',
    help: 'Checks of the resolver that failed, by kind of failure.',
    type: 'counter',
    unit: 'checks',
    labels: ['resolver', 'kind'],
  },
  served: {
    name: 'netsteward_dnstest_served_queries_total',
    help: 'Messages to the server of the test zone, by transport of the answer; silent for those without one.',
    type: 'counter',
    unit: 'messages',
    labels: ['outcome'],
  },
} as const satisfies Record<string, MetricDefinition>;

export function metricsOf({ resolvers, bounds, serve }: DnstestDetail): readonly Metric[] {
  const each = (value: (entry: ResolverEntry) => number | null) =>
    resolvers.flatMap((entry) => {
      const found = value(entry);
      return found === null ? [] : [{ labels: { resolver: entry.resolver }, value: found }];
    });
  const failures = resolvers.flatMap(({ resolver, failures: kinds }) =>
    Object.entries(kinds).map(([kind, value]) => ({ labels: { resolver, kind }, value })),
  );
  return [
    measured(
      dnstestMetrics.failing,
      each(({ phase }) => (phase === 'failing' ? 1 : 0)),
    ),
    measured(
      dnstestMetrics.latency,
      each(({ latency }) => (latency === null ? null : latency / 1000)),
    ),
    histogram(
      dnstestMetrics.answers,
      bounds.map((bound) => bound / 1000),
      resolvers.map(({ resolver, histogram: counts, sum }) => ({ labels: { resolver }, counts, sum: sum / 1000 })),
    ),
    measured(
      dnstestMetrics.checks,
      each(({ checks }) => checks),
    ),
    measured(dnstestMetrics.failures, failures),
    measured(
      dnstestMetrics.served,
      serve === null ? [] : byLabel('outcome', { ...serve.answered, silent: serve.silent }),
    ),
  ];
}
