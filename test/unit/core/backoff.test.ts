/** Backoff: how the delays grow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffDelay } from '../../../src/core/backoff.ts';

test('delays double from the first one and stop growing at the longest one', () => {
  const delays = [0, 1, 2, 3, 4, 5, 6].map((failures) => backoffDelay(failures, { first: 100, most: 1000 }));
  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1000, 1000]);
});

test('thousands of failures do not overflow the delay', () => {
  assert.equal(backoffDelay(5000, { first: 100, most: 1000 }), 1000);
});

test('the factor can be chosen', () => {
  assert.equal(backoffDelay(3, { first: 10, most: 1000, factor: 3 }), 90);
});
