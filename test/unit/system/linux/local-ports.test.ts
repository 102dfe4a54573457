/** Own source ports: cycling through a range. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalPorts } from '../../../../src/system/linux/local-ports.ts';

test('ports come one after another, from anywhere in the range, and around', () => {
  const ports = new LocalPorts({ first: 61_000, last: 61_003 }, () => 0.5);
  assert.deepEqual(
    Array.from({ length: 6 }, () => ports.next()),
    [61_002, 61_003, 61_000, 61_001, 61_002, 61_003],
  );
});

test('the last port of the range is reached, and none beyond it', () => {
  assert.equal(new LocalPorts({ first: 7, last: 9 }, () => 0.999_999).next(), 9);
  assert.equal(new LocalPorts({ first: 7, last: 7 }, () => 0).size, 1);
});

test('what is no range of ports is refused', () => {
  for (const range of [
    { first: 2, last: 1 },
    { first: 0, last: 10 },
    { first: 1, last: 65_536 },
    { first: 1.5, last: 3 },
  ]) {
    assert.throws(() => new LocalPorts(range), { code: 'source-ports-invalid' });
  }
});
