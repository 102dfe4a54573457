/** nbrpc, the name-based routing policy controller: services that are blocked on the direct route go through a tunnel. */
import type { ModuleDefinition } from '../core/module.ts';
import { type NbrpcConfig, parseNbrpc } from './config.ts';
import type { NbrpcHost, NbrpcPreflightHost } from './ports.ts';
import { preflight } from './preflight.ts';
import { RunningNbrpc } from './running.ts';

export { type NameServer, type NbrpcConfig, type PortRange, type Sink, sinkOf } from './config.ts';
export type { RunningDetail } from './health.ts';
export type { NbrpcHost, NbrpcPreflightHost, ProbeSetup, ResolverSetup } from './ports.ts';
export type { Reaction, ReactionKind, ReactionsStatus } from './reaction-times.ts';
export type { CauseStatus } from './reason-record.ts';
export { setNames } from './sink.ts';
export type { AddressStatus, ExitStatus, HostStatus, Standing } from './status.ts';

export const nbrpcModule: ModuleDefinition<NbrpcConfig, NbrpcHost, NbrpcPreflightHost> = {
  name: 'nbrpc',
  parse: parseNbrpc,
  preflight,
  start: (config, host, signal) => RunningNbrpc.start(config, host, signal),
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
