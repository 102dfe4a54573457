/** What a request may cost before it is read: honest ones pass at any size, others are refused without being parsed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tooCostly } from '../../../src/system/linux/nft-agent-gate.ts';

test('a request with all the sets and addresses that there may be passes', () => {
  const addresses = Array.from({ length: 4500 }, (_, index) => `2001:db8::${index.toString(16)}`);
  const delta = { add: addresses, delete: ['::1'] };
  const sets = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`set${index}`, delta]));
  assert.equal(tooCostly(JSON.stringify({ type: 'update', id: 1, sets })), undefined);
});

test('what is too deep, has too many lists or too many values is refused', () => {
  assert.match(tooCostly('[[[[[[') ?? '', /nested deeper than 5/);
  assert.match(tooCostly(`[${'{},'.repeat(300)}0]`) ?? '', /more than 256 lists and objects/);
  assert.match(tooCostly(`[${'0,'.repeat(400_001)}0]`) ?? '', /more than 400000 values/);
  assert.match(tooCostly('["a\\"') ?? '', /ends inside a text/);
});

test('brackets and commas inside of texts do not count, whatever stands before their quotes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('[', '{', ',', '"', '\\', 'a') }), { maxLength: 50 }),
      (texts) => {
        assert.equal(tooCostly(JSON.stringify(texts)), undefined);
        assert.match(tooCostly(`${JSON.stringify(texts)}[[[[[[`) ?? '', /deeper/);
      },
    ),
  );
});
