/** The first event of a unit acts at once, the others within the cooldown once at its end; no unit holds up another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cooldown } from '../../../src/cgroup-nft/cooldown.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

function cooling(length: number): { clock: FakeClock; cooldown: Cooldown; acts: string[] } {
  const clock = new FakeClock();
  const acts: string[] = [];
  return { clock, acts, cooldown: new Cooldown(clock, length, (key) => acts.push(`${clock.monotonic()} ${key}`)) };
}

test('of a burst the first acts at once, and the rest as one at the end of the cooldown', async () => {
  const { clock, cooldown, acts } = cooling(300);
  for (let at = 0; at < 10; at++) {
    cooldown.event('a.service');
    await clock.advance(10);
  }
  assert.deepEqual(acts, ['0 a.service']);
  await clock.advance(1000);
  assert.deepEqual(acts, ['0 a.service', '300 a.service']);
});

test('after the folded one the cooldown runs anew, and after a quiet one an event acts at once', async () => {
  const { clock, cooldown, acts } = cooling(300);
  cooldown.event('a');
  cooldown.event('a');
  await clock.advance(310);
  cooldown.event('a');
  assert.equal(acts.length, 2);
  await clock.advance(290);
  assert.deepEqual(acts, ['0 a', '300 a', '600 a']);
  await clock.advance(300);
  assert.equal(clock.waiting, 0, 'nothing is kept of a unit that has been quiet');
  cooldown.event('a');
  assert.equal(acts.at(-1), '900 a');
});

test('units cool down each for itself', async () => {
  const { clock, cooldown, acts } = cooling(300);
  cooldown.event('a');
  await clock.advance(100);
  cooldown.event('b');
  cooldown.event('a');
  await clock.advance(1000);
  assert.deepEqual(acts, ['0 a', '100 b', '300 a']);
});

test('without a cooldown each event acts', async () => {
  const { clock, cooldown, acts } = cooling(0);
  for (let at = 0; at < 3; at++) cooldown.event('a');
  assert.equal(acts.length, 3);
  assert.equal(clock.waiting, 0);
});

test('an event from within the action is folded, not lost', async () => {
  const clock = new FakeClock();
  let acts = 0;
  const cooldown: Cooldown = new Cooldown(clock, 300, (key) => {
    acts += 1;
    if (acts < 3) cooldown.event(key);
  });
  cooldown.event('a');
  assert.equal(acts, 1);
  await clock.advance(10_000);
  assert.equal(acts, 3);
});

test('when it is stopped nothing acts any more', async () => {
  const { clock, cooldown, acts } = cooling(300);
  cooldown.event('a');
  cooldown.event('a');
  cooldown.stop();
  await clock.advance(1000);
  assert.deepEqual(acts, ['0 a']);
  assert.equal(clock.waiting, 0);
});

test('whatever events there are, none goes without an action after it within the cooldown, and no two actions are closer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(400), { maxLength: 30 }), async (pauses) => {
      const clock = new FakeClock();
      const acts: number[] = [];
      const cooldown = new Cooldown(clock, 300, () => acts.push(clock.monotonic()));
      const events: number[] = [];
      for (const pause of pauses) {
        await clock.advance(pause);
        events.push(clock.monotonic());
        cooldown.event('a');
      }
      await clock.advance(1000);
      for (const event of events) assert.ok(acts.some((act) => act >= event && act <= event + 300));
      for (const [index, act] of acts.slice(1).entries()) assert.ok(act - (acts[index] ?? 0) >= 300);
    }),
    { numRuns: 100 },
  );
});
