/** The cache of strips: whatever is kept from earlier questions, the answer is what reading all of it at once would give. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { EventCode, NetstewardEvent } from '../../../../src/core/events.ts';
import { insert } from '../../../../src/supervisor/history-rows.ts';
import { openHistoryFile } from '../../../../src/supervisor/history-schema.ts';
import { serviceIntervals, serviceStateCodes } from '../../../../src/supervisor/history-strips.ts';
import type { Strips } from '../../../../src/supervisor/page/shapes.ts';
import { Alike, day, inMinutes, Reasons } from '../../../../src/supervisor/page/strip-days.ts';
import { StripCache } from '../../../../src/supervisor/page/strips.ts';
import { SqliteStore } from '../../../../src/system/linux/sqlite.ts';
import { openReader } from '../../../../src/system/linux/sqlite-read.ts';

const begin = Date.UTC(2026, 0, 1);
const minute = 60_000;

function history(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-strips-'));
  const file = join(folder, 'history.db');
  const database = openHistoryFile(new SqliteStore(), file);
  const reader = openReader(file);
  t.after(() => {
    reader.close();
    database.close();
    rmSync(folder, { recursive: true });
  });
  return {
    write: (events: readonly NetstewardEvent[]) => database.transaction(() => insert(database, events, [])),
    empty: () => database.exec('DELETE FROM event'),
    ask: (text: string, parameters: readonly (string | number)[]) => reader.all(text, parameters),
  };
}

type Line = readonly [minute: number, state: string, reason: string];

/** By host, in words: numbers of reasons are the cache's own business. */
function inWords({ strips, states, reasons }: Pick<Strips, 'strips' | 'states' | 'reasons'>) {
  return Object.fromEntries(
    strips.map(({ host, intervals }) => [
      host,
      Array.from({ length: intervals.length / 3 }, (_, index): Line => {
        const [at = 0, state = 0, reason = 0] = intervals.slice(3 * index);
        return [at, states[state] ?? '?', reasons[reason] ?? '?'];
      }),
    ]),
  );
}

/** All of it at once, from the events themselves. */
function atOnce(events: readonly NetstewardEvent[], now: number, days: number, states: Strips['states']) {
  const since = Math.floor(now / day) * day - (days - 1) * day;
  const sorted = events.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
  const reasons = new Reasons();
  const strips = [...serviceIntervals(sorted, { since, until: since + days * day })]
    .map(([host, intervals]) => ({ host, intervals: inMinutes(intervals, since, reasons) }))
    .sort((a, b) => (a.host < b.host ? -1 : 1));
  return inWords({ strips, states, reasons: reasons.texts });
}

const event = (at: number, code: EventCode, subject: string, reason = ''): NetstewardEvent => ({
  at,
  module: subject === '' ? 'netsteward' : 'nbrpc',
  code,
  subject,
  fields: reason === '' ? {} : { reason },
});

const service = fc
  .tuple(fc.constantFrom(...serviceStateCodes), fc.constantFrom('a', 'b', 'c'), fc.constantFrom('', 'reset', 'timeout'))
  .map(([code, host, reason]) => (at: number) => [event(at, code, host, reason)]);
// Nothing is told while it is off.
const restart = fc
  .integer({ min: 1, max: 3 * 24 * 60 })
  .map((off) => (at: number) => [
    event(at, 'netsteward-stopping', ''),
    event(at + off * minute, 'netsteward-started', ''),
  ]);

/** Steps of a life: something happens after a while, or somebody asks. */
const steps = fc.array(
  fc.record({
    wait: fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 0, max: 30 * 60 * minute })),
    happens: fc.oneof({ arbitrary: service, weight: 8 }, { arbitrary: restart, weight: 1 }),
    ask: fc.option(fc.integer({ min: 1, max: 31 })),
  }),
  { minLength: 1, maxLength: 60 },
);

test('what is kept of finished days and what is read anew together give what reading everything at once gives', async (t) => {
  const { write, ask, empty } = history(t);
  await fc.assert(
    fc.asyncProperty(steps, async (life) => {
      empty();
      const cache = new StripCache();
      const events: NetstewardEvent[] = [];
      let now = begin;
      for (const { wait, happens, ask: days } of life) {
        now += wait;
        const news = happens(now);
        now = Math.max(now, ...news.map(({ at }) => at));
        write(news);
        events.push(...news);
        if (days === null) continue;
        cache.update(ask);
        const strips = await cache.strips(ask, now, days);
        assert.deepEqual(inWords(strips), atOnce(events, now, days, strips.states));
      }
    }),
    { numRuns: 60 },
  );
});

test('an event of a day that is kept, written late, is in the next answer, which counts as another version', async (t) => {
  const { write, ask } = history(t);
  const cache = new StripCache();
  const now = begin + 5 * day;
  write([event(begin, 'service-works', 'a'), event(now - minute, 'service-failing', 'a', 'reset')]);
  cache.update(ask);
  await cache.strips(ask, now, 7);
  const before = cache.version;
  write([event(begin + 2 * day + 30 * minute, 'service-rerouted', 'a', 'timeout')]);
  cache.update(ask);
  assert.notEqual(cache.version, before);
  const { a } = inWords(await cache.strips(ask, now, 7));
  assert.deepEqual(
    a?.find(([, state]) => state === 'tunnelled'),
    [3 * 1440 + 30, 'tunnelled', 'timeout'],
  );
});

test('nothing is read again but the number of the newest event while nothing happens', async (t) => {
  const { write, ask } = history(t);
  const cache = new StripCache();
  write([event(begin, 'service-works', 'a')]);
  cache.update(ask);
  await cache.strips(ask, begin + day, 7);
  const before = cache.version;
  const asked: string[] = [];
  cache.update((text, parameters) => {
    asked.push(text);
    return ask(text, parameters);
  });
  assert.deepEqual(asked, ['SELECT max(id) AS id FROM event']);
  write([event(begin + day, 'netsteward-ready', '')]);
  cache.update(ask);
  assert.equal(cache.version, before, 'an event that no strip is made of');
});

test('a file that was emptied leaves nothing of what was kept', async (t) => {
  const { write, ask, empty } = history(t);
  const cache = new StripCache();
  write([event(begin, 'service-works', 'a'), event(begin + 1, 'service-works', 'b')]);
  cache.update(ask);
  await cache.strips(ask, begin + 3 * day, 7);
  empty();
  cache.update(ask);
  assert.deepEqual((await cache.strips(ask, begin + 3 * day, 7)).strips, []);
});

test('whatever the history holds, the first 5000 services are shown and the rest counted, and no more different reasons kept than 20 000', async (t) => {
  const { write, ask } = history(t);
  const name = (number: number): string => `host-${String(number).padStart(4, '0')}`;
  const failures = (count: number, at: number) =>
    Array.from({ length: count }, (_, number) =>
      event(at + number, 'service-failing', name(number), `at ${at + number}`),
    );
  for (const past of [0, 1, 2, 3]) write(failures(5001, begin + past * day));
  const cache = new StripCache();
  const found = await cache.strips(ask, begin + 4 * day, 5);
  assert.deepEqual([found.strips.length, found.strips.at(-1)?.host, found.more], [5000, name(4999), 1]);
  assert.equal(found.reasons.length, 20_001, 'and one text for all the others');
  const { [name(4999)]: last } = inWords(found);
  assert.deepEqual(
    last?.map(([, state, reason]) => [state, /^at \d+$/.test(reason) || reason]),
    [
      ['failing', true],
      ['failing', true],
      ['failing', true],
      ['failing', 'one of too many different reasons to keep'],
    ],
  );
});

test('days that look the same are one piece of memory', () => {
  const alike = new Alike();
  const [one, other] = [alike.one([0, 1, 2]), alike.one([0, 1, 3])];
  assert.equal(alike.one([0, 1, 2]), one);
  assert.deepEqual(other, [0, 1, 3]);
});
