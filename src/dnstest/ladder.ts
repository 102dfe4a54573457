/** Which cure is next: each once, from the mildest on, then a rest that gets longer and longer (pure). */
import { backoffDelay } from '../core/backoff.ts';

/** Milliseconds. */
export interface Patience {
  /** After every cure was tried: until they may be tried again, doubling up to `longestRest`. */
  readonly rest: number;
  readonly longestRest: number;
  /** A resolver that was well for so long is cured: its next failure begins with the first cure again. */
  readonly calm: number;
}

/** Plain data, so that it can be kept in a file. Times are of the clock that the caller uses throughout. */
export interface Ladder {
  /** Index of the cure that is next. */
  readonly next: number;
  /** Rests in a row, without a calm time between them. */
  readonly rests: number;
  readonly restUntil: number | undefined;
  /** Since when every check was good. */
  readonly wellSince: number | undefined;
}

export type Turn = { readonly cure: number } | { readonly rest: number };

export const foot: Ladder = { next: 0, rests: 0, restUntil: undefined, wellSince: undefined };

export function well(ladder: Ladder, now: number): Ladder {
  return ladder.wellSince === undefined ? { ...ladder, wellSince: now } : ladder;
}

/**
 * The resolver fails: what to do now. A relapse within the calm time goes on where the ladder was, because the cure that seemed
 * to help did not; so however a resolver behaves, each cure runs once per rest or calm time.
 */
export function turn(
  ladder: Ladder,
  cures: number,
  now: number,
  { rest, longestRest, calm }: Patience,
): { readonly ladder: Ladder; readonly turn: Turn } {
  const { wellSince } = ladder;
  let { next, rests, restUntil } = wellSince !== undefined && now - wellSince >= calm ? foot : ladder;
  if (restUntil !== undefined) {
    if (now < restUntil) return { ladder: { next, rests, restUntil, wellSince: undefined }, turn: { rest: restUntil } };
    next = 0;
    restUntil = undefined;
  }
  if (next < cures) {
    return { ladder: { next: next + 1, rests, restUntil, wellSince: undefined }, turn: { cure: next } };
  }
  rests += 1;
  restUntil = now + backoffDelay(rests, { first: rest, most: longestRest });
  return { ladder: { next, rests, restUntil, wellSince: undefined }, turn: { rest: restUntil } };
}
