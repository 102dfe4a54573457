/** How long to wait before the next try: doubling from a first delay up to a longest one (pure). */

export interface Backoff {
  /** Milliseconds before the second try. */
  readonly first: number;
  /** No delay is longer than this, in milliseconds. */
  readonly most: number;
  /** What each further failure multiplies the delay with; 2 where absent. */
  readonly factor?: number;
}

/** Milliseconds to wait after the `failures`-th failure in a row (1, 2, …); 0 where there was none. */
export function backoffDelay(failures: number, { first, most, factor = 2 }: Backoff): number {
  if (failures <= 0) return 0;
  return Math.min(most, first * factor ** (failures - 1));
}
