/** Finds out what of many things nft refuses, and leaves the rest. */
import { refusalOf } from '../system/nft-error.ts';
import { nextTurn } from './work-loop.ts';

/** nft's own words for a cgroup that does not exist (src/datatype.c). */
const pathFails = 'cgroupv2 path fails';

/** Whether nft refused it because a cgroup in it is gone by now: no fault of what was asked. */
export function lacksCgroup(error: unknown): boolean {
  return error instanceof Error && error.message.includes(pathFails);
}

/** Whether nft has understood what was asked and said no: a child that died, or a missing right, is no fault of a rule. */
export function isRefusal(error: unknown): boolean {
  const refusal = refusalOf(error);
  return refusal !== undefined && refusal !== 'died' && refusal !== 'not-permitted';
}

/** nft's complaint; below it nft shows the whole transaction. */
export function complaintOf(error: unknown): string {
  const [first = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
  return first;
}

/**
 * The things that `check` takes, in order; `refused` is told of the others one by one. Halves what is refused until the
 * culprits stand alone: 10 000 rules with a bad one take some 14 checks more, not 10 000.
 */
export async function sift<Thing>(
  things: readonly Thing[],
  check: (things: readonly Thing[]) => Promise<void>,
  refused: (thing: Thing, error: unknown) => void,
): Promise<readonly Thing[]> {
  if (things.length === 0) return [];
  // Each check may take milliseconds, and others wait.
  await nextTurn();
  try {
    await check(things);
    return things;
  } catch (error) {
    const [only, ...more] = things;
    if (only !== undefined && more.length === 0) {
      refused(only, error);
      return [];
    }
    const middle = things.length >> 1;
    const first = await sift(things.slice(0, middle), check, refused);
    return [...first, ...(await sift(things.slice(middle), check, refused))];
  }
}
