/** Time-outs and slots around a getaddrinfo that cannot be cancelled. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Lookup, lookupsAtOnce, SystemResolver } from '../../../../src/system/linux/resolver-system.ts';
import type { ResolveOutcome } from '../../../../src/system/ports.ts';
import { FakeClock } from '../../../fakes/fake-clock.ts';

type Done = Parameters<Lookup>[1];

function setUp(concurrency: number) {
  const clock = new FakeClock();
  const asked: { name: string; done: Done }[] = [];
  const resolver = new SystemResolver({ clock, concurrency, lookup: (name, done) => void asked.push({ name, done }) });
  const outcomes: Record<string, ResolveOutcome> = {};
  const ask = (name: string, signal = new AbortController().signal): void => {
    resolver.resolve({ name, timeout: 1000 }, signal).then(
      (outcome) => {
        outcomes[name] = outcome;
      },
      () => {},
    );
  };
  const kinds = () => Object.fromEntries(Object.entries(outcomes).map(([name, o]) => [name, o.ok ? 'ok' : o.kind]));
  return { clock, asked, ask, kinds };
}

describe('lookups', () => {
  it('end with their time-out, and an answer that comes too late changes nothing', async () => {
    const { clock, asked, ask, kinds } = setUp(1);
    ask('a');
    await clock.advance(999);
    assert.deepEqual(kinds(), {});
    await clock.advance(1);
    assert.deepEqual(kinds(), { a: 'timeout' });
    asked[0]?.done(null, [{ address: '192.0.2.1' }]);
    await clock.advance(0);
    assert.deepEqual(kinds(), { a: 'timeout' });
    assert.equal(clock.waiting, 0);
  });

  it('do not start while hung ones hold all slots, and start when a thread comes back', async () => {
    const { clock, asked, ask, kinds } = setUp(1);
    ask('a');
    ask('b');
    await clock.advance(500);
    asked[0]?.done(null, [{ address: '192.0.2.1' }]);
    await clock.advance(0);
    assert.deepEqual(
      asked.map(({ name }) => name),
      ['a', 'b'],
    );
    // Its own second starts with its slot.
    await clock.advance(900);
    asked[1]?.done(null, []);
    await clock.advance(0);
    assert.deepEqual(kinds(), { a: 'ok', b: 'ok' });
  });

  it('that wait fail once nothing at all has finished for as long as their time-out', async () => {
    const { clock, asked, ask, kinds } = setUp(2);
    for (const name of ['hung', 'slow', 'c', 'd', 'e']) ask(name);
    await clock.advance(800);
    asked[1]?.done(null, []);
    await clock.advance(800);
    assert.deepEqual(kinds(), { hung: 'timeout', slow: 'ok' });
    await clock.advance(200);
    assert.deepEqual(kinds(), { hung: 'timeout', slow: 'ok', c: 'timeout', d: 'timeout', e: 'timeout' });
    assert.equal(asked.length, 3);
    assert.equal(clock.waiting, 0);
  });

  it('that were aborted in the queue are never asked', async () => {
    const { clock, asked, ask } = setUp(1);
    const stop = new AbortController();
    ask('a');
    ask('b', stop.signal);
    stop.abort();
    asked[0]?.done(null, []);
    await clock.advance(0);
    assert.equal(asked.length, 1);
    assert.equal(clock.waiting, 0);
  });

  it('never see a name that cannot be one, nor an address', async () => {
    const { clock, asked, ask, kinds } = setUp(1);
    for (const name of ['a b', '192.0.2.1', '2001:db8::1']) ask(name);
    await clock.advance(0);
    assert.deepEqual(kinds(), { 'a b': 'invalid-name', '192.0.2.1': 'ok', '2001:db8::1': 'ok' });
    assert.equal(asked.length, 0);
  });
});

describe('how many lookups run at once', () => {
  it('is half of libuv’s threads, rounded up', () => {
    assert.equal(lookupsAtOnce({}), 2);
    assert.equal(lookupsAtOnce({ UV_THREADPOOL_SIZE: '64' }), 32);
    assert.equal(lookupsAtOnce({ UV_THREADPOOL_SIZE: '5' }), 3);
    assert.equal(lookupsAtOnce({ UV_THREADPOOL_SIZE: '0' }), 1);
    assert.equal(lookupsAtOnce({ UV_THREADPOOL_SIZE: '5000' }), 512);
  });
});
