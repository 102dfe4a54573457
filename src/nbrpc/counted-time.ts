/** Time as grace periods count it: only while runs counted, measured by the monotonic clock (pure but for its own memory). */

import type { State } from './state.ts';

/** Kept in the state file. Seconds. */
export interface Timeline {
  /** Where counted time stood after the last run that counted; 0 before the first one. */
  readonly counted: number;
  /** Wall clock less counted time at that moment: the drop-in counts on from here by the wall clock. */
  readonly lost: number;
}

export const freshTimeline: Timeline = { counted: 0, lost: 0 };

/** What counts of the time between two runs: nothing if the first one did not count, and never more than `most`. */
export class CountedTime {
  #last: number | undefined;

  /** Seconds to add for a run at this time; both in milliseconds of the monotonic clock. */
  since(monotonic: number, most: number): number {
    if (this.#last === undefined) return 0;
    return Math.min(most, Math.max(0, monotonic - this.#last)) / 1000;
  }

  /** To be told of each run once it is saved. */
  ran(monotonic: number, counts: boolean): void {
    this.#last = counts ? monotonic : undefined;
  }
}

/** Counted time never stands before a moment that it has given to a host: the drop-in goes on by the wall clock. */
export function countedStart(state: State): number {
  let { counted } = state.timeline;
  for (const { record } of state.hosts()) counted = Math.max(counted, record.changedCounted, record.failingCounted);
  return counted;
}
