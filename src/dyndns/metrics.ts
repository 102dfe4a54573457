/** Metrics of dyndns (pure). */
import { byLabel, type Metric, type MetricDefinition, measured, timestamp } from '../core/metrics.ts';
import type { DyndnsDetail } from './status.ts';

export const dyndnsMetrics = {
  records: {
    name: 'netsteward_dyndns_records',
    help: 'Records of the zone files that keys may move.',
    type: 'gauge',
    unit: 'records',
    labels: [],
  },
  received: {
    name: 'netsteward_dyndns_packets_received_total',
    help: 'Packets that came in.',
    type: 'counter',
    unit: 'packets',
    labels: [],
  },
  packets: {
    name: 'netsteward_dyndns_packets_total',
    help: 'What became of packets: accepted, or why they were refused.',
    type: 'counter',
    unit: 'packets',
    labels: ['outcome'],
  },
  heard: {
    name: 'netsteward_dyndns_name_heard_timestamp_seconds',
    help: 'When the newest packet of a key that may move this name was accepted, at most 200 names.',
    type: 'gauge',
    unit: 'seconds since the epoch',
    labels: ['name', 'family'],
  },
} as const satisfies Record<string, MetricDefinition>;

export function metricsOf({ names, nameCount, packets }: DyndnsDetail): readonly Metric[] {
  const { received = 0, ...outcomes } = packets;
  const heard = new Map<string, { labels: { name: string; family: string }; value: number }>();
  for (const { name, address, heardAt } of names) {
    const family = address.includes(':') ? '6' : '4';
    for (const { value } of timestamp(heardAt)) {
      const before = heard.get(`${family} ${name}`)?.value ?? 0;
      heard.set(`${family} ${name}`, { labels: { name, family }, value: Math.max(value, before) });
    }
  }
  return [
    measured(dyndnsMetrics.records, nameCount),
    measured(dyndnsMetrics.received, received),
    measured(dyndnsMetrics.packets, byLabel('outcome', outcomes)),
    measured(dyndnsMetrics.heard, [...heard.values()]),
  ];
}
