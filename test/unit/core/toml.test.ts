/** TOML: values and places. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DiagnosticError } from '../../../src/core/diagnostic.ts';
import { parseToml } from '../../../src/core/toml.ts';

const failure = (text: string): string => {
  try {
    parseToml(text, 'a.toml');
  } catch (error) {
    assert.ok(error instanceof DiagnosticError);
    assert.equal(error.code, 'config-invalid');
    return error.message;
  }
  assert.fail('it was taken');
};

test('every kind of value comes out as a plain one', () => {
  const { value } = parseToml(
    [
      's = "x"',
      "l = 'C:\\n'",
      'i = 0x10',
      'big = 9223372036854775807',
      'f = 1.5',
      'b = true',
      'd = 1979-05-27T07:32:00Z',
      't = 07:32:00',
      'a = [1, [2], {x = 3}]',
      'p.q = 4',
      '[u.v]',
      'w = 5',
      '[[y]]',
      'z = 6',
      '[y.in]',
      'k = 7',
      '[[y]]',
    ].join('\n'),
    'a.toml',
  );
  assert.deepEqual(value, {
    s: 'x',
    l: 'C:\\n',
    i: 16,
    big: 9223372036854775807n,
    f: 1.5,
    b: true,
    d: new Date('1979-05-27T07:32:00Z'),
    t: '07:32:00',
    a: [1, [2], { x: 3 }],
    p: { q: 4 },
    u: { v: { w: 5 } },
    y: [{ z: 6, in: { k: 7 } }, {}],
  });
});

test('each key and value has its place, counted from 1', () => {
  const { placeOf } = parseToml(
    '[n.check]\nport = 0\nlist = ["a", {deep = 1}]\n[[t]]\nx = 1\n[[t]]\nx = 2\n',
    'a.toml',
  );
  assert.deepEqual(placeOf(['n', 'check', 'port']), { key: { line: 2, column: 1 }, value: { line: 2, column: 8 } });
  assert.deepEqual(placeOf(['n', 'check', 'list', 0])?.value, { line: 3, column: 9 });
  assert.deepEqual(placeOf(['n', 'check', 'list', 1, 'deep'])?.value, { line: 3, column: 22 });
  assert.deepEqual(placeOf(['n', 'check'])?.key, { line: 1, column: 4 });
  assert.deepEqual(placeOf(['t', 1, 'x'])?.value, { line: 7, column: 5 });
});

test('a missing key is placed at its nearest ancestor, and a missing root nowhere', () => {
  const { placeOf } = parseToml('\n[n.check]\nport = 0\n', 'a.toml');
  assert.deepEqual(placeOf(['n', 'check', 'host'])?.key, { line: 2, column: 4 });
  assert.deepEqual(placeOf(['n', 'other', 'x'])?.key, { line: 2, column: 2 });
  assert.equal(placeOf(['q']), undefined);
});

test('syntax errors name line and column', () => {
  assert.match(failure('a = 1\nb = '), /^a\.toml:2:5: /);
  assert.match(failure('a = 1\na = 2'), /^a\.toml:2:1: .*defining a key multiple times/);
  assert.match(failure('[x\n'), /^a\.toml:2:1: /);
});

test('a byte order mark is no key', () => {
  assert.deepEqual(parseToml('\ufeffa = 1', 'a.toml').value, { a: 1 });
});

test('a key named __proto__ is a key like any other, and pollutes nothing', () => {
  const { value } = parseToml('__proto__ = {polluted = 1}\n[constructor.prototype]\npolluted = 1', 'a.toml');
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor']);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('any text is either taken or refused with a place', () => {
  const word = fc.constantFrom('a', '=', '1', '"x"', '[', ']', '{', '}', '.', '\n', ',', ' ', "'", '#', '\0', '\\u');
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      try {
        parseToml(words.join(''), 'a.toml');
      } catch (error) {
        assert.ok(error instanceof DiagnosticError, String(error));
        assert.match(error.message, /^a\.toml:\d+:\d+: /);
      }
    }),
    { numRuns: 500 },
  );
});
