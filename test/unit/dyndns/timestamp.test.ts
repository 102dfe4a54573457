/** The header's timestamp, compared with what Python's '{:.2f}'.format printed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTimestamp, headerValue } from '../../../src/dyndns/timestamp.ts';

test('a timestamp is written as Python writes it, ties and large numbers too', () => {
  const printed: readonly (readonly [number, string])[] = [
    [0, '0.00'],
    [12.5, '12.50'],
    [0.125, '0.12'],
    [0.375, '0.38'],
    [0.625, '0.62'],
    [0.875, '0.88'],
    [1405421540.036, '1405421540.04'],
    [1405421540.035, '1405421540.04'],
    [1405421540.125, '1405421540.12'],
    [1405421540.625, '1405421540.62'],
    [1405421540.045, '1405421540.05'],
    [1e15 + 0.125, '1000000000000000.12'],
    [2 ** 53 + 2, '9007199254740994.00'],
    [1e21, '1000000000000000000000.00'],
    [0.005, '0.01'],
    [0.015, '0.01'],
    [1.005, '1.00'],
    [999999999.995, '1000000000.00'],
  ];
  for (const [seconds, text] of printed) assert.equal(formatTimestamp(seconds), text);
  assert.match(formatTimestamp(1e300), /^1000000000000000052504760255204420248\d{264}\.00$/);
});

test('any timestamp is written as digits, a dot and two digits, at most 5 ms from it', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (seconds) => {
      assert.match(formatTimestamp(seconds), /^\d+\.\d\d$/);
      // The text is that near; the number that is nearest to the text may be half a step of doubles beyond: 61 µs at 1e12.
      assert.ok(Math.abs(headerValue(seconds) - seconds) <= 0.005 + 1e-9 + seconds * 2 ** -53);
    }),
    { numRuns: 2000 },
  );
});
