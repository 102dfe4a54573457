/** What the watch of resolvers needs of the system. */
import type { Logger } from '../core/log.ts';
import type { DnsListeners } from '../system/dns-listen-ports.ts';
import type { SwitchFiles, TcpReach } from '../system/dns-watch-ports.ts';
import type { Commands, Files, Store, Uplink } from '../system/ports.ts';
import type { ResolverSpeaker } from '../system/resolver-word.ts';
import type { ProberPorts } from './prober.ts';

export interface DnsWatchPorts extends ProberPorts {
  readonly log: Logger;
  readonly commands: Commands;
  readonly uplink: Uplink;
  readonly tcp: TcpReach;
  readonly switches: SwitchFiles;
}

export interface DnstestHost extends DnsWatchPorts {
  readonly store: Store;
  /** For keys. */
  readonly files: Pick<Files, 'read'>;
  readonly listeners: DnsListeners;
  /** Tells others whether names can be believed; absent: nobody wants to know. */
  readonly speaker?: ResolverSpeaker;
}
