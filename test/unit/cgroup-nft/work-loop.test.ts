/** The loop does what is due, begins at once, waits longer after each failure, and never runs twice at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkLoop, type WorkLoopOptions } from '../../../src/cgroup-nft/work-loop.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';

class Work {
  readonly clock = new FakeClock();
  due = 0;
  readonly done: number[] = [];
  readonly failures: string[] = [];
  quiets = 0;
  /** What each piece does. */
  step: () => Promise<void> = () => Promise.resolve();
  readonly loop: WorkLoop;

  constructor(more: Partial<WorkLoopOptions> = {}) {
    this.loop = new WorkLoop({
      clock: this.clock,
      retry: { first: 100, most: 1000 },
      due: () => this.due > 0,
      step: async () => {
        this.due -= 1;
        await this.step();
        this.done.push(this.clock.monotonic());
      },
      onFailed: (error) => {
        this.due = 1;
        this.failures.push((error as Error).message);
      },
      onQuiet: () => {
        this.quiets += 1;
      },
      ...more,
    });
  }
}

test('the first piece is begun before wake() returns, and all that are due follow', async () => {
  const work = new Work();
  work.due = 3;
  work.loop.wake();
  assert.equal(work.due, 2);
  assert.equal(work.loop.idle, false);
  await settle();
  assert.equal(work.done.length, 3);
  assert.equal(work.quiets, 1);
  assert.equal(work.loop.idle, true);
});

test('what falls due while it is quiet for a moment is done too, and never two pieces at a time', async () => {
  let running = 0;
  const work: Work = new Work({
    onQuiet: () => {
      work.quiets += 1;
      if (work.quiets === 1) work.due = 2;
    },
  });
  work.step = async () => {
    running += 1;
    assert.equal(running, 1);
    work.loop.wake();
    await settle();
    running -= 1;
  };
  work.due = 1;
  work.loop.wake();
  for (let turns = 0; turns < 10; turns++) await settle();
  assert.equal(work.done.length, 3);
});

test('after a failure it waits, longer each time, whoever wakes it; a success ends that', async () => {
  const work = new Work();
  work.step = () => Promise.reject(new Error(`no ${work.failures.length}`));
  work.due = 1;
  work.loop.wake();
  await settle();
  assert.equal(work.loop.failing, true);
  for (let at = 0; at < 20; at++) work.loop.wake();
  await settle();
  assert.deepEqual(work.failures, ['no 0']);
  await work.clock.advance(10_000);
  assert.ok(work.failures.length >= 10 && work.failures.length < 25, `${work.failures.length} tries`);
  work.step = () => Promise.resolve();
  await work.clock.advance(2000);
  assert.equal(work.loop.failing, false);
  assert.equal(work.done.length, 1);
  assert.equal(work.quiets, 1);
});

test('finish() does not wait for the next try, and rejects with what fails', async () => {
  const work = new Work();
  work.step = () => Promise.reject(new Error('no'));
  work.due = 1;
  await assert.rejects(work.loop.finish(), /^Error: no$/);
  await assert.rejects(work.loop.finish(), /^Error: no$/);
  assert.equal(work.failures.length, 2);
  work.step = () => Promise.resolve();
  await work.loop.finish();
  assert.equal(work.done.length, 1);
  assert.equal(work.clock.waiting, 0, 'no try is left to come');
  await work.loop.finish();
});

test('finish() while work is under way ends with it, and with its failure', async () => {
  const work = new Work();
  let fail: (error: Error) => void = () => {};
  work.step = () =>
    new Promise((_, reject) => {
      fail = reject;
    });
  work.due = 1;
  work.loop.wake();
  const finished = assert.rejects(work.loop.finish(), /late/);
  fail(new Error('late'));
  await finished;
});

test('what has its time is done then, also where the timer comes too early', async () => {
  let from: number | undefined = 50;
  const work: Work = new Work({
    due: () => from !== undefined && work.clock.monotonic() >= from,
    // As a clock of milliseconds tells it that has rounded.
    dueIn: () => (from === undefined ? undefined : (from - work.clock.monotonic()) / 2),
    step: () => {
      work.done.push(work.clock.monotonic());
      from = undefined;
      return Promise.resolve();
    },
  });
  work.loop.wake();
  await work.clock.advance(49);
  assert.deepEqual(work.done, []);
  await work.clock.advance(2);
  assert.equal(work.done.length, 1);
  assert.equal(work.clock.waiting, 0);
});

test('others have their turn between long pieces', async () => {
  let extra = 0;
  const fake = new FakeClock();
  const slow = { now: () => fake.now(), monotonic: () => extra, after: fake.after.bind(fake) };
  const work = new Work({ clock: slow });
  work.step = () => {
    extra += 3;
    return Promise.resolve();
  };
  work.due = 4;
  work.loop.wake();
  let turns = 0;
  for (; work.due > 0; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(turns >= 2, `${turns} turns`);
});

test('stop() waits for the piece under way, and nothing is begun after it', async () => {
  const work = new Work();
  let end: () => void = () => {};
  work.step = () =>
    new Promise((resolve) => {
      end = resolve;
    });
  work.due = 3;
  work.loop.wake();
  let stopped = false;
  const stopping = work.loop.stop().then(() => {
    stopped = true;
  });
  await settle();
  assert.equal(stopped, false);
  end();
  await stopping;
  work.loop.wake();
  await work.clock.advance(10_000);
  assert.equal(work.due, 2);
  assert.equal(work.quiets, 0);

  const failing = new Work();
  failing.step = () => Promise.reject(new Error('no'));
  failing.due = 1;
  failing.loop.wake();
  await failing.loop.stop();
  await failing.clock.advance(10_000);
  assert.equal(failing.failures.length, 1);
});
