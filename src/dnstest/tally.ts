/** Counts of one resolver's checks: how long right answers took, and failures by kind (pure). */
import type { CheckResult, FailureKind } from './check-result.ts';

/** Milliseconds, upper bounds, each bucket without those below it; one bucket more for what took longer. */
export const latencyBounds: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

export interface Tally {
  readonly checks: number;
  /** Right answers by `latencyBounds`, one element more than that. */
  readonly latency: readonly number[];
  /** Milliseconds that right answers took, all together. */
  readonly sum: number;
  readonly failures: Readonly<Partial<Record<FailureKind, number>>>;
}

export const emptyTally: Tally = { checks: 0, latency: latencyBounds.map(() => 0).concat(0), sum: 0, failures: {} };

export function counted(tally: Tally, { elapsed, failure }: CheckResult): Tally {
  const checks = tally.checks + 1;
  if (failure !== undefined) {
    const failures = { ...tally.failures, [failure.kind]: (tally.failures[failure.kind] ?? 0) + 1 };
    return { ...tally, checks, failures };
  }
  const found = latencyBounds.findIndex((bound) => elapsed <= bound);
  const bucket = found < 0 ? latencyBounds.length : found;
  const latency = tally.latency.map((count, index) => (index === bucket ? count + 1 : count));
  return { ...tally, checks, latency, sum: tally.sum + elapsed };
}
