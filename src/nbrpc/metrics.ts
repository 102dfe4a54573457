/** Metrics of nbrpc (pure). */
import { byLabel, histogram, type Metric, type MetricDefinition, measured, timestamp } from '../core/metrics.ts';
import type { AddressSetsStatus } from '../system/ports.ts';
import { reactionBounds, reactionKinds } from './reaction-times.ts';
import type { ExitStatus, NbrpcDetail } from './status.ts';

export const nbrpcMetrics = {
  services: {
    name: 'netsteward_nbrpc_services',
    help: 'Services of the check lists, by where they stand (dropped, rerouted, failing, unchecked, unresolved, waiting, ok).',
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
  causes: {
    name: 'netsteward_nbrpc_service_causes',
    help: 'Services that fail in a known way, routed around or not, by the step at which they do (name, connect, tls, http, transfer).',
    type: 'gauge',
    unit: 'services',
    labels: ['kind'],
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
  exitUp: {
    name: 'netsteward_nbrpc_exit_up',
    help: 'Whether each configured exit works: one, or zero.',
    type: 'gauge',
    unit: '0 or 1',
    labels: ['exit'],
  },
  exitAddresses: {
    name: 'netsteward_nbrpc_exit_addresses',
    help: 'Addresses that go through each configured exit, as the kernel holds them.',
    type: 'gauge',
    unit: 'addresses',
    labels: ['exit'],
  },
  exitLatency: {
    name: 'netsteward_nbrpc_exit_check_seconds',
    help: 'Median time of the last checks that worked through each configured exit.',
    type: 'gauge',
    unit: 'seconds',
    labels: ['exit'],
  },
  reactions: {
    name: 'netsteward_nbrpc_reaction_seconds',
    help: 'From the first check that told to the change of route in the kernel, by kind (reroute, release, fail-over).',
    type: 'histogram',
    unit: 'seconds',
    labels: ['kind'],
  },
  inUse: {
    name: 'netsteward_nbrpc_addresses_in_use',
    help: 'Listed addresses that packets went to lately, which are checked first (with nbrpc.in_use).',
    type: 'gauge',
    unit: 'addresses',
    labels: [],
  },
  connectionsDropped: {
    name: 'netsteward_nbrpc_connections_dropped_total',
    help: 'Connections that were dropped because their address has changed its route (with nbrpc.drop_connections).',
    type: 'counter',
    unit: 'connections',
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

/** `sets`: nft-agent's account of connections, where it has one. */
export function metricsOf(
  detail: NbrpcDetail & { readonly sets?: Pick<AddressSetsStatus, 'connections'> },
): readonly Metric[] {
  const { byStanding, byState, byCause, blocked, lastPass, nextPass, hosts, exits, reactions } = detail;
  const ofExits = (value: (exit: ExitStatus) => number | null) =>
    exits.flatMap((exit) => {
      const found = value(exit);
      return found === null ? [] : [{ labels: { exit: exit.name }, value: found }];
    });
  const rerouted = hosts.filter((host) => host.rerouted).map(({ name }) => ({ labels: { service: name }, value: 1 }));
  return [
    measured(nbrpcMetrics.services, byLabel('standing', byStanding)),
    measured(nbrpcMetrics.states, byLabel('state', byState)),
    measured(nbrpcMetrics.causes, byLabel('kind', byCause)),
    measured(nbrpcMetrics.rerouted, rerouted),
    measured(nbrpcMetrics.addresses, blocked),
    measured(
      nbrpcMetrics.exitUp,
      ofExits(({ works }) => (works ? 1 : 0)),
    ),
    measured(
      nbrpcMetrics.exitAddresses,
      ofExits(({ addresses }) => addresses),
    ),
    measured(
      nbrpcMetrics.exitLatency,
      ofExits(({ latency }) => (latency === null ? null : latency / 1000)),
    ),
    histogram(
      nbrpcMetrics.reactions,
      reactionBounds,
      reactions === undefined
        ? []
        : reactionKinds.map((kind) => {
            const { classes: counts, sum } = reactions.byKind[kind];
            return { labels: { kind }, counts, sum };
          }),
    ),
    measured(nbrpcMetrics.inUse, detail.inUse === undefined ? [] : detail.inUse),
    measured(
      nbrpcMetrics.connectionsDropped,
      detail.sets?.connections === undefined ? [] : detail.sets.connections.dropped,
    ),
    measured(nbrpcMetrics.lastPass, timestamp(lastPass)),
    measured(nbrpcMetrics.nextPass, timestamp(nextPass)),
  ];
}
