/** The line of TLS handshakes: no more than so many at a time, and a silent server does not hold up the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsOutcome } from '../../../../src/system/dns-client-ports.ts';
import { Handshakes } from '../../../../src/system/linux/dns-client-handshakes.ts';
import { FakeClock } from '../../../fakes/fake-clock.ts';

const right: DnsOutcome = { ok: true, bytes: new Uint8Array(1) };

/** 100 exchanges, each of which notes when its time began, and is ended by the test. */
function hundred(clock: FakeClock, signal = new AbortController().signal) {
  const handshakes = new Handshakes(clock);
  const begun: number[] = [];
  const shaken: (() => void)[] = [];
  const ends: (() => void)[] = [];
  const outcomes = Array.from({ length: 100 }, () => {
    const question = { bytes: new Uint8Array(0), refuses: () => undefined, timeout: 1000 };
    return handshakes.run({ ...question, begun: () => void begun.push(clock.monotonic()) }, signal, (done) => {
      shaken.push(done);
      return new Promise((resolve) => ends.push(() => resolve(right)));
    });
  });
  return { begun, shaken, ends, outcomes };
}

test('16 handshakes are under way at a time; each that is done lets in the next, whatever becomes of its question', async () => {
  const clock = new FakeClock();
  const { begun, shaken, ends, outcomes } = hundred(clock);
  await clock.advance(0);
  assert.equal(begun.length, 16);
  for (const done of shaken.slice(0, 4)) done();
  await clock.advance(0);
  assert.equal(begun.length, 20);
  for (let at = 0; at < 100; at++) {
    ends[at]?.();
    await clock.advance(0);
  }
  assert.deepEqual(
    await Promise.all(outcomes),
    Array.from({ length: 100 }, () => right),
  );
  assert.equal(clock.waiting, 0);
});

test('servers that say nothing give their places up after half a second', async () => {
  const clock = new FakeClock();
  const { begun, ends, outcomes } = hundred(clock);
  await clock.advance(10_000);
  assert.deepEqual([begun.length, begun[15], begun[16], begun[99]], [100, 0, 500, 3000]);
  for (const end of ends) end();
  await Promise.all(outcomes);
});

test('an abort empties the line', async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const { ends, begun, outcomes } = hundred(clock, abort.signal);
  await clock.advance(0);
  const settled = Promise.allSettled(outcomes);
  abort.abort(new Error('enough'));
  for (const end of ends) end();
  await clock.advance(0);
  assert.deepEqual([(await settled).filter(({ status }) => status === 'rejected').length, begun.length], [84, 16]);
});
