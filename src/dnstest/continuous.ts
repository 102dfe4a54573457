/** The continuous mode: when to check next, and when failed checks are a failure of the resolver (pure). */

/** Milliseconds. */
export interface Rhythm {
  /** From the end of a good check to the next one. */
  readonly interval: number;
  /** Checks after a failed one; 0: the first failed check is the failure. */
  readonly retries: number;
  /** The retries are spread over this, the time that checks themselves take not counted. */
  readonly timeout: number;
}

export type Continuous =
  | { readonly phase: 'steady' }
  /** After a failed check. `left`: retries to come, from 1; `mended`: one of the retries was good. */
  | { readonly phase: 'doubt'; readonly left: number; readonly mended: boolean };

/** `flapping`: failed again after a good retry; `lasting`: no retry was good (or there is none). */
export type FailedHow = 'flapping' | 'lasting';

export interface Step {
  readonly state: Continuous;
  readonly next: { readonly checkAt: number } | { readonly failed: FailedHow };
}

export const steady: Continuous = { phase: 'steady' };

/**
 * After a check that ended at `now` (monotonic, ms). Recovery needs all the retries that are left to be good, and the next
 * check follows it at once (contracts/dnstest.md, section 4). After `failed` the state is steady: what next is up to the caller.
 */
export function step(state: Continuous, good: boolean, now: number, rhythm: Rhythm): Step {
  const { interval, retries, timeout } = rhythm;
  if (state.phase === 'steady') {
    if (good) return { state, next: { checkAt: now + interval } };
    if (retries === 0) return { state: steady, next: { failed: 'lasting' } };
    return { state: { phase: 'doubt', left: retries, mended: false }, next: { checkAt: now + timeout / retries } };
  }
  const left = state.left - 1;
  if (!good && state.mended) return { state: steady, next: { failed: 'flapping' } };
  if (left > 0) {
    return { state: { phase: 'doubt', left, mended: good }, next: { checkAt: now + timeout / retries } };
  }
  return good ? { state: steady, next: { checkAt: now } } : { state: steady, next: { failed: 'lasting' } };
}
