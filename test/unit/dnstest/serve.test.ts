/** Where the server listens and for which zones, as typed; and that it has all of its sockets or none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { bindingOf } from '../../../src/dnstest/serve-binding.ts';
import { servedZones } from '../../../src/dnstest/serve-zones.ts';
import { usualTcpLimits, ZoneServer } from '../../../src/dnstest/server.ts';
import type { DnsBinding } from '../../../src/system/dns-listen-ports.ts';
import { FakeDnsListeners } from '../../fakes/fake-dns-listeners.ts';
import { answererOf, query, testZone } from './build-answers.ts';

test('a binding is a host, a port, both, or an IPv6 address with or without brackets', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['192.0.2.1', '192.0.2.1', 53],
    ['192.0.2.1:5353', '192.0.2.1', 5353],
    [':5353', '', 5353],
    ['', '', 53],
    ['::', '::', 53],
    ['::1', '::1', 53],
    ['[::1]', '::1', 53],
    ['[2001:db8::1]:5353', '2001:db8::1', 5353],
    ['localhost', 'localhost', 53],
    ['localhost:0', 'localhost', 0],
  ];
  for (const [text, host, port] of cases) assert.deepEqual(bindingOf(text), { host, port }, text);
  for (const text of ['a b', '1.2.3.4:', '1.2.3.4:x', '1.2.3.4:65536', '[1.2.3.4]', '[::1', '::1]:53', '[::1]53']) {
    assert.throws(() => bindingOf(text), isUsage, text);
  }
});

const isUsage = (error: unknown): boolean => error instanceof NetstewardError && error.code === 'usage';
const four = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number));

test('without --ns a zone has ns.ZONE, at the addresses where it is served and no others', () => {
  const zones = servedZones(['a.example', 'b.example'], [], [{ address: '192.0.2.1' }, { address: '::' }]);
  assert.deepEqual(zones, [
    { name: 'a.example', servers: [{ name: 'ns.a.example', addresses: [four('192.0.2.1')] }] },
    { name: 'b.example', servers: [{ name: 'ns.b.example', addresses: [four('192.0.2.1')] }] },
  ]);
  assert.deepEqual(servedZones([], [], []), []);
});

test('with --ns it has these, with the addresses that are named', () => {
  const [zone] = servedZones(['a.example'], ['ns.a.example=192.0.2.7,2001:db8::7', 'ns.other.example'], []);
  const six = Uint8Array.from(Buffer.from('20010db8000000000000000000000007', 'hex'));
  assert.deepEqual(zone?.servers, [
    { name: 'ns.a.example', addresses: [four('192.0.2.7'), six] },
    { name: 'ns.other.example', addresses: [] },
  ]);
});

test('a name server without a zone, and an address that is none, are refused', () => {
  assert.throws(() => servedZones([], ['ns.example'], []), isUsage);
  for (const text of ['=192.0.2.1', 'ns.example=', 'ns.example=192.0.2.1,', 'ns.example=192.0.2.256', 'ns.example=x']) {
    assert.throws(() => servedZones(['example'], [text], []), isUsage, text);
  }
});

const bindings = (...ports: readonly number[]): readonly DnsBinding[] =>
  ports.map((port) => ({ address: '127.0.0.1', port }));

test('a binding that is refused closes those before it', async () => {
  const listeners = new FakeDnsListeners();
  await assert.rejects(
    ZoneServer.open(listeners, answererOf(testZone), { bindings: bindings(53, 54, 1, 55), tcp: usualTcpLimits }),
    (error: unknown) => error instanceof NetstewardError && error.code === 'dns-not-bound',
  );
  assert.deepEqual(
    listeners.opened.map(({ binding, closed }) => [binding.port, closed]),
    [
      [53, true],
      [54, true],
    ],
  );
});

test('it counts by transport what it answered, and what it did not', async () => {
  const listeners = new FakeDnsListeners();
  const seen: string[] = [];
  const server = await ZoneServer.open(listeners, answererOf(testZone), {
    bindings: bindings(53, 54),
    tcp: usualTcpLimits,
    trace: (_message, answer, transport) => seen.push(`${transport} ${answer === undefined ? 'silent' : 'answered'}`),
  });
  const [first, second] = listeners.opened;
  assert.ok(first?.listener.answer(query('a.test.example', 'A'), 'udp') !== undefined);
  assert.ok(second?.listener.answer(query('a.test.example', 'A'), 'tcp') !== undefined);
  assert.equal(second?.listener.answer(Buffer.alloc(3), 'udp'), undefined);
  assert.deepEqual(server.counts, { udp: 1, tcp: 1, silent: 1 });
  assert.deepEqual(seen, ['udp answered', 'tcp answered', 'udp silent']);
  assert.deepEqual(server.local, ['127.0.0.1:53', '127.0.0.1:54']);
});

test('a socket that fails later ends the server', async () => {
  const listeners = new FakeDnsListeners();
  const server = await ZoneServer.open(listeners, answererOf(), { bindings: bindings(53), tcp: usualTcpLimits });
  listeners.opened[0]?.listener.failed(new Error('gone'));
  await assert.rejects(server.ended, /gone/);
  await server.stop();
  assert.equal(listeners.opened[0]?.closed, true);
});

test('other bindings: those that stay are not touched, and one that is refused leaves all as it was', async () => {
  const listeners = new FakeDnsListeners();
  const settings = { bindings: bindings(53, 54), tcp: usualTcpLimits };
  const server = await ZoneServer.open(listeners, answererOf(testZone), settings);
  const asked = query('a.test.example', 'A');
  const before = listeners.opened[0]?.listener.answer(asked, 'udp');
  await assert.rejects(server.change(answererOf(), bindings(53, 55, 1)), { code: 'dns-not-bound' });
  assert.deepEqual(listeners.openPorts(), [53, 54]);
  assert.deepEqual(listeners.opened[0]?.listener.answer(asked, 'udp'), before);
  await server.change(answererOf({ name: 'other.example', servers: [] }), bindings(55, 53));
  assert.deepEqual(listeners.openPorts(), [53, 55]);
  assert.deepEqual(server.local, ['127.0.0.1:55', '127.0.0.1:53']);
  assert.equal(listeners.opened.length, 4, 'port 53 was opened once, 55 twice');
  assert.notDeepEqual(listeners.opened[0]?.listener.answer(asked, 'udp'), before);
  await server.stop();
  assert.deepEqual(listeners.openPorts(), []);
});
