/** Whether this process may have a real-time priority: tried for a moment, as with its nice value. */
import { leaveRealtime, takeRealtime } from './realtime.ts';

/** Gives why not; the priority is the usual one afterwards. */
export function realtimeProblem(): string | undefined {
  const problem = takeRealtime();
  leaveRealtime();
  return problem;
}
