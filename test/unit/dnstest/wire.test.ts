/** Names as they are typed, on the wire. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NetstewardError } from '../../../src/core/errors.ts';
import { lowered, wireName } from '../../../src/dnstest/wire.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('a name has its labels with their lengths, in lower case, and ends with the root', () => {
  assert.equal(hex(wireName('A.Bc')), '0161026263' + '00');
  assert.equal(hex(wireName('a.bc.')), '016102626300');
  assert.equal(hex(wireName('.')), '00');
  assert.equal(hex(wireName('bücher.example')), hex(wireName('xn--bcher-kva.example')));
  assert.equal(hex(wireName('1.2.3.4')), '0131013201330134' + '00');
});

test('what is no name is refused, with the reason', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /it is empty/],
    ['a..b', /an empty label/],
    ['..', /an empty label/],
    [`${'x'.repeat(64)}.example`, /a label has 64 bytes, and 63 are the most/],
    [`${'x.'.repeat(127)}y`, /has 257 bytes on the wire, and 255 are the most/],
    ['xn--\u0000.é', /IDNA does not allow it/],
  ];
  for (const [text, why] of cases) {
    assert.throws(
      () => wireName(text),
      (error: unknown) => error instanceof NetstewardError && error.code === 'dnstest-name' && why.test(error.message),
      text,
    );
  }
});

test('the longest name that DNS allows is taken', () => {
  assert.equal(wireName(`${'x.'.repeat(126)}y`).length, 255);
});

test('only the capital letters of ASCII become others', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), (byte) => {
      const letter = String.fromCharCode(byte);
      const expected = /[A-Z]/.test(letter) ? letter.toLowerCase().charCodeAt(0) : byte;
      assert.equal(lowered[byte], expected);
    }),
  );
});
