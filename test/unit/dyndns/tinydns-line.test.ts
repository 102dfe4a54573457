/** Lines that Debian's tinydns-data (1.05) was seen to refuse or to take; with the program itself where it is installed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { tinydnsRefusal } from '../../../src/dyndns/tinydns-line.ts';
import { bytesOf } from './fixtures.ts';

function refusal(line: string, patched = false): string | undefined {
  const bytes = bytesOf(`+before:1.2.3.4\n${line}`);
  return tinydnsRefusal(bytes, 16, bytes.length, patched);
}

const l63 = 'x'.repeat(63);

const taken = [
  '',
  '   ',
  '\t',
  '# comment',
  '-off',
  '+a.net:1.2.3.4:300',
  '+a.net',
  '+a.net:1.2.3.4\r',
  '=a:1.2.3.4',
  '%ex:1.2.3',
  'Za:b:c',
  `+${l63}.net:1.2.3.4`,
  `+${l63}.${l63}.${l63}.${'x'.repeat(61)}:1.2.3.4`,
  `+${'\\056'.repeat(63)}:1.2.3.4`,
  `+${'.'.repeat(400)}a:1.2.3.4`,
  `'a:${'x'.repeat(2000)}`,
  ':a:28:\\000',
  ':a:65535:x',
];
const refusedLines: readonly (readonly [string, RegExp])[] = [
  ['6a.net:00000000000000000000000000000003', /IPv6 patch/],
  ['3a.net:00000000000000000000000000000003', /IPv6 patch/],
  ['  +lead.net:1.2.3.4', /begin with a blank/],
  ['\t# dynamic: 0', /begin with a blank/],
  ['\r', /nothing but a carriage return/],
  ['whatever', /first character/],
  ['\xff', /first character/],
  [`+${l63}x.net:1.2.3.4`, /too long/],
  [`+${l63}.${l63}.${l63}.${'x'.repeat(62)}:1.2.3.4`, /too long/],
  [`+${'\\056'.repeat(64)}:1.2.3.4`, /too long/],
  [`C${'a'}:${l63}x`, /too long/],
  [`^${'a'}:${l63}x`, /too long/],
  [`Za:b:${l63}x`, /too long/],
  [`&${'a.'.repeat(120)}b:1.2.3.4:${'ns'.repeat(5)}`, /too long/],
  [`@a:1.2.3.4:${l63}x`, /too long/],
  [':a:0:x', /type 0/],
  [':a::x', /type 0/],
  [':a', /type 0/],
  [':a:65536:x', /type 0/],
  [`:a:1${'0'.repeat(5_000_000)}:x`, /type 0/],
  [':a:2:x', /type NS/],
  [':a:5:x', /type CNAME/],
  [':a:6:x', /type SOA/],
  [':a:12:x', /type PTR/],
  [':a:15:x', /type MX/],
  [':a:252:x', /type AXFR/],
];

test('lines that tinydns-data takes are none of our business', () => {
  for (const line of taken) assert.equal(refusal(line), undefined, line);
});

test('lines that it refuses are told with the reason', () => {
  for (const [line, reason] of refusedLines) assert.match(refusal(line) ?? 'taken', reason, JSON.stringify(line));
});

test('with the IPv6 patch, 3 and 6 lines are taken', () => {
  for (const kind of ['3', '6']) {
    assert.equal(refusal(`${kind}a.net:00000000000000000000000000000003`, true), undefined);
    assert.match(refusal(`${kind}${l63}x:0`, true) ?? '', /too long/);
  }
});

// tinydns-data -V does not exist: without a file named data it fails in another way than a missing program does.
const installed = spawnSync('tinydns-data', { cwd: '/' }).error === undefined;

test('the real tinydns-data takes and refuses the same lines', {
  skip: !installed && 'tinydns-data is not installed',
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinydns-line-'));
  try {
    const takes = (line: string): boolean => {
      writeFileSync(join(folder, 'data'), bytesOf(`${line}\n`));
      return spawnSync('tinydns-data', { cwd: folder }).status === 0;
    };
    for (const line of taken) assert.ok(takes(line), line);
    for (const [line] of refusedLines) assert.ok(!takes(line), line);
    const label = fc.constantFrom(
      'a',
      '',
      '\\052',
      '\\9',
      '\\',
      l63,
      `${l63}x`,
      '\\056'.repeat(60),
      'b'.repeat(61),
      '\0',
    );
    const field = fc.oneof(
      fc.array(label, { maxLength: 6 }).map((labels) => labels.join('.')),
      fc.constantFrom('1.2.3.4', '28', '6', '15', '65538x', '018446744073709551618', '\r', ' '),
    );
    const kind = fc.constantFrom(...":::%.&=+@-#'^CZ36 \r\tx\xff".split(''));
    fc.assert(
      fc.property(kind, fc.array(field, { maxLength: 6 }), fc.constantFrom('', ' ', '\r'), (first, fields, end) => {
        const line = first + fields.join(':') + end;
        assert.equal(takes(line), refusal(line) === undefined, JSON.stringify(line));
      }),
      { numRuns: 250 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
