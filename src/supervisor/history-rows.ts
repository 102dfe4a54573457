/** What goes into the history's file and out of it: new rows in, those beyond its bounds out, some at a time. */
import type { NetstewardEvent } from '../core/events.ts';
import type { Database } from '../system/ports.ts';
import type { LatencyRow } from './history-latency.ts';
import { pragma } from './history-schema.ts';

export interface Bounds {
  /** Milliseconds since the epoch. */
  readonly oldest: number;
  /** The same for events that say how things still stand. */
  readonly kept: number;
  /** Of the file, without its log. */
  readonly bytes: number;
}

/** The part of the limit from which the oldest rows go: new ones find their place meanwhile. */
const full = 0.95;

/** Both inside one transaction of the caller. */
export function insert(database: Database, events: readonly NetstewardEvent[], latencies: readonly LatencyRow[]): void {
  const event = database.prepare('INSERT INTO event (at, module, code, subject, fields) VALUES (?, ?, ?, ?, ?)');
  for (const { at, module, code, subject, fields } of events) {
    event.run(Math.round(at), module, code, subject, JSON.stringify(fields));
  }
  if (latencies.length === 0) return;
  const latency = database.prepare(
    `INSERT INTO latency (minute, resolver, outcome, bucket, count) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (minute, resolver, outcome, bucket) DO UPDATE SET count = count + excluded.count`,
  );
  for (const { minute, resolver, outcome, bucket, count } of latencies) {
    latency.run(minute, resolver, outcome, bucket, count);
  }
}

/**
 * What is too old: deletes at most `slice` rows of each table; true when there is more to delete. Of `standing`, lists of codes, the
 * last event of each subject stays while there is room: a service that never changes would else be one of which nothing is known.
 */
export function pruneOld(
  database: Database,
  { oldest, kept }: Bounds,
  slice: number,
  standing: readonly (readonly string[])[],
): boolean {
  const isLast = standing.map((codes) => {
    const kind = codes.map((code) => `'${code}'`).join(', ');
    return `(code IN (${kind}) AND NOT EXISTS (SELECT 1 FROM event AS newer
      WHERE newer.subject = old.subject AND (newer.at, newer.id) > (old.at, old.id) AND newer.code IN (${kind})))`;
  });
  const deleted = [
    database
      .prepare(
        `DELETE FROM event WHERE id IN (SELECT id FROM event AS old
          WHERE at < ? AND (at < ? OR NOT (${isLast.join(' OR ')})) ORDER BY at LIMIT ?)`,
      )
      .run(oldest, kept, slice),
    deleteLatencies(database, 'WHERE minute < ?', [Math.floor(oldest / 60_000)], slice),
  ];
  return deleted.some(({ changes }) => Number(changes) >= slice);
}

/** What is too much, the oldest first; as pruneOld(). */
export function pruneLarge(database: Database, { bytes }: Bounds, slice: number): boolean {
  if (usedBytes(database) <= full * bytes) return false;
  const events = database
    .prepare('DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?)')
    .run(slice);
  // Both reach back equally far; where there are hardly any events, it is latencies that fill the file.
  const first = database.prepare('SELECT min(at) AS at FROM event').get()?.at;
  const before = typeof first === 'number' && Number(events.changes) === slice ? Math.floor(first / 60_000) : 2 ** 50;
  const latencies = deleteLatencies(database, 'WHERE minute < ?', [before], slice);
  const deleted = [events, latencies].map(({ changes }) => Number(changes));
  return deleted.some((count) => count >= slice) || usedBytes(database) > full * bytes;
}

function deleteLatencies(database: Database, where: string, parameters: readonly number[], slice: number) {
  const key = 'minute, resolver, outcome, bucket';
  return database
    .prepare(`DELETE FROM latency WHERE (${key}) IN (SELECT ${key} FROM latency ${where} ORDER BY ${key} LIMIT ?)`)
    .run(...parameters, slice);
}

function usedBytes(database: Database): number {
  return (pragma(database, 'page_count') - pragma(database, 'freelist_count')) * pragma(database, 'page_size');
}
