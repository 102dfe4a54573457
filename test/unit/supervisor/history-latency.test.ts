/** Latencies of resolvers: folded by minute, kept, and asked for by hour. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventFeed } from '../../../src/supervisor/events-feed.ts';
import { History, writeDelay } from '../../../src/supervisor/history.ts';
import { bucketOf, hourly, LatencyFold, latencyBounds } from '../../../src/supervisor/history-latency.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

const hour = 3_600_000;

test('each latency is in the first class whose bound it does not exceed', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (ms) => {
      const bucket = bucketOf(ms);
      assert.ok(ms <= (latencyBounds[bucket] ?? Number.POSITIVE_INFINITY));
      assert.ok(bucket === 0 || ms > (latencyBounds[bucket - 1] ?? 0));
    }),
  );
});

test('no sample is lost or counted twice, however often they are taken and given back', () => {
  const sample = fc.record({
    at: fc.integer({ min: 0, max: 3 * hour }),
    resolver: fc.constantFrom('one', 'two'),
    outcome: fc.constantFrom('ok', 'timeout'),
    ms: fc.integer({ min: 0, max: 20_000 }),
  });
  fc.assert(
    fc.property(fc.array(sample), fc.array(fc.nat(30)), (samples, taken) => {
      const fold = new LatencyFold();
      for (const [index, each] of samples.entries()) {
        fold.add(each);
        if (taken.includes(index)) fold.giveBack(fold.take());
      }
      const total = hourly(fold.rows())
        .flatMap(({ counts }) => counts)
        .reduce((sum, each) => sum + each, 0);
      assert.equal(total, samples.length);
      for (const { hour: begins } of hourly(fold.rows())) assert.equal(begins % hour, 0);
    }),
  );
});

test('answers of dnstest are a histogram by hour, the same before and after they are written', async () => {
  const clock = new FakeClock(10 * hour);
  const settings = { off: false, file: '/h.db', max_age: 1e12, max_size: 50e6 };
  const history = new History(settings, { clock, store: new MemoryStore(), onTrouble: assert.fail });
  const feed = new EventFeed(clock, history);
  const answered = (ms: unknown, outcome: unknown = 'ok'): void =>
    feed.hear('resolver-checked', { module: 'dnstest', resolver: 'local', outcome, ms });
  for (const ms of [3, 4, 30]) answered(ms);
  answered(5000, 'timeout');
  for (const wrong of [Number.NaN, -1, 'slow', undefined]) answered(wrong);
  answered(1, 7);
  const period = { since: 10 * hour, until: 12 * hour };
  const shown = () =>
    history
      .latencies(period)
      .map(({ hour: at, outcome, counts }) => [at / hour, outcome, counts[2], counts[5], counts[11]]);
  const expected = [
    [10, 'ok', 2, 1, 0],
    [10, 'timeout', 0, 0, 1],
  ];
  assert.deepEqual(shown(), expected);
  await clock.advance(writeDelay);
  assert.deepEqual(shown(), expected);
  await clock.advance(hour);
  answered(3);
  assert.deepEqual(shown().at(-1), [11, 'ok', 1, 0, 0]);
  assert.deepEqual(history.query({ limit: 10 }), [], 'no event is kept of each');
  assert.deepEqual(history.latencies({ since: 0, until: hour }), []);
  history.close();
});
