/** One piece of work after another: in order, whatever becomes of each, with the event loop's other work between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../../../src/supervisor/page/turns.ts';

test('work is done in its order, one at a time, and other work gets its turn between two', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  let others = 0;
  let over = false;
  const other = (): void => {
    others += 1;
    if (!over) setImmediate(other);
  };
  setImmediate(other);
  const work = ['a', 'b', 'c'].map((name) =>
    turns.take(async () => {
      seen.push(`${name} begins`);
      const before = others;
      await Promise.resolve();
      seen.push(`${name} ends`);
      return before;
    }),
  );
  const counts = await Promise.all(work);
  over = true;
  assert.deepEqual(seen, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  assert.equal(new Set(counts).size, 3, `${counts.join()}: no other work was done between two`);
});

test('work that fails is told to who asked for it, and the next is done', async () => {
  const turns = new Turns();
  const failing = turns.take(() => Promise.reject(new Error('no such table')));
  const next = turns.take(() => 2);
  await assert.rejects(failing, /no such table/);
  assert.equal(await next, 2);
});
