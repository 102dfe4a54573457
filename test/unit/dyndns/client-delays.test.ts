/** Delays between packets: the sequences that the original documents, with Python's arithmetic. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readDelays, waitsFor } from '../../../src/dyndns/client-delays.ts';
import type { Read } from '../../../src/dyndns/keys.ts';

function good<T>(read: Read<T>): T {
  if (read.problem !== undefined) assert.fail(read.problem);
  return read.value;
}

/** The first delays in seconds, before any is taken as no wait. */
function first(text: string, count: number): number[] {
  const delays = good(readDelays(text));
  const found: number[] = [];
  for (const delay of delays()) {
    found.push(delay);
    if (found.length === count) break;
  }
  return found;
}

test('the documented sequences are those', () => {
  assert.deepEqual(first('1:mul:2', 5), [1, 2, 4, 8, 16]);
  assert.deepEqual(first('10:sub:1', 4), [10, 9, 8, 7]);
  assert.deepEqual(first('3', 3), [3, 3, 3]);
  assert.deepEqual(first('0.5', 2), [0.5, 0.5]);
  assert.deepEqual(first('2:pow:2', 4), [2, 4, 16, 256]);
});

test('operators do as in Python', () => {
  for (const [text, expected] of [
    ['7:truediv:2', [7, 3.5, 1.75]],
    ['7:floordiv:2', [7, 3, 1]],
    ['-7:floordiv:2', [-7, -4, -2]],
    ['-7:mod:3', [-7, 2, 2]],
    ['7:mod:-3', [7, -2, -2]],
    ['5:lshift:1', [5, 10, 20]],
    ['5:rshift:1', [5, 2, 1]],
    ['6:and_:3', [6, 2, 2]],
    ['6:or_:1', [6, 7, 7]],
    ['6:xor:3', [6, 5, 6]],
    ['5:neg', [5, -5, 5]],
    ['-5:abs', [-5, 5, 5]],
    ['5:invert', [5, -6, 5]],
    ['5:inv', [5, -6, 5]],
    ['5:not_', [5, 0, 1]],
    ['5:index', [5, 5, 5]],
    ['5:gt:4', [5, 1, 0]],
    ['1:__add__:2', [1, 3, 5]],
    ['1:iadd:2', [1, 3, 5]],
    ['6:__and__:3', [6, 2, 2]],
    ['6:iand:3', [6, 2, 2]],
    ['1:add:-.5', [1, 0.5, 0]],
  ] as const) {
    assert.deepEqual(first(text, 3), expected, text);
  }
});

test('adding, subtracting and multiplying give the series of the school book', () => {
  const small = fc.integer({ min: -1000, max: 1000 });
  fc.assert(
    fc.property(small, small, fc.integer({ min: 1, max: 20 }), (start, step, count) => {
      const expected = Array.from({ length: count }, (_, index) => start + index * step);
      assert.deepEqual(first(`${start}:add:${step}`, count), expected);
      const down = Array.from({ length: count }, (_, index) => start - index * step);
      assert.deepEqual(first(`${start}:sub:${step}`, count), down);
    }),
  );
});

test('what is no delay is said', () => {
  for (const [text, problem] of [
    ['', /write it as/],
    ['soon', /write it as/],
    ['inf', /write it as/],
    ['1:mul:2:3', /write it as/],
    ['1:mul', /mul needs a number/],
    ['1:mul:x', /x is no number/],
    ['1:neg:2', /neg takes no number/],
    ['1:itemgetter:2', /no operator/],
    ['1:constructor:2', /no operator/],
    ['1:__proto__:2', /no operator/],
    ['1::2', /no operator/],
  ] as const) {
    assert.match(readDelays(text).problem ?? 'none', problem, text);
  }
  fc.assert(fc.property(fc.string(), (text) => void readDelays(text)));
});

function waits(packets: number, text: string) {
  return waitsFor(packets, good(readDelays(text)));
}

test('there is one wait less than there are packets, in milliseconds, and none below zero', () => {
  assert.deepEqual(good(waits(1, '1:mul:2')), []);
  assert.deepEqual(good(waits(4, '1:mul:2')), [1000, 2000, 4000]);
  assert.deepEqual(good(waits(4, '1:sub:1')), [1000, 0, 0]);
  assert.deepEqual(good(waits(5, '1:neg')), [1000, 0, 1000, 0]);
});

test('a delay without a value is a problem, with its place, and so is one without an end', () => {
  assert.equal(waits(3, '1:truediv:0').problem, 'the delay after packet 2 has no value');
  assert.equal(waits(3, '1:mod:0').problem, 'the delay after packet 2 has no value');
  assert.equal(waits(3, '0.5:lshift:1').problem, 'the delay after packet 2 has no value');
  assert.equal(waits(3, '1:lshift:-1').problem, 'the delay after packet 2 has no value');
  assert.match(waits(100, '1:mul:2').problem ?? 'none', /^the delay after packet 18 would be 131072 s/);
  assert.equal(waits(1, '1:truediv:0').problem, undefined, 'no second packet, no delay');
});
