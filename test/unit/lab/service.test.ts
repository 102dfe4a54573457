/** What the world serves, and the plan of addresses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Address4, Address6 } from 'ip-address';
import { canonicalAddress, canonicalName } from '../../../src/lab/address.ts';
import { links, resolvers, serviceAddress } from '../../../src/lab/plan.ts';
import { answerFor, defaultServices, serviceOf } from '../../../src/lab/service.ts';

const isGlobal = (address: string): boolean =>
  address.includes(':') ? new Address6(address).isGlobal() : new Address4(address).isGlobal();

test('made-up addresses are public, canonical and never given twice', () => {
  const seen = new Set<string>();
  for (const index of [0, 1, 2, 255, 256, 4095, 4096, 20_000]) {
    for (const address of serviceOf({ name: 'a.example' }, index).addresses) {
      assert.ok(isGlobal(address), address);
      assert.equal(canonicalAddress(address), address);
      assert.ok(!seen.has(address), address);
      seen.add(address);
    }
  }
  assert.notEqual(serviceAddress(4, 0, 15), serviceAddress(4, 1, 0));
});

test('every address beyond the LAN is public', () => {
  const addresses = links.flatMap(({ name, ends }) =>
    ends.flatMap(({ ipv4, ipv6 }) => (name === 'lan' ? [ipv6] : [ipv4, ipv6])),
  );
  for (const address of [...addresses, ...resolvers]) assert.ok(isGlobal(address), address);
});

test('each default service has two addresses of each family', () => {
  for (const [index, spec] of defaultServices.entries()) {
    const { addresses } = serviceOf(spec, index);
    assert.equal(addresses.filter((address) => address.includes(':')).length, 2);
    assert.equal(addresses.length, 4);
  }
});

test('a path with its query goes before the path, that before the rest', () => {
  const service = serviceOf(
    {
      name: 'a.example',
      answer: { status: 503 },
      paths: { '/x?k=v': { status: 404 }, '/x': { status: 301, bytes: 5 } },
    },
    0,
  );
  const status = (target: string): number => answerFor(service, target).status;
  assert.deepEqual(['/x?k=v', '/x?k=w', '/x', '/', '/constructor'].map(status), [404, 301, 301, 503, 503]);
  assert.equal(answerFor(service, '/x').location, 'https://a.example/');
  assert.equal(answerFor(service, '/x').bytes, 5);
  assert.ok(answerFor(service, '/').bytes >= 96 * 1024);
});

test('specs that make no sense are refused, each with its place', () => {
  const refused = (spec: Parameters<typeof serviceOf>[0], message: RegExp): void =>
    assert.throws(
      () => serviceOf(spec, 0),
      (error: { code: string; message: string }) => error.code === 'lab-service' && message.test(error.message),
    );
  refused({ name: 'a b' }, /"a b"/);
  refused({ name: 'a.example', ipv4: ['1.2.3'] }, /a\.example: "1\.2\.3"/);
  refused({ name: 'a.example', ipv4: ['2a10::1'] }, /IPv4/);
  refused({ name: 'a.example', ipv4: [], ipv6: [] }, /no address/);
  refused({ name: 'a.example', paths: { '/x': { status: 99 } } }, /a\.example\/x/);
  refused({ name: 'a.example', answer: { bytes: -1 } }, /bytes/);
});

test('addresses and names have one spelling each', () => {
  assert.equal(canonicalAddress('2A10:0:0::0001'), '2a10::1');
  assert.equal(canonicalAddress('::ffff:1.2.3.4'), '1.2.3.4');
  for (const text of ['', '1.2.3', '01.2.3.4', 'fe80::1%lo', ' 1.2.3.4'])
    assert.equal(canonicalAddress(text), undefined, text);
  assert.equal(canonicalName('A_b.Example.'), 'a_b.example');
  for (const text of ['', '.', 'a..b', '-a.b', 'a b', 'ä.example', `${'a'.repeat(64)}.b`])
    assert.equal(canonicalName(text), undefined, text);
});
