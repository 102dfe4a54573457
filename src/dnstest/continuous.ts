/** The continuous mode: when to check next, and when failed checks are a failure of the resolver (pure). */

/** Milliseconds. */
export interface Rhythm {
  /** From the end of a good check to the next one. */
  readonly interval: number;
  /** Checks after a failed one; 0: the first failed check is the failure. */
  readonly retries: number;
  /** The retries are spread over this. */
  readonly timeout: number;
  /**
   * What each check has for itself, guard included (shareOf). The retries are begun at its multiples from the first failed
   * check on, so that a failure is known within `interval` and `timeout`, the time that checks take included. Undefined: as the
   * original does (contracts/dnstest.md, section 4), `timeout / retries` after the end of each check, however long that took.
   */
  readonly share?: number | undefined;
}

/** Milliseconds; what a check needs to tell a slow resolver from a dead one, with a second question. */
const leastShare = 1000;

/**
 * Milliseconds for each check, when the first failed one, its retries and (where there are cures) the first cure have `timeout`
 * together. Never less than a second: a time-out that is too short for its retries gets longer.
 */
export function shareOf({ retries, timeout }: Pick<Rhythm, 'retries' | 'timeout'>, cures: number): number {
  return Math.max(leastShare, timeout / (retries + 1 + (cures > 0 ? 1 : 0)));
}

export type Continuous =
  | { readonly phase: 'steady' }
  /**
   * After a failed check, which was begun at `since`. `left`: retries to come, from 1; `mended`: one of the retries was good.
   */
  | { readonly phase: 'doubt'; readonly since: number; readonly left: number; readonly mended: boolean };

/** `flapping`: failed again after a good retry; `lasting`: no retry was good (or there is none). */
export type FailedHow = 'flapping' | 'lasting';

export interface Step {
  readonly state: Continuous;
  readonly next: { readonly checkAt: number } | { readonly failed: FailedHow };
}

/** Of one check: monotonic clock, milliseconds. */
export interface CheckTimes {
  readonly begun: number;
  readonly now: number;
}

export const steady: Continuous = { phase: 'steady' };

/**
 * After a check that ended at `now`. Recovery needs all the retries that are left to be good, and the next check follows it at
 * once (contracts/dnstest.md, section 4). After `failed` the state is steady: what next is up to the caller.
 */
export function step(state: Continuous, good: boolean, { begun, now }: CheckTimes, rhythm: Rhythm): Step {
  const { interval, retries } = rhythm;
  if (state.phase === 'steady') {
    if (good) return { state, next: { checkAt: now + interval } };
    if (retries === 0) return { state: steady, next: { failed: 'lasting' } };
    return retry({ since: begun, left: retries, mended: false }, now, rhythm);
  }
  const left = state.left - 1;
  if (!good && state.mended) return { state: steady, next: { failed: 'flapping' } };
  if (left > 0) return retry({ since: state.since, left, mended: good }, now, rhythm);
  return good ? { state: steady, next: { checkAt: now } } : { state: steady, next: { failed: 'lasting' } };
}

function retry(
  doubt: Omit<Extract<Continuous, { phase: 'doubt' }>, 'phase'>,
  now: number,
  { retries, timeout, share }: Rhythm,
): Step {
  const made = retries - doubt.left + 1;
  const checkAt = share === undefined ? now + timeout / retries : Math.max(now, doubt.since + made * share);
  return { state: { phase: 'doubt', ...doubt }, next: { checkAt } };
}
