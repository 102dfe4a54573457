/** What a parsed configuration wants to know, and to have done, of what flows: as parts of the sink (pure). */
import { listedSets } from '../system/in-use-table.ts';

/** Of `[nbrpc.sets]`: filled with all addresses of listed services, and read for those that packets went to. */
export interface UseSets {
  readonly listed4?: string | undefined;
  readonly listed6?: string | undefined;
  readonly seen4?: string | undefined;
  readonly seen6?: string | undefined;
}

/** What `[nbrpc]` says of what flows. */
export interface Flowing {
  readonly in_use: boolean;
  readonly drop_connections: boolean;
  readonly schedule: 'prompt' | 'original';
  readonly sets?: UseSets | undefined;
}

/** As parts of a sink: nothing where nothing of it is wanted. */
export interface SinkFlows {
  readonly inUse?: true;
  readonly dropConnections?: true;
}

export function sinkFlows({ in_use: inUse, drop_connections: drop }: Flowing): SinkFlows {
  return { ...(inUse ? { inUse } : {}), ...(drop ? { dropConnections: drop } : {}) };
}

/** The sets that hold all listed addresses, where use is to be told: of the own table, or as the administrator names them. */
export function listedNames(sink: SinkFlows & { readonly sets?: UseSets }): Pick<UseSets, 'listed4' | 'listed6'> {
  if (sink.inUse !== true) return {};
  return sink.sets ?? { listed4: listedSets[0].name, listed6: listedSets[1].name };
}
