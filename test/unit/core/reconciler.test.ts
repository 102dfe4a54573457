/** Reconciler: when the work runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reconciler } from '../../../src/core/reconciler.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';

function setUp(work: (run: number, signal: AbortSignal) => Promise<void> = async () => undefined) {
  const clock = new FakeClock();
  const runs: number[] = [];
  const errors: [unknown, number][] = [];
  const reconciler = new Reconciler({
    clock,
    run: (signal) => {
      runs.push(clock.monotonic());
      return work(runs.length, signal);
    },
    minInterval: 100,
    maxInterval: 10_000,
    retry: { first: 500, most: 2000 },
    onError: (error, retryIn) => void errors.push([error, retryIn]),
  });
  return { clock, runs, errors, reconciler };
}

test('nothing runs before the first request, and then at once', async () => {
  const { clock, runs, reconciler } = setUp();
  await clock.advance(60_000);
  assert.deepEqual(runs, []);
  reconciler.request();
  await clock.advance(0);
  assert.deepEqual(runs, [60_000]);
});

test('many requests close together are one run each minimum interval', async () => {
  const { clock, runs, reconciler } = setUp();
  for (let step = 0; step < 25; step++) {
    reconciler.request();
    reconciler.request();
    await clock.advance(10);
  }
  assert.deepEqual(runs, [0, 100, 200]);
});

test('without a request it runs again after the longest interval', async () => {
  const { clock, runs, reconciler } = setUp();
  reconciler.request();
  await clock.advance(20_000);
  assert.deepEqual(runs, [0, 10_000, 20_000]);
});

test('failures are retried with growing delays, and a success resets them', async () => {
  const { clock, runs, errors, reconciler } = setUp(async (run) => {
    if (run <= 4 || run === 6) throw new Error(`run ${run}`);
  });
  reconciler.request();
  await clock.advance(500 + 1000 + 2000 + 2000);
  assert.deepEqual(runs, [0, 500, 1500, 3500, 5500]);
  reconciler.request();
  await clock.advance(700);
  assert.deepEqual(runs.slice(5), [5600, 6100]);
  assert.deepEqual(
    errors.map(([, retryIn]) => retryIn),
    [500, 1000, 2000, 2000, 500],
  );
});

test('a request during a failure delay runs after the minimum interval', async () => {
  const { clock, runs, reconciler } = setUp(async (run) => {
    if (run === 1) throw new Error('first');
  });
  reconciler.request();
  await clock.advance(50);
  reconciler.request();
  await clock.advance(60);
  assert.deepEqual(runs, [0, 100]);
});

test('runs never overlap, and a request during a run leads to exactly one more', async () => {
  let finish: () => void = () => undefined;
  const { clock, runs, reconciler } = setUp((run) =>
    run === 1
      ? new Promise((resolve) => {
          finish = resolve;
        })
      : Promise.resolve(),
  );
  reconciler.request();
  await clock.advance(500);
  reconciler.request();
  reconciler.request();
  await clock.advance(500);
  assert.deepEqual(runs, [0]);
  finish();
  await clock.advance(5000);
  assert.deepEqual(runs, [0, 1100]);
});

test('who waits is told of the first run that starts after the request', async () => {
  const { clock, reconciler } = setUp(async (run) => {
    if (run === 1) throw new Error('refused');
  });
  const first = reconciler.requestAndWait();
  const failure = assert.rejects(first, /refused/);
  await clock.advance(0);
  await failure;
  const second = reconciler.requestAndWait();
  await clock.advance(100);
  await second;
});

test('stop() aborts the run under way, waits for it, and nothing runs afterwards', async () => {
  let ended = false;
  const { clock, runs, reconciler } = setUp(
    (_, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          ended = true;
          reject(signal.reason);
        }),
      ),
  );
  reconciler.request();
  await clock.advance(0);
  const waiting = assert.rejects(reconciler.requestAndWait(), /stopped/);
  await reconciler.stop();
  await waiting;
  assert.equal(ended, true);
  reconciler.request();
  await assert.rejects(reconciler.requestAndWait(), /stopped/);
  await clock.advance(60_000);
  await settle();
  assert.equal(runs.length, 1);
  assert.equal(clock.waiting, 0);
});
