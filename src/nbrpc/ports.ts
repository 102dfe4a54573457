/** The ports that nbrpc uses, and the values that composition makes them from. */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { AgentLook } from '../system/agent-look.ts';
import type { DnsTransport } from '../system/dns-client-ports.ts';
import type { AddressSets, Commands, Files, HttpProbe, OutputFiles, Resolver, Store, Uplink } from '../system/ports.ts';
import type { ResolverHearer } from '../system/resolver-word.ts';
import type { NameServer, PortRange } from './config.ts';
import type { Sink } from './sink-of.ts';

export interface ResolverSetup {
  /** Absent: the system's own resolver. */
  readonly servers: readonly NameServer[] | undefined;
}

export interface ProbeSetup {
  /** PEM certificates that are trusted beside the built-in roots. */
  readonly ca: Buffer | undefined;
  /** Source ports that the marking chains leave alone. */
  readonly sourcePorts: PortRange | undefined;
}

/** A port that a reload replaces is closed where it can be. */
export type Closable<Port> = Port & { close?(): void | Promise<void> };

export interface NbrpcHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: Files;
  readonly store: Store;
  readonly uplink: Uplink;
  readonly output: OutputFiles;
  readonly commands: Commands;
  /** Absent: nobody watches resolvers. */
  readonly resolverWord?: ResolverHearer;
  openResolver(setup: ResolverSetup): Closable<Resolver> | Promise<Closable<Resolver>>;
  openProbe(setup: ProbeSetup): Closable<HttpProbe> | Promise<Closable<HttpProbe>>;
  /** For second resolvers. `ca`: as of `ProbeSetup`. */
  openDns(setup: Pick<ProbeSetup, 'ca'>): DnsTransport;
  /** A number from 0 to 65535 that nobody can foretell. */
  id(): number;
  /** `onStop`: what becomes of the sets when this process ends without a word. */
  openSets(sink: Sink, onStop: 'keep' | 'flush'): AddressSets | Promise<AddressSets>;
}

/** For `netsteward check --host`: it only reads. */
export interface NbrpcPreflightHost {
  readonly files: Files;
  /** Of this program. */
  readonly version: string;
  /** Whether the agent at the socket would take what this sink needs. */
  lookAtAgent(socket: string, sink: Sink): Promise<AgentLook>;
}
