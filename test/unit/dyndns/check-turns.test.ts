/** The turns of signature checks: who is checked when, while strangers have used up their share of the time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../src/core/clock.ts';
import { CheckTurns } from '../../../src/dyndns/check-turns.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

interface Item {
  readonly keyId: string;
  readonly source: string;
  readonly familiar: boolean;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turnsOf(count: number): Promise<void> {
  for (let done = 0; done < count; done += 1) await turn();
}

/** Each check takes a millisecond by the clock; timers are the test's to let run. */
function setUp() {
  const clock = new FakeClock();
  const checked: Item[] = [];
  const monotonic = (): number => clock.monotonic() + checked.length;
  const ticking: Clock = { now: () => clock.now(), monotonic, after: (ms, action) => clock.after(ms, action) };
  const turns = new CheckTurns<Item>(ticking, (item) => {
    checked.push(item);
    return Promise.resolve();
  });
  const put = (source: string, familiar = false): void => {
    turns.arrived(monotonic());
    turns.put({ keyId: 'key', source, familiar });
  };
  /** Strangers come as quickly as they are checked, until no more are. */
  const flood = async (): Promise<void> => {
    for (let sent = 0, before = -1; checked.length > before; ) {
      before = checked.length;
      for (let count = 0; count < 40; count += 1, sent += 1) put(`198.18.${sent >> 8}.${sent & 255}`);
      await turnsOf(20);
    }
  };
  return { clock, turns, put, flood, checked };
}

test('strangers who have used up their share wait, and nothing runs meanwhile', async () => {
  const { turns, flood, checked } = setUp();
  await flood();
  const before = checked.length;
  assert.ok(before > 20, 'a crowd is checked at once');
  assert.ok(turns.busy);
  await turnsOf(20);
  assert.equal(checked.length, before);
  await turns.stop();
});

test("a known owner's packet ends the rest and is checked at once, before strangers that came first", async () => {
  const { turns, put, flood, checked } = setUp();
  await flood();
  const before = checked.length;
  put('192.0.2.1', true);
  await turnsOf(2);
  assert.deepEqual(checked[before], { keyId: 'key', source: '192.0.2.1', familiar: true });
  await turns.stop();
});

test('after the rest strangers are checked on', async () => {
  const { clock, turns, put, flood, checked } = setUp();
  await flood();
  const before = checked.length;
  await clock.advance(40);
  put('203.0.113.1');
  await turnsOf(20);
  assert.ok(checked.length > before);
  await turns.stop();
});

test('once the flood has ended, all that waits is checked without a rest', async () => {
  const { clock, turns, flood, checked } = setUp();
  await flood();
  const before = checked.length;
  await clock.advance(40);
  for (let tries = 0; turns.busy && tries < 1000; tries += 1) await turn();
  assert.equal(turns.busy, false);
  assert.ok(checked.length > before);
});

test('what comes in the very step in which the last one was checked is checked too', async () => {
  for (let steps = 0; steps < 10; steps += 1) {
    const checked: string[] = [];
    const second: Item = { keyId: 'key', source: '192.0.2.2', familiar: false };
    const later = async (): Promise<void> => {
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      turns.put(second);
    };
    const turns = new CheckTurns<Item>(new FakeClock(), ({ source }) => {
      checked.push(source);
      if (source !== second.source) void later();
      return Promise.resolve();
    });
    turns.put({ keyId: 'key', source: '192.0.2.1', familiar: false });
    await turnsOf(5);
    assert.deepEqual(checked, ['192.0.2.1', '192.0.2.2'], `put ${steps} steps after the check`);
    assert.equal(turns.busy, false);
  }
});

test('a stop ends a rest, and leaves what waits', async () => {
  const { turns, flood, checked } = setUp();
  await flood();
  const before = checked.length;
  await turns.stop();
  assert.equal(checked.length, before);
});
