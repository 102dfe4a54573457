/** From the history's counts by minute and class to the columns of a plot (pure). */

import type { SqlRow } from '../../system/ports.ts';
import { latencyBounds } from '../history-latency.ts';
import type { Sql } from '../history-query.ts';
import type { Latency } from './shapes.ts';

/** Slots of a plot, about: a phone has fewer columns of pixels. */
const mostSlots = 300;
/** Minutes of a slot: what a day can be divided by, so that slots begin at full hours. */
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360] as const;

export interface LatencyWindow {
  readonly resolver: string;
  /** Minutes since the epoch; `last` is not included. Both are multiples of `step`. */
  readonly first: number;
  readonly last: number;
  /** Minutes. */
  readonly step: number;
}

export function latencyWindow(resolver: string, now: number, hours: number): LatencyWindow {
  const step = steps.find((each) => (hours * 60) / each <= mostSlots) ?? 360;
  const last = Math.ceil((now + 1) / 60_000 / step) * step;
  return { resolver, first: last - Math.ceil((hours * 60) / step) * step, last, step };
}

export function selectLatencies({ resolver, first, last, step }: LatencyWindow): Sql {
  return {
    text:
      'SELECT (minute - ?) / ? AS slot, outcome, bucket, sum(count) AS count FROM latency ' +
      'WHERE minute >= ? AND minute < ? AND resolver = ? GROUP BY slot, outcome, bucket',
    parameters: [first, step, first, last, resolver],
  };
}

export function latencyOf({ resolver, first, last, step }: LatencyWindow, rows: readonly SqlRow[]): Latency {
  const slots = (last - first) / step;
  const zeros = (): number[] => Array.from({ length: slots }, () => 0);
  const right = Array.from({ length: slots }, (): number[] => latencyBounds.map(() => 0).concat(0));
  const failures = new Map<string, number[]>();
  for (const row of rows) {
    const [slot, bucket, count] = [Number(row.slot), Number(row.bucket), Number(row.count)];
    const outcome = String(row.outcome);
    const counts = outcome === 'ok' ? right[slot] : (failures.get(outcome) ?? zeros());
    if (counts === undefined) continue;
    if (outcome !== 'ok') failures.set(outcome, counts);
    const index = outcome === 'ok' ? bucket : slot;
    counts[index] = (counts[index] ?? 0) + count;
  }
  return {
    resolver,
    times: zeros().map((_, slot) => (first + slot * step) * 60),
    step: step * 60,
    median: right.map((counts) => quantile(counts, 0.5)),
    p95: right.map((counts) => quantile(counts, 0.95)),
    answers: right.map(sum),
    failures: Object.fromEntries([...failures].sort(([a], [b]) => (a < b ? -1 : 1))),
    problem: '',
  };
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/** Within a class as if its answers were spread evenly; what is slower than all classes counts as the slowest's end. */
function quantile(counts: readonly number[], part: number): number | null {
  const total = sum(counts);
  if (total === 0) return null;
  const wanted = part * total;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (below + count >= wanted && count > 0) {
      const [low, high] = [latencyBounds[index - 1] ?? 0, latencyBounds[index] ?? latencyBounds.at(-1) ?? 0];
      return Math.round((low + (high - low) * ((wanted - below) / count)) * 10) / 10;
    }
    below += count;
  }
  return latencyBounds.at(-1) ?? null;
}
