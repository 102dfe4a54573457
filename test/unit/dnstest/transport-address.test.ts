/** How resolvers are written on a command line and in a configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readResolver } from '../../../src/dnstest/transport-address.ts';
import type { DnsServer } from '../../../src/system/dns-client-ports.ts';

function server(text: string): DnsServer {
  const { choice } = readResolver(text);
  assert.equal(choice?.kind, 'server', text);
  assert.ok(choice?.kind === 'server');
  return choice.server;
}

const label = (text: string): string => readResolver(text).choice?.label ?? 'none';

test('an address alone is asked over UDP at port 53', () => {
  const expected = { protocol: 'udp', address: '192.0.2.1', port: 53, name: undefined, path: '' };
  assert.deepEqual(server('192.0.2.1'), expected);
  assert.deepEqual(server('udp://192.0.2.1:53'), expected);
  assert.deepEqual(server('192.0.2.1:5353'), { ...expected, port: 5353 });
  assert.deepEqual(server('2001:db8::1'), { ...expected, address: '2001:db8::1' });
  assert.deepEqual(server('[2001:db8::1]:5353'), { ...expected, address: '2001:db8::1', port: 5353 });
  assert.deepEqual(server('fe80::1%eth0'), { ...expected, address: 'fe80::1%eth0' });
});

test('each way to ask has its own port', () => {
  assert.equal(server('tcp://192.0.2.1').port, 53);
  assert.equal(server('tls://192.0.2.1').port, 853);
  assert.equal(server('https://192.0.2.1/dns-query').port, 443);
  assert.equal(server('tls://[2001:db8::1]:8853').port, 8853);
});

test('a name is for the certificate, and the address after # says where it is', () => {
  assert.deepEqual(server('tls://DNS.example.org#192.0.2.1'), {
    protocol: 'tls',
    address: '192.0.2.1',
    port: 853,
    name: 'dns.example.org',
    path: '',
  });
  assert.deepEqual(server('https://dns.example.org:8443/ask?x=1#2001:db8::1'), {
    protocol: 'https',
    address: '2001:db8::1',
    port: 8443,
    name: 'dns.example.org',
    path: '/ask?x=1',
  });
  assert.equal(server('tls://dns.example.org').address, undefined, 'libc is asked for it');
  assert.equal(server('https://dns.example.org').path, '/dns-query');
});

test('one resolver has one label, however it is written', () => {
  assert.equal(label('192.0.2.1'), 'udp://192.0.2.1:53');
  assert.equal(label('udp://192.0.2.1'), label('192.0.2.1:53'));
  assert.equal(label('2001:db8::1'), 'udp://[2001:db8::1]:53');
  assert.equal(label('https://dns.example.org#192.0.2.1'), 'https://dns.example.org:443/dns-query#192.0.2.1');
  assert.equal(label('system'), 'system');
});

test('what names no resolver is refused with the reason', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /no address/],
    ['dns.example.org', /no IP address: a resolver cannot be looked up by itself/],
    ['tcp://dns.example.org', /no IP address/],
    ['quic://192.0.2.1', /"quic" is no way to ask/],
    ['192.0.2.1:0', /port is not from 1/],
    ['192.0.2.1:70000', /port is not from 1/],
    ['[192.0.2.1]:53', /no address/],
    ['udp://192.0.2.1/x', /only https:\/\/ has a path/],
    ['https://192.0.2.1/ä', /beyond ASCII/],
    ['tls://dns.example.org#dns', /"dns" after "#" is no IP address/],
    ['tls://192.0.2.1#192.0.2.2', /for host names/],
    ['tls://exa mple', /no host name/],
  ];
  for (const [text, reason] of cases) assert.match(readResolver(text).problem ?? 'taken', reason, text);
});

test('any text is a resolver or a reason, and a label reads as what it was made of', () => {
  const piece = fc.constantFrom(
    'udp',
    'tls',
    'https',
    '://',
    ':',
    '[',
    ']',
    '192.0.2.1',
    '2001:db8::1',
    '53',
    'a.b',
    '#',
    '/q',
    '%',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, (typed) => {
      const { choice } = readResolver(typed);
      if (choice === undefined) return;
      assert.deepEqual(readResolver(choice.label).choice, choice);
    }),
    { numRuns: 3000 },
  );
});
