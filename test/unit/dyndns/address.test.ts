/** Addresses as sockets tell them, as zones write them, and as inet_aton(3) and tinydns-data read them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOf, familyOfSource, inetAton, octalOf, readAddress, tinydnsQuad } from '../../../src/dyndns/address.ts';

test('a source is read with its family; an IPv4-mapped one is IPv4', () => {
  const cases: readonly (readonly [string, 4 | 6, string, number | string])[] = [
    ['192.0.2.1', 4, '192.0.2.1', 0xc0000201],
    ['255.255.255.255', 4, '255.255.255.255', 0xffffffff],
    ['::ffff:192.0.2.1', 4, '192.0.2.1', 0xc0000201],
    ['::FFFF:c000:201', 4, '192.0.2.1', 0xc0000201],
    ['2001:db8::1', 6, '2001:db8::1', '20010db8000000000000000000000001'],
    ['2001:DB8:0:0::ABCD', 6, '2001:db8::abcd', '20010db800000000000000000000abcd'],
    ['::', 6, '::', '0'.repeat(32)],
    ['::192.0.2.1', 6, '::c000:201', '000000000000000000000000c0000201'],
  ];
  for (const [text, family, canonical, value] of cases) {
    assert.deepEqual(readAddress(text), { family, text: canonical, value }, text);
    assert.deepEqual(addressOf(value), { family, text: canonical, value });
  }
});

test('a link-local source with its zone, and what is no address, are none', () => {
  for (const text of ['fe80::1%eth0', 'fe80::1%', '', 'a.net', '1.2.3', '1.2.3.4:5533', '[::1]', '1.2.3.4 ']) {
    assert.equal(readAddress(text), undefined, text);
  }
});

test('the family alone is the same for every text that a socket tells', () => {
  for (const text of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1', '::1', '::', 'fe80::1%eth0']) {
    assert.equal(familyOfSource(text), readAddress(text)?.family ?? 6, text);
  }
});

test('short, octal and hexadecimal IPv4 forms are read as glibc reads them', () => {
  const read: Readonly<Record<string, string>> = {
    '1.2.3': '1.2.0.3',
    '300': '0.0.1.44',
    '010.0.0.1': '8.0.0.1',
    '0x7f.1': '127.0.0.1',
    '4294967295': '255.255.255.255',
    '1.2.65535': '1.2.255.255',
    '00000000000001.2.3.4': '1.2.3.4',
    '0xffffffff': '255.255.255.255',
    '1.2.3.4': '1.2.3.4',
    '0': '0.0.0.0',
  };
  for (const [text, quad] of Object.entries(read)) assert.equal(addressOf(inetAton(text) ?? '').text, quad, text);
  const refused = ['1.2.3.4.', '08.1.1.1', '', '4294967296', '1.2.65536', '1.16777216', '256.1.1.1', '0x', '1..2'];
  for (const text of [...refused, '+1.2.3.4', '-1', '1.2.3.0400', '1_0.1.1.1', ' 1.2.3.4', '1.2.3.4.5', '0x1_0']) {
    assert.equal(inetAton(text), undefined, text);
  }
});

test('tinydns-data reads four decimal numbers, whatever follows, and publishes nothing else', () => {
  const read: readonly (readonly [string, string | undefined])[] = [
    ['1.2.3.4', '1.2.3.4'],
    ['010.0.0.1', '10.0.0.1'],
    ['1.2.3.4x', '1.2.3.4'],
    ['256.1.1.1', '0.1.1.1'],
    ['1.2.3.99999999999999999999', '1.2.3.255'],
    [`1.2.3.${'0'.repeat(5_000_000)}511`, '1.2.3.255'],
    ['1.2.3', undefined],
    ['300', undefined],
    ['0x7f.0.0.1', undefined],
  ];
  for (const [text, quad] of read) {
    const value = tinydnsQuad(text);
    assert.equal(value === undefined ? undefined : addressOf(value).text, quad, text);
  }
});

test('any IPv4 or IPv6 address survives the way to its value and back', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = readAddress(text);
      assert.ok(address !== undefined);
      assert.deepEqual(addressOf(address.value), address);
      if (address.family === 4) assert.equal(inetAton(address.text), address.value);
    }),
    { numRuns: 500 },
  );
});

test('sixteen octal escapes hold an IPv6 address', () => {
  const text = octalOf('2a000000000000000000000000000001');
  assert.equal(text, `\\052${'\\000'.repeat(14)}\\001`);
});
