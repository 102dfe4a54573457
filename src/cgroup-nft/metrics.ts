/** Metrics of cgroup-nft (pure). */
import { type Metric, type MetricDefinition, type MetricSample, measured, mostSamples } from '../core/metrics.ts';
import type { CgroupNftDetail, UnitEntry } from './status.ts';

const counter = (what: 'packets' | 'bytes') =>
  ({
    name: `netsteward_cgroup_nft_unit_${what}_total`,
    help: `What a rule or group has counted of a unit (${what}); it begins anew when its rule does. At most ${mostSamples} units.`,
    type: 'counter',
    unit: what,
    labels: ['unit', 'of'],
  }) as const satisfies MetricDefinition;

export const cgroupNftMetrics = {
  cgroups: {
    name: 'netsteward_cgroup_nft_cgroups',
    help: 'Living cgroups that rules or groups are about.',
    type: 'gauge',
    unit: 'cgroups',
    labels: [],
  },
  lacking: {
    name: 'netsteward_cgroup_nft_lacking_cgroups',
    help: 'Cgroups with a rule that is not in force: its chain or set is missing, or nft refused it. Of the newest 1000.',
    type: 'gauge',
    unit: 'cgroups',
    labels: [],
  },
  waiting: {
    name: 'netsteward_cgroup_nft_waiting_rules',
    help: 'Rules whose unit does not run now.',
    type: 'gauge',
    unit: 'rules',
    labels: [],
  },
  watches: {
    name: 'netsteward_cgroup_nft_watches',
    help: 'Directories of the cgroup tree that inotify watches.',
    type: 'gauge',
    unit: 'directories',
    labels: [],
  },
  journal: {
    name: 'netsteward_cgroup_nft_journal_lost',
    help: '1 while the journal is needed and cannot be read.',
    type: 'gauge',
    unit: '0 or 1',
    labels: [],
  },
  margin: {
    name: 'netsteward_cgroup_nft_least_margin_seconds',
    help: 'How long before its process a rule was in the kernel, at the worst of the living units; negative: too late.',
    type: 'gauge',
    unit: 'seconds',
    labels: [],
  },
  packets: counter('packets'),
  bytes: counter('bytes'),
} as const satisfies Record<string, MetricDefinition>;

export function metricsOf({ entries, more, waiting, watches, journal }: CgroupNftDetail): readonly Metric[] {
  const margins = entries.flatMap(({ margin }) => margin ?? []);
  const least = margins.length === 0 ? [] : [{ labels: {}, value: Math.min(...margins) / 1000 }];
  return [
    measured(cgroupNftMetrics.cgroups, entries.length + more),
    measured(cgroupNftMetrics.lacking, entries.filter(({ lacking }) => lacking.length > 0).length),
    measured(cgroupNftMetrics.waiting, waiting.length),
    measured(cgroupNftMetrics.watches, watches),
    measured(cgroupNftMetrics.journal, journal === 'lost' ? 1 : 0),
    measured(cgroupNftMetrics.margin, least),
    measured(cgroupNftMetrics.packets, counted(entries, 'packets')),
    measured(cgroupNftMetrics.bytes, counted(entries, 'bytes')),
  ];
}

/** By unit, which is the last part of the path; several cgroups of one name (of users) are added up. */
function counted(entries: readonly UnitEntry[], what: 'packets' | 'bytes'): readonly MetricSample[] {
  const sums = new Map<string, { labels: { unit: string; of: string }; value: number }>();
  for (const { path, counters } of entries) {
    const unit = path.split('/').at(-1) ?? path;
    for (const each of counters) {
      const key = JSON.stringify([unit, each.of]);
      const before = sums.get(key)?.value ?? 0;
      sums.set(key, { labels: { unit, of: each.of }, value: before + each[what] });
    }
  }
  // Always the same units, as long as they live.
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sample]) => sample);
}
