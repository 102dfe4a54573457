/** A history as a service of some months has it: many hosts, most of them quiet, some blocked, a few that flap; and resolvers' answers. */
import type { EventCode, NetstewardEvent } from '../src/core/events.ts';
import { bucketOf, type LatencyRow } from '../src/supervisor/history-latency.ts';
import { insert } from '../src/supervisor/history-rows.ts';
import { openHistoryFile } from '../src/supervisor/history-schema.ts';
import { SqliteStore } from '../src/system/linux/sqlite.ts';

const day = 86_400_000;
const hour = 3_600_000;

export interface PageHistory {
  readonly hosts: number;
  readonly days: number;
  /** Milliseconds since the epoch: the newest event is a little before. */
  readonly until: number;
  readonly resolvers: readonly string[];
}

export const hostName = (index: number): string => `service-${String(index).padStart(4, '0')}.example.org`;

/** Makes the file. Gives the number of events in it. The same for the same arguments. */
export function makePageHistory(file: string, { hosts, days, until, resolvers }: PageHistory): number {
  const database = openHistoryFile(new SqliteStore(), file);
  try {
    const stories = Array.from({ length: hosts }, (_, index) => hostStory(index, days, until));
    const events = [...presence(days, until), ...stories.flat()];
    events.sort((a, b) => a.at - b.at);
    database.transaction(() => insert(database, events, latencies(resolvers, days, until)));
    return events.length;
  } finally {
    database.close();
  }
}

/** Numbers from 0 to 1, of a linear congruential generator (Numerical Recipes' constants). */
function chance(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const reasons = [
  'connection reset by peer on 2 of 3 addresses (TLS, after the name was sent)',
  'no answer within 10s on 4 of 4 addresses (TCP)',
  'the certificate is for another name on 1 of 2 addresses',
  'status 403 where 200 was expected on 3 of 3 addresses',
];

const event = (at: number, code: EventCode, subject: string, reason: string): NetstewardEvent => ({
  at: Math.round(at),
  module: 'nbrpc',
  code,
  subject,
  fields: { from: 'ok', reason },
});

/** One in five is blocked for days and open for days; one in twenty flaps; the others fail once in three days or so. */
function hostStory(index: number, days: number, until: number): readonly NetstewardEvent[] {
  const random = chance(index + 1);
  const host = hostName(index);
  const story: NetstewardEvent[] = [];
  const begin = until - days * day;
  const reason = (): string => reasons[Math.floor(random() * reasons.length)] ?? '';
  const kind = index % 20 === 7 ? 'flapping' : index % 5 === 0 ? 'blocked' : 'quiet';
  const every = kind === 'flapping' ? day / 6 : kind === 'blocked' ? 4 * day : 3 * day;
  story.push(event(begin + random() * hour, 'service-works', host, ''));
  for (let at = begin + random() * every; at < until - hour; at += every * (0.3 + 1.4 * random())) {
    const [why, lasts] = [reason(), kind === 'blocked' ? every * 0.6 : (0.02 + random() * 0.2) * every];
    story.push(event(at, 'service-failing', host, why));
    if (kind !== 'quiet') story.push(event(at + 90_000, 'service-rerouted', host, why));
    const back = Math.min(at + lasts, until - 60_000);
    if (kind !== 'quiet') story.push(event(back - 30_000, 'service-direct', host, 'it works directly again'));
    story.push(event(back, 'service-works', host, ''));
  }
  return story;
}

/** A restart a week. */
function presence(days: number, until: number): readonly NetstewardEvent[] {
  const own = (at: number, code: EventCode): NetstewardEvent => ({
    at,
    module: 'netsteward',
    code,
    subject: '',
    fields: {},
  });
  const all = [own(until - days * day, 'netsteward-started')];
  for (let at = until - days * day + 5 * day; at < until; at += 7 * day) {
    all.push(own(at, 'netsteward-stopping'), own(at + 4000, 'netsteward-started'));
  }
  return all;
}

/** An answer of each every 3 minutes, one in a hundred a failure. */
function latencies(resolvers: readonly string[], days: number, until: number): readonly LatencyRow[] {
  const random = chance(7);
  const rows: LatencyRow[] = [];
  for (const resolver of resolvers) {
    for (let at = until - days * day; at < until; at += 180_000) {
      const outcome = random() < 0.01 ? 'timeout' : 'ok';
      const ms = outcome === 'ok' ? 5 + 60 * random() ** 4 * (1 + random()) : 10_000;
      rows.push({ minute: Math.floor(at / 60_000), resolver, outcome, bucket: bucketOf(ms), count: 1 });
    }
  }
  return rows;
}
