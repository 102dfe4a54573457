/** Whether this process may have a priority: tried for a moment, since limits, capabilities and user namespaces all have a say. */
import { getPriority } from 'node:os';
import { setNice } from './priority.ts';

/** `nice`: -20 (first) to 19 (last). Gives why not; the priority is what it was afterwards. */
export function niceProblem(nice: number): string | undefined {
  const before = getPriority();
  const problem = setNice(nice);
  // Back to a lower one, which nobody is refused; a higher one has been had before.
  setNice(before);
  return problem;
}
