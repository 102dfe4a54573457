/** Printable text: nothing that others wrote steers the terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { printable, printableJson, printableLines, visibleJson } from '../../../src/core/printable.ts';

test('escape sequences, C1 controls and direction overrides become visible', () => {
  assert.equal(printable('a\x1b[31mb\x9b2Jc\u202ed\x7f'), 'a\\x1b[31mb\\x9b2Jc\\u202ed\\x7f');
});

test('a line feed stays a line feed only in text of several lines', () => {
  assert.equal(printable('a\nb\tc\r'), 'a\\nb\\tc\\r');
  assert.equal(printableLines('a\nb\tc'), 'a\nb\\tc');
});

test('letters of every language and symbols stay as they are', () => {
  const text = 'naïve пример 例え → ✓ 🙂';
  assert.equal(printable(text), text);
});

test('no text keeps a control character or a lone surrogate', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});

test('JSON made safe means the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = printableJson(JSON.stringify({ text }));
      assert.doesNotMatch(json, /[\p{Cc}\p{Cs}]/u);
      assert.deepEqual(JSON.parse(json), { text });
    }),
  );
});

test('JSON for a page means what printable() says, but for what JSON itself escapes', () => {
  assert.equal(JSON.parse(visibleJson(JSON.stringify('a\u202eb\u009b\n"\\'))), 'a\\u202eb\\u009b\n"\\');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const { shown } = JSON.parse(visibleJson(JSON.stringify({ shown: text }))) as { readonly shown: string };
      assert.doesNotMatch(shown, /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/u);
    }),
  );
});
