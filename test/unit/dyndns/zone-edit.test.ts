/** Edits of a zone: the golden example, the original's defects one by one, and an edit written a second way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { octalOf } from '../../../src/dyndns/address.ts';
import type { SigningKey } from '../../../src/dyndns/keys.ts';
import { type EditOptions, editZone, type ZoneEdit } from '../../../src/dyndns/zone-edit.ts';
import { parseZone, type ZoneOptions } from '../../../src/dyndns/zone-file.ts';
import { address, bytesOf, hex6, keyA, keyB, keyC, keys, textOf } from './fixtures.ts';
import { editByLines } from './line-edit.ts';

const a = keyA.verify.text;
const b = keyB.verify.text;

function edit(
  text: string,
  key: SigningKey,
  source: string,
  timestamp: number,
  options: EditOptions & ZoneOptions = {},
): ZoneEdit {
  const zone = parseZone(bytesOf(text), options);
  return editZone(zone, { keyId: key.verify.id, address: address(source), timestamp }, options);
}

/** The new text, or the old one where nothing is written. */
function edited(...args: Parameters<typeof edit>): string {
  const { bytes } = edit(...args);
  return bytes === undefined ? args[0] : textOf(bytes);
}

const golden = [
  `# dynamic: 1405421249.00 ${a}`,
  '+a.net:127.0.0.5',
  '=host.net:127.0.0.5:300',
  `6a.net:${hex6('::3')}:300`,
  '+wild:127.0.0.5:300:4000000038af1379:ex',
  '  +lead.net:127.0.0.5',
  '',
  '+after-blank.net:127.0.0.5',
  '',
];

test('the golden example comes out to the byte', () => {
  const wanted = [
    `# dynamic: 1405421300.00 ${a}`,
    '+a.net:127.0.0.6',
    '=host.net:127.0.0.5:300',
    `6a.net:${hex6('::3')}:300`,
    '+wild:127.0.0.6:300:4000000038af1379:ex',
    '  +lead.net:127.0.0.6',
    '',
    '+after-blank.net:127.0.0.5',
    '',
  ];
  assert.equal(edited(golden.join('\n'), keyA, '127.0.0.6', 1405421300), wanted.join('\n'));
});

test('the facts of an edit name each record with its old and new address', () => {
  const result = edit(golden.join('\n'), keyA, '127.0.0.6', 1405421300);
  assert.equal(result.blocks, 1);
  assert.equal(result.changed, 3);
  assert.deepEqual(
    result.changes,
    ['a.net', 'wild', 'lead.net'].map((name) => ({ name, kind: '+', from: '127.0.0.5', to: '127.0.0.6' })),
  );
  const six = edit(golden.join('\n'), keyA, '2001:db8::9', 1405421300);
  assert.deepEqual(six.changes, [{ name: 'a.net', kind: '6', from: '::3', to: '2001:db8::9' }]);
  const few = edit(golden.join('\n'), keyA, '127.0.0.6', 1405421300, { mostFacts: 1 });
  assert.deepEqual([few.changed, few.changes.length], [3, 1]);
});

test('without a change nothing is written, unless timestamps are to be updated', () => {
  const text = golden.join('\n');
  const same = edit(text, keyA, '127.0.0.5', 1405421300);
  assert.deepEqual([same.bytes, same.blocks, same.changed], [undefined, 1, 0]);
  assert.equal(
    edited(text, keyA, '127.0.0.5', 1405421300, { updateTimestamps: true }),
    text.replace('1405421249.00', '1405421300.00'),
  );
  assert.equal(edit(text, keyA, '127.0.0.6', 1405421249, { updateTimestamps: true }).bytes, undefined);
  assert.equal(edit(text, keyB, '127.0.0.6', 1405421300, { updateTimestamps: true }).bytes, undefined);
});

test('all blocks of the key that are older take the update, also those without a change', () => {
  const text = `# dynamic: 10 ${a}\n+one.net:1.1.1.1\n# dynamic: 20 ${b} ${a}\n+two.net:9.9.9.9\n# dynamic: 30 ${a}\n+new.net:1.1.1.1\n# dynamic: 5 ${b}\n+b.net:1.1.1.1\n`;
  const result = edit(text, keyA, '9.9.9.9', 25);
  assert.equal(result.blocks, 2);
  assert.equal(
    textOf(result.bytes ?? Buffer.alloc(0)),
    `# dynamic: 25.00 ${a}\n+one.net:9.9.9.9\n# dynamic: 25.00 ${b} ${a}\n+two.net:9.9.9.9\n# dynamic: 30 ${a}\n+new.net:1.1.1.1\n# dynamic: 5 ${b}\n+b.net:1.1.1.1\n`,
  );
});

test('whether a block is older can be decided elsewhere; its timestamp never goes down', () => {
  const text = `# dynamic: 30.00 ${a}\n+one.net:1.1.1.1\n`;
  assert.equal(edited(text, keyA, '9.9.9.9', 25, { isNewer: () => true }), `# dynamic: 30.00 ${a}\n+one.net:9.9.9.9\n`);
});

test('names that the key may not change are withheld, and the others change', () => {
  const text = `# dynamic: 0 ${a}\n+one.net:1.1.1.1\n+two.net:1.1.1.1\n+three.net:9.9.9.9\n`;
  const allowsName = (name: string): boolean => name === 'two.net';
  const result = edit(text, keyA, '9.9.9.9', 1, { allowsName });
  assert.deepEqual(result.withheld, ['one.net']);
  assert.equal(
    textOf(result.bytes ?? Buffer.alloc(0)),
    text.replace('two.net:1.1.1.1', 'two.net:9.9.9.9').replace(' 0 ', ' 1.00 '),
  );
  assert.equal(edit(text, keyA, '9.9.9.9', 1, { allowsName: () => false }).bytes, undefined);
});

test('a block with a broken line takes no update, and the others of the key do', () => {
  const text = `# dynamic: 0 ${a}\n+one.net:1.1.1.1\n+broken\n# dynamic: 0 ${a}\n+two.net:1.1.1.1\n`;
  assert.equal(
    edited(text, keyA, '9.9.9.9', 1),
    text.replace(`# dynamic: 0 ${a}\n+two.net:1.1.1.1`, `# dynamic: 1.00 ${a}\n+two.net:9.9.9.9`),
  );
});

test('short forms become dotted quads, also where inet_aton reads the same address and tinydns-data another or none', () => {
  const text = `# dynamic: 0 ${a}\n+a:1.2.3\n+b:300\n+c:010.0.0.1:300\n+d:0001.2.0.3\n`;
  assert.equal(
    edited(text, keyA, '9.9.9.9', 1),
    `# dynamic: 1.00 ${a}\n+a:9.9.9.9\n+b:9.9.9.9\n+c:9.9.9.9:300\n+d:9.9.9.9\n`,
  );
  const same = edited(text, keyA, '1.2.0.3', 1);
  assert.equal(same, `# dynamic: 1.00 ${a}\n+a:1.2.0.3\n+b:1.2.0.3\n+c:1.2.0.3:300\n+d:0001.2.0.3\n`);
  assert.equal(edit(same, keyA, '1.2.0.3', 2).bytes, undefined);
});

test('later fields with the very text of the address change with it in + and 6 lines, as in the original', () => {
  const six = hex6('::1');
  const text = `# dynamic: 0 ${a}\n+dup:1.2.3.4:1.2.3.4\n+dup:1.2.3.4 :1.2.3.4 :x\n+no:1.2.3.4:1.2.3.40:a1.2.3.4\n6dup:${six}:${six}\n3dup:${six}:${six}\n`;
  const four = edited(text, keyA, '9.9.9.9', 1);
  assert.match(
    four,
    /\+dup:9\.9\.9\.9:9\.9\.9\.9\n\+dup:9\.9\.9\.9 :9\.9\.9\.9 :x\n\+no:9\.9\.9\.9:1\.2\.3\.40:a1\.2\.3\.4\n/,
  );
  const nine = hex6('2001:db8::9');
  assert.ok(edited(text, keyA, '2001:db8::9', 1).endsWith(`6dup:${nine}:${nine}\n3dup:${nine}:${six}\n`));
});

test('each form of AAAA takes an IPv6 address, each asked-for kind an IPv4 one', () => {
  const text = `# dynamic: 0 ${a}\n6s:${hex6('::1')}:300\n3t:${hex6('::1')}\n:g:28:${octalOf(hex6('::1'))}:300\n=e:1.2.3.4\n@m:1.2.3.4:x\n.n:1.2.3.4:x\n&o:1.2.3.4:x\n`;
  const nine = hex6('2001:db8::9');
  const six = edited(text, keyA, '2001:db8::9', 1);
  assert.ok(six.includes(`6s:${nine}:300\n3t:${nine}\n:g:28:${octalOf(nine)}:300\n=e:1.2.3.4\n`));
  assert.equal(edited(text, keyA, '9.9.9.9', 1), text);
  assert.ok(
    edited(text, keyA, '9.9.9.9', 1, { optional: ['=', '&'] }).endsWith(
      '=e:9.9.9.9\n@m:1.2.3.4:x\n.n:1.2.3.4:x\n&o:9.9.9.9:x\n',
    ),
  );
});

test('literal bytes in a generic AAAA, upper-case digits and another spelling of the same address are no change', () => {
  const text = `# dynamic: 0 ${a}\n6s:${hex6('2001:db8::ab').toUpperCase()}\n:g:28:\\040\\1\\015\\270\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\253\n`;
  assert.equal(edit(text, keyA, '2001:db8::ab', 1).bytes, undefined);
  assert.equal(edit(text, keyA, '2001:db8::ac', 1).changed, 2);
});

test('an IPv4-mapped source changes A records', () => {
  assert.ok(edited(golden.join('\n'), keyA, '::ffff:127.0.0.6', 1405421300).includes('+a.net:127.0.0.6\n'));
});

/** Section by section what killed or spliced the original: each step's text is the next step's file, read anew. */
function story(text: string, steps: readonly (readonly [SigningKey, string, number])[]): string {
  return steps.reduce((now, [key, source, timestamp]) => edited(now, key, source, timestamp), text);
}

test('a second client after the first one, whose header grew, is written where it belongs', () => {
  const text = `# dynamic: 0 ${a}\n+a.net:1.1.1.1\n\n# dynamic: 0 ${b}\n+b.net:1.1.1.1\n`;
  assert.equal(
    story(text, [
      [keyA, '100.100.100.100', 1405421540.03],
      [keyB, '200.200.200.200', 1405421541.04],
      [keyA, '1.2.3.4', 1405421542],
    ]),
    `# dynamic: 1405421542.00 ${a}\n+a.net:1.2.3.4\n\n# dynamic: 1405421541.04 ${b}\n+b.net:200.200.200.200\n`,
  );
});

test('IPv4 of another length, then IPv6, in one block', () => {
  const text = `# dynamic: 0 ${a}\n+a.net:1.1.1.1\n6a.net:${hex6('::1')}\n`;
  assert.equal(
    story(text, [
      [keyA, '100.100.100.100', 10],
      [keyA, '2001:db8::9', 11],
    ]),
    `# dynamic: 11.00 ${a}\n+a.net:100.100.100.100\n6a.net:${hex6('2001:db8::9')}\n`,
  );
});

test('a fresh block takes a second change', () => {
  assert.equal(
    story(`# dynamic: 0 ${a}\n+a.net:1.1.1.1\n`, [
      [keyA, '2.2.2.2', 1405421249.81],
      [keyA, '3.3.3.3', 1405421540.03],
    ]),
    `# dynamic: 1405421540.03 ${a}\n+a.net:3.3.3.3\n`,
  );
});

test('a key that is gone from the file changes nothing, and one that is new does', () => {
  const text = `# dynamic: 0 ${b}\n+a.net:1.1.1.1\n`;
  assert.equal(edit(text, keyA, '2.2.2.2', 1).bytes, undefined);
  assert.equal(edited(text.replace(b, keyC.verify.text), keyC, '2.2.2.2', 1).slice(-9), ':2.2.2.2\n');
});

test('a file without a final newline keeps none, and a key named twice is no obstacle', () => {
  assert.equal(
    edited(`# dynamic: 0 ${a} ${a}\n+a.net:1.1.1.1`, keyA, '22.2.2.2', 1),
    `# dynamic: 1.00 ${a} ${a}\n+a.net:22.2.2.2`,
  );
});

test('CR LF, blanks, notes and bytes that are not UTF-8 stay as they are', () => {
  const text = `\xff\xfe\r\n # dynamic:  0012.5   ${a} # \xe9t\xe9 \r\n\t+\xff.net:1.1.1.1 :300 \r\n'x:\x80\x00\r\n\r\n+out.net:1.1.1.1`;
  assert.equal(edited(text, keyA, '9.9.9.9', 13.005), text.replace('0012.5', '13.01').replace('1.1.1.1', '9.9.9.9'));
});

// Pieces that make zones with everything in them: blocks, near-blocks, all kinds of lines, junk between.
const sources = [
  '1.2.3.4',
  '100.100.100.100',
  '9.9.9.9',
  '2001:db8::1',
  '::1',
  '2001:db8:1111:2222:3333:4444:5555:6666',
];
const source = fc.constantFrom(...sources);
const fourText = fc.constantFrom('1.2.3.4', '9.9.9.9', '100.100.100.100', '1.2.3', '300', '010.0.0.1', 'x', '');
const sixText = fc.constantFrom(...sources.slice(3).map(hex6), hex6('2001:db8::ab').toUpperCase(), 'beef', '');
const junk = fc.uint8Array({ maxLength: 12 }).map((bytes) => textOf(bytes).replaceAll('\n', ' '));
const blanks = fc.constantFrom('', '', '', ' ', '\t', '\r', ' \r');
const name = fc.constantFrom('a.net', '*.b.net', '', '\xff\x00', 'dynamic');
const tail = fc.constantFrom('', '', ':300', ':300:4000000038af1379:ex', ':1.2.3.4', ':9.9.9.9 ', ':1.2.3.40', ' :');
const keyWord = fc.constantFrom(...keys.map(({ verify }) => verify.text), a.slice(0, -1), 'oops', '#', 'note');
const timestampText = fc.constantFrom('0', '1', '00012.5', '1405421249.00', '1405421540.03', '5e3', '-1');
const headerLine = fc
  .tuple(
    fc.constantFrom('# dynamic: ', '#dynamic:', '  # dynamic:\t', '# Dynamic: ', '# '),
    timestampText,
    fc.array(keyWord),
  )
  .map(([start, timestamp, words]) => `${start}${timestamp} ${words.join('  ')}`);
const recordLine = fc.oneof(
  fc.tuple(fc.constantFrom('+', '=', '@', '-'), name, fourText, tail).map(([k, n, v, t]) => `${k}${n}:${v}${t}`),
  fc.tuple(fc.constantFrom('6', '3'), name, sixText, tail).map(([k, n, v, t]) => `${k}${n}:${v}${t}`),
  fc.tuple(name, sixText, tail).map(([n, v, t]) => `:${n}:28:${octalOf(v)}${t}`),
);
const line = fc.tuple(blanks, fc.oneof(headerLine, recordLine, recordLine, recordLine, junk, fc.constant('')), blanks);
const anyZone = fc
  .tuple(fc.array(line, { maxLength: 25 }), fc.constantFrom('\n', ''))
  .map(([lines, end]) => lines.map((parts) => parts.join('')).join('\n') + end);
const goodBlock = fc
  .tuple(
    fc.subarray([...keys], { minLength: 1 }),
    fc.array(fc.constantFrom('+a.net:1.2.3.4', '+b:1.2.3:300', `6c:${hex6('::1')}`, 'Cd:e')),
    blanks,
  )
  .map(
    ([own, lines, blank]) =>
      `# dynamic: 0 ${own.map(({ verify }) => verify.text).join(' ')}${blank}\n${lines.join('\n')}`,
  );
const goodZone = fc
  .tuple(fc.array(goodBlock, { minLength: 1, maxLength: 5 }), fc.constantFrom('\n', ''))
  .map(([blocks, end]) => blocks.join('\n\n') + end);
const update = fc.tuple(fc.constantFrom(...keys), source, fc.double({ min: 0, max: 2e9, noNaN: true }));

test('any zone comes out of an edit as a slow edit line by line makes it', () => {
  let written = 0;
  fc.assert(
    fc.property(fc.oneof(anyZone, goodZone), update, fc.boolean(), (text, [key, from, timestamp], updateTimestamps) => {
      const { bytes } = edit(text, key, from, timestamp, { updateTimestamps });
      const wanted = editByLines(text, key.verify.id, address(from), timestamp, updateTimestamps);
      assert.equal(bytes === undefined ? text : textOf(bytes), wanted);
      assert.equal(bytes === undefined, text === wanted);
      if (bytes !== undefined) written++;
    }),
    { numRuns: 4000 },
  );
  assert.ok(written > 200, `only ${written} of the zones changed`);
});

test('two clients and both families in any order: each file has the same blocks, and a repeated edit changes nothing', () => {
  fc.assert(
    fc.property(goodZone, fc.array(update, { minLength: 1, maxLength: 8 }), (first, updates) => {
      let text = first;
      for (const [key, from, timestamp] of updates) {
        const before = parseZone(bytesOf(text));
        const now = edited(text, key, from, timestamp, { isNewer: () => true });
        const after = parseZone(bytesOf(now));
        const shape = (zone: typeof before): unknown =>
          zone.blocks.map(({ keys, entries, note }) => [keys, entries, note]);
        assert.deepEqual(shape(after), shape(before));
        assert.equal(edit(now, key, from, timestamp, { isNewer: () => true }).bytes, undefined);
        // Every record of the key and family holds the address now; all else is as it was.
        assert.equal(
          now,
          editByLines(text, key.verify.id, address(from), timestamp, false, () => true),
        );
        text = now;
      }
    }),
    { numRuns: 500 },
  );
});

test('any bytes at all are edited without a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), anyZone, update, (bytes, zone, [key, from, timestamp]) => {
      const at = bytes.length % (zone.length + 1);
      edit(zone.slice(0, at) + textOf(bytes) + zone.slice(at), key, from, timestamp);
    }),
    { numRuns: 1500 },
  );
});
