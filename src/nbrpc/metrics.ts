/** Metrics of nbrpc (pure). */
import { byLabel, type Metric, type MetricDefinition, measured, timestamp } from '../core/metrics.ts';
import type { NbrpcDetail } from './status.ts';

export const nbrpcMetrics = {
  services: {
    name: 'netsteward_nbrpc_services',
    help: 'Services of the check lists, by where they stand (rerouted, failing, unchecked, unresolved, waiting, ok).',
    type: 'gauge',
    unit: 'services',
    labels: ['standing'],
  },
  states: {
    name: 'netsteward_nbrpc_service_states',
    help: 'Services by what their checks on the direct route say (ok, failing, unstable, na, unknown).',
    type: 'gauge',
    unit: 'services',
    labels: ['state'],
  },
  rerouted: {
    name: 'netsteward_nbrpc_service_rerouted',
    help: 'One for each service that goes through the tunnel, at most 200 of them.',
    type: 'gauge',
    unit: 'always 1',
    labels: ['service'],
  },
  addresses: {
    name: 'netsteward_nbrpc_rerouted_addresses',
    help: 'Addresses that go through the tunnel, as the kernel holds them.',
    type: 'gauge',
    unit: 'addresses',
    labels: [],
  },
  lastPass: {
    name: 'netsteward_nbrpc_last_pass_timestamp_seconds',
    help: 'When a pass last began all its checks.',
    type: 'gauge',
    unit: 'seconds since the epoch',
    labels: [],
  },
  nextPass: {
    name: 'netsteward_nbrpc_next_pass_timestamp_seconds',
    help: 'When the next pass is due.',
    type: 'gauge',
    unit: 'seconds since the epoch',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;

export function metricsOf(detail: NbrpcDetail): readonly Metric[] {
  const { byStanding, byState, blocked, lastPass, nextPass, hosts } = detail;
  const rerouted = hosts.filter((host) => host.rerouted).map(({ name }) => ({ labels: { service: name }, value: 1 }));
  return [
    measured(nbrpcMetrics.services, byLabel('standing', byStanding)),
    measured(nbrpcMetrics.states, byLabel('state', byState)),
    measured(nbrpcMetrics.rerouted, rerouted),
    measured(nbrpcMetrics.addresses, blocked),
    measured(nbrpcMetrics.lastPass, timestamp(lastPass)),
    measured(nbrpcMetrics.nextPass, timestamp(nextPass)),
  ];
}
