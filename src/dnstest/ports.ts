/** What the watch of resolvers needs of the system. */
import type { Logger } from '../core/log.ts';
import type { SwitchFiles, TcpReach } from '../system/dns-watch-ports.ts';
import type { Commands, Store, Uplink } from '../system/ports.ts';
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
}
