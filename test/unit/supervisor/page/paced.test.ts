/** Questions at a bounded pace, each answered with what was so when it was asked, or later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Paced } from '../../../../src/supervisor/page/paced.ts';
import { FakeClock, settle } from '../../../fakes/fake-clock.ts';

test('however many ask, there is one question at a time and a pause between two; nobody gets an old answer', async () => {
  const clock = new FakeClock();
  let happened = 0;
  const begun: number[] = [];
  const paced = new Paced(clock, 250, async () => {
    begun.push(clock.monotonic());
    return happened;
  });
  assert.deepEqual(await Promise.all([paced.ask(), paced.ask()]), [0, 0]);
  happened = 1;
  const later = [paced.ask(), paced.ask()];
  await settle();
  assert.deepEqual(begun, [0]);
  await clock.advance(249);
  assert.deepEqual(begun, [0]);
  happened = 2;
  await clock.advance(1);
  assert.deepEqual(
    [await Promise.all(later), begun],
    [
      [2, 2],
      [0, 250],
    ],
  );
});

test('a question that fails is told to all who asked it, and the next one is asked again', async () => {
  const clock = new FakeClock();
  let fails = true;
  const paced = new Paced(clock, 250, async () => {
    if (fails) throw new Error('not now');
    return 'well';
  });
  const both = [paced.ask(), paced.ask()];
  for (const one of both) await assert.rejects(one, /not now/);
  fails = false;
  const next = paced.ask();
  await clock.advance(250);
  assert.equal(await next, 'well');
});
