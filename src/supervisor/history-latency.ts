/** Answers of resolvers, folded: a count by minute, outcome and class of latency is kept, and not each answer (pure). */
import type { ResolverSample } from './events-feed.ts';

/** Upper ends of the classes in milliseconds, included; the last class has none. */
export const latencyBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] as const;

export interface LatencyRow {
  /** Minutes since the epoch. */
  readonly minute: number;
  readonly resolver: string;
  /** `ok`, or the kind of failure. */
  readonly outcome: string;
  /** Index into `latencyBounds`; its length for what is slower than all. */
  readonly bucket: number;
  readonly count: number;
}

/** What one resolver did in one hour, by outcome. */
export interface LatencyHistogram {
  /** When the hour begins: milliseconds since the epoch. */
  readonly hour: number;
  readonly resolver: string;
  readonly outcome: string;
  /** One for each of `latencyBounds`, and one for what is slower. */
  readonly counts: readonly number[];
}

/** Rows that may wait for the next write: resolvers times outcomes are few, but for a wrong configuration. */
const mostRows = 2000;

export function bucketOf(ms: number): number {
  const found = latencyBounds.findIndex((bound) => ms <= bound);
  return found < 0 ? latencyBounds.length : found;
}

export class LatencyFold {
  #rows = new Map<string, LatencyRow>();

  get empty(): boolean {
    return this.#rows.size === 0;
  }

  add({ at, resolver, outcome, ms }: ResolverSample): void {
    this.#put({ minute: Math.floor(at / 60_000), resolver, outcome, bucket: bucketOf(ms), count: 1 });
  }

  /** What has been folded so far; it begins anew. */
  take(): readonly LatencyRow[] {
    const rows = [...this.#rows.values()];
    this.#rows = new Map();
    return rows;
  }

  /** What was taken and could not be written. */
  giveBack(rows: readonly LatencyRow[]): void {
    for (const row of rows) this.#put(row);
  }

  rows(): readonly LatencyRow[] {
    return [...this.#rows.values()];
  }

  #put(row: LatencyRow): void {
    const key = JSON.stringify([row.minute, row.resolver, row.outcome, row.bucket]);
    const before = this.#rows.get(key);
    if (before === undefined && this.#rows.size >= mostRows) return;
    this.#rows.set(key, { ...row, count: row.count + (before?.count ?? 0) });
  }
}

/** By hour, then resolver and outcome. */
export function hourly(rows: Iterable<LatencyRow>): readonly LatencyHistogram[] {
  const found = new Map<string, { hour: number; resolver: string; outcome: string; counts: number[] }>();
  for (const { minute, resolver, outcome, bucket, count } of rows) {
    const hour = Math.floor(minute / 60) * 3_600_000;
    const key = JSON.stringify([hour, resolver, outcome]);
    const counts = found.get(key)?.counts ?? Array.from({ length: latencyBounds.length + 1 }, () => 0);
    counts[bucket] = (counts[bucket] ?? 0) + count;
    found.set(key, { hour, resolver, outcome, counts });
  }
  const rank = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...found.values()].sort(
    (a, b) => a.hour - b.hour || rank(a.resolver, b.resolver) || rank(a.outcome, b.outcome),
  );
}
