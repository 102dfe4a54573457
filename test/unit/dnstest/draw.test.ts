/** Names that are drawn: random, never ones that a rebinding filter would drop, and in the form that goes over the wire. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { drawLetters, drawName } from '../../../src/dnstest/draw.ts';
import { filteredRange } from '../../../src/dnstest/filtered-address.ts';
import { NameHash } from '../../../src/dnstest/name-hash.ts';
import { fillName, type NameTemplate, readNameTemplate } from '../../../src/dnstest/name-template.ts';

const hash = new NameHash('hash-key');

function template(text: string): NameTemplate {
  const read = readNameTemplate(text);
  assert.equal(read.problem, undefined);
  assert.ok('template' in read);
  return read.template;
}

const problem = (text: string): string => readNameTemplate(text).problem ?? 'none';

test('each @ becomes twelve letters and digits of its own, others for each check', () => {
  const names = Array.from({ length: 50 }, () => drawName(template('@.x-@.test.example'), 4, hash, randomBytes).name);
  for (const name of names) {
    const [, first, second] = /^([a-z0-9]{12})\.x-([a-z0-9]{12})\.test\.example$/.exec(name) ?? [];
    assert.ok(first !== undefined && second !== undefined, name);
    assert.notEqual(first, second);
  }
  assert.equal(new Set(names).size, names.length);
});

test('every letter is as likely as the others', () => {
  // Each byte value once: 252 of 256 make letters, each of the 36 seven times.
  const all = Uint8Array.from({ length: 256 }, (_, index) => index);
  const letters = drawLetters(252, () => all);
  const counts = new Map<string, number>();
  for (const letter of letters) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  assert.equal(counts.size, 36);
  assert.deepEqual(new Set(counts.values()), new Set([7]));
});

test('a name whose address a filter drops is drawn again', () => {
  const asked: string[] = [];
  const addresses = ['10.1.2.3', '127.0.0.1', '192.168.255.1', '8.8.8.8'];
  const fake = {
    address: (name: string) => {
      asked.push(name);
      return addresses[asked.length - 1] ?? '';
    },
  };
  const drawn = drawName(template('@.test.example'), 4, fake, randomBytes);
  assert.deepEqual(drawn, { name: asked[3], expected: '8.8.8.8', filtered: undefined });
  assert.equal(new Set(asked).size, 4);
});

test('a fixed name stays what it is, and its filtered address is told', () => {
  const drawn = drawName(template('fixed.example'), 4, { address: () => '172.31.0.1' }, randomBytes);
  assert.deepEqual(drawn, { name: 'fixed.example', expected: '172.31.0.1', filtered: '172.16.0.0/12' });
});

test('a generator that always says the same ends the draws', () => {
  const drawn = drawName(template('@.example'), 4, { address: () => '10.0.0.1' }, (count) => new Uint8Array(count));
  assert.equal(drawn.name, 'aaaaaaaaaaaa.example');
  assert.equal(drawn.filtered, '10.0.0.0/8');
});

test('the ranges begin and end where the filters’ do', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['0.255.255.255', '0.0.0.0/8'],
    ['1.0.0.0', undefined],
    ['9.255.255.255', undefined],
    ['10.0.0.0', '10.0.0.0/8'],
    ['11.0.0.0', undefined],
    ['100.63.255.255', undefined],
    ['100.64.0.0', '100.64.0.0/10'],
    ['100.127.255.255', '100.64.0.0/10'],
    ['100.128.0.0', undefined],
    ['127.255.255.255', '127.0.0.0/8'],
    ['169.254.9.9', '169.254.0.0/16'],
    ['172.15.255.255', undefined],
    ['172.16.0.0', '172.16.0.0/12'],
    ['172.32.0.0', undefined],
    ['192.168.0.0', '192.168.0.0/16'],
    ['192.169.0.0', undefined],
    ['255.255.255.255', undefined],
    ['::', '::/127'],
    ['::1', '::/127'],
    ['::2', undefined],
    ['::fffe:808:808', undefined],
    ['::ffff:8.8.8.8', '::ffff:0:0/96'],
    ['fbff:ffff::', undefined],
    ['fc00::', 'fc00::/7'],
    ['fd12:3456::1', 'fc00::/7'],
    ['fe00::', undefined],
    ['fe80::1', 'fe80::/10'],
    ['febf:ffff::', 'fe80::/10'],
    ['fec0::', undefined],
    ['2001:db8::1', undefined],
    // 127.0.0.1 in its last bytes alone makes no IPv6 address a filtered one.
    ['2001:db8::7f00:1', undefined],
  ];
  for (const [address, range] of cases) {
    assert.equal(filteredRange(address, address.includes(':') ? 6 : 4), range, address);
  }
});

test('what was typed is hashed as it goes over the wire: lower case, IDNA, no dot at the end', () => {
  assert.equal(fillName(template('Aa.Test.COM.'), ''), 'aa.test.com');
  assert.equal(fillName(template('Тест.пример.рф'), ''), 'xn--e1aybc.xn--e1afmkfd.xn--p1ai');
  assert.equal(fillName(template('0x7f.1'), ''), '0x7f.1', 'no address of a URL');
  assert.equal(fillName(template('_dns.a_b.example'), ''), '_dns.a_b.example');
  assert.match(drawName(template('тест-@.example'), 6, hash, randomBytes).name, /^xn--[a-z0-9-]+\.example$/);
});

test('what is no name is refused, with the reason', () => {
  assert.match(problem(''), /empty/);
  assert.match(problem('.'), /empty/);
  assert.match(problem('a..b'), /empty label/);
  assert.match(problem('.a'), /empty label/);
  assert.match(problem('a b.example'), /has a " "/);
  assert.match(problem('a\u0000b'), /characters that no name can have|has a/);
  assert.match(problem('http://x'), /has a ":"|has a "\/"/);
  assert.match(problem(`${'a'.repeat(64)}.example`), /64 characters, at most 63/);
  assert.match(problem('@@@@@@.example'), /72 characters/);
  assert.match(problem(`${'a.'.repeat(127)}`), /none/);
  assert.match(problem(`${'a.'.repeat(127)}b`), /255 characters, at most 253/);
});

test('any text is a name or a reason, and every drawn name is one that DNS can carry', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.stringMatching(/^[@a-zA-Z0-9_.äж-]{0,40}$/));
  fc.assert(
    fc.property(text, fc.constantFrom(4 as const, 6 as const), (typed, family) => {
      const read = readNameTemplate(typed);
      if (read.problem !== undefined) return;
      const { name, expected, filtered } = drawName(read.template, family, hash, randomBytes);
      assert.match(name, /^(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/);
      assert.ok(name.length <= 253);
      assert.equal(expected, hash.address(name, family));
      if (read.template.places > 0) assert.equal(filtered, undefined);
    }),
    { numRuns: 2000 },
  );
});
