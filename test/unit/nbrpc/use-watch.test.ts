/** Asking which addresses are in use, on a clock that a test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WarningBoard } from '../../../src/core/warnings.ts';
import { UseWatch } from '../../../src/nbrpc/use-watch.ts';
import { FakeAddressSets } from '../../fakes/fake-address-sets.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';

async function bench() {
  const clock = new FakeClock();
  const board = new WarningBoard(
    () => clock.now(),
    () => {},
  );
  const sets = new FakeAddressSets();
  await sets.hold(new Map([['listed4', new Set(['192.0.2.1', '192.0.2.2'])]]));
  const changes: (readonly string[])[] = [];
  let asked = 0;
  const used = (): Promise<ReadonlyMap<string, number>> => {
    asked += 1;
    return sets.used();
  };
  const watch = new UseWatch({ clock, board, used, onChange: (addresses) => changes.push([...addresses]) });
  watch.follow(true);
  await settle();
  return { clock, board, sets, changes, watch, asked: () => asked };
}

test('it asks at once and three times a minute, and tells only what has changed', async () => {
  const { clock, sets, changes, watch, asked } = await bench();
  assert.equal(asked(), 1);
  assert.deepEqual(changes, []);
  sets.packets.set('192.0.2.1', 3);
  sets.packets.set('198.51.100.1', 0);
  await clock.advance(20_000);
  assert.deepEqual(changes, [['192.0.2.1']]);
  assert.deepEqual([watch.has('192.0.2.1'), watch.has('192.0.2.2'), watch.has('198.51.100.1')], [true, false, false]);
  await clock.advance(300_000);
  assert.equal(asked(), 17);
  assert.deepEqual(changes, [['192.0.2.1']]);
  sets.packets.clear();
  await clock.advance(660_000);
  assert.deepEqual(changes, [['192.0.2.1'], ['192.0.2.1']]);
  assert.deepEqual(watch.told, { inUse: 0 });
});

test('while it cannot be told, there is a warning, and what was in use stays so until its time is over', async () => {
  const { clock, board, sets, watch } = await bench();
  sets.packets.set('192.0.2.1', 0);
  await clock.advance(20_000);
  sets.failure = new Error('there is no set inet filter seen4');
  await clock.advance(60_000);
  const [warning] = board.list();
  assert.equal(warning?.code, 'use-unknown');
  assert.match(warning?.text ?? '', /there is no set inet filter seen4/);
  assert.ok(watch.has('192.0.2.1'));
  await clock.advance(600_000);
  assert.ok(!watch.has('192.0.2.1'));
  sets.failure = undefined;
  await clock.advance(20_000);
  assert.deepEqual(board.list(), []);
  assert.ok(watch.has('192.0.2.1'));
});

test('ended, it asks no more, and leaves no warning behind', async () => {
  const { clock, board, sets, watch, asked, changes } = await bench();
  sets.failure = new Error('gone');
  await clock.advance(20_000);
  assert.equal(board.list().length, 1);
  watch.follow(false);
  const before = asked();
  await clock.advance(600_000);
  assert.equal(asked(), before);
  assert.deepEqual([board.list(), changes, clock.waiting, watch.told], [[], [], 0, {}]);
  sets.failure = undefined;
  sets.packets.set('192.0.2.1', 0);
  watch.follow(true);
  await settle();
  assert.deepEqual([changes, watch.told], [[['192.0.2.1']], { inUse: 1 }], 'begun again, it asks at once');
});

test('an answer that comes after the end says nothing', async () => {
  const { clock, board, changes } = await bench();
  let answer: (used: ReadonlyMap<string, number>) => void = () => {};
  const watch = new UseWatch({
    clock,
    board,
    used: () => new Promise((resolve) => (answer = resolve)),
    onChange: (addresses) => changes.push([...addresses]),
  });
  watch.follow(true);
  watch.follow(false);
  answer(new Map([['192.0.2.1', 0]]));
  await settle();
  assert.deepEqual(changes, []);
});
