/** Two who undo each other's changes at once are noticed and slowed down; an administrator who reloads often is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contest } from '../../../src/cgroup-nft/contest.ts';
import { WarningBoard } from '../../../src/core/warnings.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

function contested(): { clock: FakeClock; board: WarningBoard; contest: Contest; texts: () => readonly string[] } {
  const clock = new FakeClock();
  const board = new WarningBoard(
    () => clock.now(),
    () => {},
  );
  const contest = new Contest(clock, board, 'inet filter vpn');
  return { clock, board, contest, texts: () => board.list().map(({ text }) => text) };
}

test('after fifty changes that were undone at once it is said, and looks are 100 ms apart', async () => {
  const { clock, contest, texts } = contested();
  for (let at = 0; at < 50; at++) {
    contest.changed();
    await clock.advance(1);
    assert.equal(contest.looked(true, 0), 1);
  }
  assert.deepEqual(texts(), []);
  contest.changed();
  await clock.advance(1);
  assert.equal(contest.looked(true, 0), 100);
  assert.match(texts()[0] ?? '', /inet filter vpn: others undo each change at once; is a second netsteward/);
  contest.end();
  assert.deepEqual(texts(), []);
});

test('a look that finds all in order ends it, and the count begins anew', async () => {
  const { clock, contest, texts } = contested();
  for (let at = 0; at < 60; at++) {
    contest.changed();
    contest.looked(true, 0);
  }
  assert.equal(texts().length, 1);
  assert.equal(contest.looked(false, 0), 1);
  assert.deepEqual(texts(), []);
  contest.changed();
  await clock.advance(5);
  assert.equal(contest.looked(true, 0), 1);
});

test('reloads that come later than at once are none, however many', async () => {
  const { clock, contest, texts } = contested();
  for (let at = 0; at < 500; at++) {
    contest.changed();
    await clock.advance(6);
    assert.equal(contest.looked(true, 0), 1);
  }
  assert.deepEqual(texts(), []);
});

test('a look that takes long is followed by as long a rest, which has an end; its own time is not counted', async () => {
  const { clock, contest, texts } = contested();
  for (let at = 0; at < 51; at++) {
    contest.changed();
    await clock.advance(40);
    // Of the 40 ms the look itself took 38.
    assert.equal(contest.looked(true, 38), at < 50 ? 38 : 100);
  }
  assert.equal(texts().length, 1);
  assert.equal(contest.looked(false, 60_000), 5000);
});
