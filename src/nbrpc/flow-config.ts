/** The keys of `[nbrpc]` about what flows: `in_use`, `drop_connections`, and the administrator's sets that tell of use. */
import * as v from 'valibot';
import { listedSets } from '../system/in-use-table.ts';

/** To be spread into the schema of `[nbrpc]`. */
export const flowKeys = {
  in_use: v.optional(v.boolean('must be true or false'), false),
  drop_connections: v.optional(v.boolean('must be true or false'), false),
};

/** Of `[nbrpc.sets]`: filled with all addresses of listed services, and read for those that packets went to. */
export interface UseSets {
  readonly listed4?: string | undefined;
  readonly listed6?: string | undefined;
  readonly seen4?: string | undefined;
  readonly seen6?: string | undefined;
}

interface Flowing {
  readonly in_use: boolean;
  readonly drop_connections: boolean;
  readonly schedule: 'prompt' | 'original';
  readonly sets?: UseSets | undefined;
}

export interface FlowProblem {
  readonly path: readonly ['in_use'];
  readonly message: string;
}

/** What these keys say against others. */
export function flowProblems({ in_use: inUse, schedule, sets }: Flowing): readonly FlowProblem[] {
  if (!inUse) return [];
  if (schedule === 'original') {
    return [{ path: ['in_use'], message: 'needs schedule = "prompt": the original schedule asks all alike' }];
  }
  if (sets !== undefined && sets.seen4 === undefined && sets.seen6 === undefined) {
    const message = 'needs nbrpc.sets.seen4 or seen6, a set that your ruleset notes packets to listed addresses in';
    return [{ path: ['in_use'], message }];
  }
  return [];
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
