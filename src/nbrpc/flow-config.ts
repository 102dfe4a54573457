/** The keys of `[nbrpc]` about what flows: `in_use`, `drop_connections`, and the administrator's sets that tell of use. */
import * as v from 'valibot';
import type { Flowing } from './flows.ts';

/** To be spread into the schema of `[nbrpc]`. */
export const flowKeys = {
  in_use: v.optional(v.boolean('must be true or false'), false),
  drop_connections: v.optional(v.boolean('must be true or false'), false),
};

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
