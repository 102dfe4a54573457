/** nbrpc, the name-based routing policy controller: services that are blocked on the direct route go through a tunnel. */
import type { ModuleDefinition } from '../core/module.ts';
import type { NbrpcConfig } from './config.ts';
import type { NbrpcHost, NbrpcPreflightHost } from './ports.ts';

export type { NameServer, NbrpcConfig, PortRange } from './config.ts';
export type { RunningDetail } from './health.ts';
export type { NbrpcHost, NbrpcPreflightHost, ProbeSetup, ResolverSetup } from './ports.ts';
export type { Reaction, ReactionKind, ReactionsStatus } from './reaction-times.ts';
export type { CauseStatus } from './reason-record.ts';
export { setNames } from './sink.ts';
export { type Sink, sinkOf } from './sink-of.ts';
export type { AddressStatus, ExitStatus, HostStatus, Standing } from './status.ts';

export const nbrpcModule: ModuleDefinition<NbrpcConfig, NbrpcHost, NbrpcPreflightHost> = {
  name: 'nbrpc',
  // The supervisor reads its configuration and looks at the machine, the thread or process of its own runs it: each loads its part.
  parse: async (table) => (await import('./config.ts')).parseNbrpc(table),
  preflight: async (config, host) => (await import('./preflight.ts')).preflight(config, host),
  start: async (config, host, signal) => (await import('./running.ts')).RunningNbrpc.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const nbrpcPaths: readonly string[] = [
  'check_lists.*',
  'state',
  'agent',
  'check.ca_file',
  'state_log.file',
  'zone.*.file',
];
