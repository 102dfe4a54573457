/** What dyndns needs of the system. */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { CommitSync, NameServer, ZoneFiles } from '../system/dyndns-ports.ts';
import type { Commands, Store } from '../system/ports.ts';

export interface DyndnsPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly zones: ZoneFiles;
  readonly store: Store;
  readonly commitSync: CommitSync;
  readonly commands: Commands;
  readonly nameServer: NameServer;
}
