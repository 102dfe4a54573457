/** What `dyndns check` finds in a zone, and on which line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyText } from '../../../src/dyndns/keys.ts';
import { parseZone } from '../../../src/dyndns/zone-file.ts';
import { type LintOptions, lintZone, listBlock } from '../../../src/dyndns/zone-lint.ts';
import { bytesOf, hex6, keyA, keyB } from './fixtures.ts';

const a = keyA.verify.text;
const everyProblem = { mostProblems: Number.POSITIVE_INFINITY };

function lint(text: string, options: LintOptions = {}): string[] {
  const zone = parseZone(bytesOf(text), everyProblem);
  return lintZone(zone, options).map(({ line, severity, message }) => `${line} ${severity} ${message}`);
}

function only(text: string, wanted: readonly RegExp[], options: LintOptions = {}): void {
  const found = lint(text, options);
  assert.equal(found.length, wanted.length, `${JSON.stringify(text)}\n${found.join('\n')}`);
  for (const [index, pattern] of wanted.entries()) assert.match(found[index] ?? '', pattern);
}

test('a sound zone has nothing to say', () => {
  only(`# a zone\n.net:1.2.3.4:ns\n\n# dynamic: 0 ${a} # mine\n+a.net:1.2.3.4\n:a.net:28:${'\\001'.repeat(16)}\n`, []);
});

test('each broken line of a block is told with the block that it stops', () => {
  only(`# x\n# dynamic: 0 ${a} oops\n+a.net:1.2.3\n+broken\n\n+fine:1.2.3.4\n`, [
    /^2 error the header names a key of 4 characters.*: the block takes no update$/,
    /^3 warning tinydns-data does not read 1\.2\.3 as 1\.2\.0\.3: /,
    /^4 error a \+ record without an address: the block of line 2 takes no update$/,
  ]);
});

test('lines that stock tinydns-data refuses are told, with the line to write instead, inside of blocks or not', () => {
  const six = hex6('2001:db8::1');
  const text = `# dynamic: 0 ${a}\n6a.net:${six}:300\n  +lead.net:1.2.3.4\n\n3out.net:${six}\nwhat\n`;
  only(text, [
    /^2 error tinydns-data refuses this line, and with it the zone: 6 lines need the IPv6 patch; write :a\.net:28:\\040\\001\\015\\270(\\000){11}\\001:300$/,
    /^3 error .*begin with a blank$/,
    /^5 error .*; write :out\.net:28:\\040.*\\001$/,
    /^6 error .*first character/,
  ]);
  only(text, [/^3 /, /^6 /], { patchedTinydns: true });
});

test('headers without effect are told', () => {
  const off = keyText(Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 2 : 0)));
  only(`# dynamic: 0\n+a.net:1.2.3.4\n`, [/^1 warning the header names no key/]);
  only(`# dynamic: 0 ${a} ${a}\n+a.net:1.2.3.4\n`, [/^1 warning .*more than once/]);
  only(`# dynamic: 0 ${off}\n+a.net:1.2.3.4\n`, [/^1 error .*not a point of the curve/]);
  only(`# dynamic: 0 ${a}\n\n+a.net:1.2.3.4\n`, [/^1 warning .*no record that an update could change/]);
  only(`# dynamic: 1000 ${a}\n+a.net:1.2.3.4\n`, [/^1 warning .*in the future/], { now: 300 });
  only(`# dynamic: 900 ${a}\n+a.net:1.2.3.4\n`, [], { now: 300 });
});

test('comments that look like a header are told, and others are not', () => {
  for (const text of [
    `# Dynamic: 0 ${a}`,
    `# dynamic: 1e9 ${a}`,
    `# dynamic: -1 ${a}`,
    `# dynamic: .5 ${a}`,
    `# dynamic 0 ${a}`,
    `# dynamic: ${a}`,
    `# old: dynamic: 0 ${a}`,
  ]) {
    only(`${text}\n+a.net:1.2.3.4\n`, [/^1 warning .*looks like a header/]);
  }
  only('# names below are dynamic\n# dynamically made\n', []);
});

test('CR LF is told once, and each empty line that it makes unreadable', () => {
  only(`+a.net:1.2.3.4\r\n\r\n+b.net:1.2.3.4\r\n`, [
    /^1 warning 3 lines end in CR LF/,
    /^2 error .*nothing but a carriage return/,
  ]);
});

test('an empty file is told', () => {
  only('', [/^1 warning the file is empty/]);
});

test('the records of a block are listed with their lines', () => {
  const text = `+x:1.1.1.1\n\n# dynamic: 5 ${a} ${keyB.verify.text}\n+a.net:1.2.3\nCb.net:a.net\n  6\xff.net:${hex6('2001:db8::1')}`;
  const zone = parseZone(bytesOf(text));
  const [block] = zone.blocks;
  assert.ok(block !== undefined);
  assert.deepEqual(listBlock(zone, block), {
    line: 3,
    records: [
      { line: 4, kind: '+', name: 'a.net', address: '1.2.0.3' },
      { line: 6, kind: '6', name: '\\377.net', address: '2001:db8::1' },
    ],
  });
});

test('any bytes are looked at without a throw, and every finding has a line of the file', () => {
  const piece = fc.constantFrom(
    '\n',
    '\r\n',
    '# dynamic: ',
    '0 ',
    a,
    '+a:1.2.3',
    '6',
    ':28:',
    ' ',
    '# Dynamic: 1',
    'x'.repeat(70),
  );
  const texts = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 40 });
  fc.assert(
    fc.property(texts, fc.boolean(), (pieces, patchedTinydns) => {
      const bytes = bytesOf(pieces.join(''));
      const lines = bytes.toString('latin1').split('\n').length;
      let last = 1;
      for (const { line } of lintZone(parseZone(bytes, everyProblem), { patchedTinydns, now: 0 })) {
        assert.ok(line >= last && line <= lines);
        last = line;
      }
    }),
    { numRuns: 1500 },
  );
});
