/** Columns of a latency plot, from the history's counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf } from '../../../../src/supervisor/history-latency.ts';
import { latencyOf, latencyWindow } from '../../../../src/supervisor/page/latency.ts';

const now = Date.UTC(2026, 0, 2, 12, 30, 15);

test('a window has slots of full minutes, a few hundred at most, the last one with the present in it', () => {
  for (const hours of [1, 6, 24, 168, 744]) {
    const { first, last, step } = latencyWindow('r', now, hours);
    assert.ok((last - first) / step <= 300, String(hours));
    assert.ok(first * 60_000 <= now - hours * 3_600_000 + step * 60_000 && last * 60_000 > now, String(hours));
    assert.deepEqual([first % step, last % step], [0, 0]);
  }
  assert.equal(latencyWindow('r', now, 24).step, 5);
});

test('medians lie in the class of the middle answer, failures stand by kind, and slots without answers are null', () => {
  const window = latencyWindow('r', now, 1);
  const row = (slot: number, outcome: string, ms: number, count: number) => ({
    slot,
    outcome,
    bucket: bucketOf(ms),
    count,
  });
  const rows = [row(0, 'ok', 15, 10), row(0, 'ok', 1500, 1), row(2, 'timeout', 5000, 3), row(2, 'servfail', 1, 1)];
  const columns = latencyOf(window, rows);
  assert.equal(columns.times.length, 60);
  assert.deepEqual(columns.times.slice(0, 2), [window.first * 60, window.first * 60 + 60]);
  assert.ok((columns.median[0] ?? 0) > 10 && (columns.median[0] ?? 0) <= 20);
  assert.ok((columns.p95[0] ?? 0) > 1000 && (columns.p95[0] ?? 0) <= 2000);
  assert.deepEqual([columns.median[1], columns.p95[2], columns.answers.slice(0, 3)], [null, null, [11, 0, 0]]);
  assert.deepEqual(Object.keys(columns.failures), ['servfail', 'timeout']);
  assert.deepEqual(columns.failures.timeout?.slice(0, 3), [0, 0, 3]);
});
