/** A round of packets on a fake network: who gets what, when, and what is said where nothing goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FamilyChoice, planTargets, readBinds, readDestinations } from '../../../src/dyndns/client-endpoints.ts';
import { type ClientPorts, type RoundPlan, sendRound } from '../../../src/dyndns/client-round.ts';
import type { Read } from '../../../src/dyndns/keys.ts';
import { decodePacket } from '../../../src/dyndns/packet.ts';
import { fitsStrict } from '../../../src/dyndns/signature.ts';
import type { Datagram, DatagramSender } from '../../../src/system/address-ports.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { keyA, keyB } from './fixtures.ts';

function value<T>(read: Read<T>): T {
  if (read.problem !== undefined) assert.fail(read.problem);
  return read.value;
}

function planOf(destinations: string, options: { binds?: string; choice?: FamilyChoice } & Partial<RoundPlan> = {}) {
  const { binds, choice = 'first', ...rest } = options;
  const from = binds === undefined ? [] : value(readBinds(binds));
  const targets = value(planTargets(value(readDestinations(destinations)), from, choice));
  return { targets, keys: [keyA], waits: [], anyAddress: false, ...rest };
}

class Network implements ClientPorts, DatagramSender {
  readonly clock = new FakeClock();
  readonly log = new MemoryLog();
  readonly resolver = new FakeResolver();
  readonly sender = this;
  readonly told = new Set<string>();
  readonly sent: (Datagram & { readonly at: number })[] = [];
  /** Errno of what cannot be sent to. */
  readonly broken = new Map<string, string>();
  choose = (count: number): number => count - 1;

  async send(datagram: Datagram): Promise<void> {
    const code = this.broken.get(datagram.address);
    if (code !== undefined) throw Object.assign(new Error(`send ${code}`), { code });
    this.sent.push({ ...datagram, at: this.clock.monotonic() });
  }

  /** `address:port` of each packet, with `<source:port` where it has one. */
  get places(): string[] {
    return this.sent.map(({ address, port, from }) => {
      const source = from === undefined ? '' : `<${from.address}:${from.port}`;
      return `${address}:${port}${source}`;
    });
  }

  round(plan: RoundPlan, signal = new AbortController().signal) {
    return sendRound(plan, this, signal);
  }
}

test('each key sends one packet to each destination from each bind, all with one timestamp', async () => {
  const network = new Network();
  network.resolver.answer('ns', '192.0.2.1');
  const plan = planOf('ns:53/192.0.2.2', { binds: '10.0.0.1/10.0.0.2:7', keys: [keyA, keyB] });
  assert.deepEqual(await network.round(plan), { sent: 8, failures: [] });
  assert.deepEqual(
    network.places.sort(),
    ['192.0.2.1:53', '192.0.2.2:5533'].flatMap((to) =>
      ['10.0.0.1:0', '10.0.0.2:7'].flatMap((from) => Array(2).fill(`${to}<${from}`)),
    ),
  );
  const packets = network.sent.map(({ bytes }) => decodePacket(bytes) ?? assert.fail('not a packet'));
  assert.deepEqual(new Set(packets.map(({ timestamp }) => timestamp)), new Set([network.clock.now() / 1000]));
  for (const key of [keyA, keyB]) {
    const own = packets.filter(({ keyId }) => keyId === key.verify.id);
    assert.equal(own.length, 4);
    assert.ok(own.every(({ signed, signature }) => fitsStrict(key.verify, signed, signature)));
  }
});

test('redundant packets follow after their delays, keep the timestamp, and go where the name leads by then', async () => {
  const network = new Network();
  network.resolver.answer('ns', '192.0.2.1');
  const round = network.round(planOf('ns', { waits: [1000, 2000] }));
  await network.clock.advance(500);
  network.resolver.answer('ns', '192.0.2.9');
  await network.clock.advance(5000);
  assert.deepEqual(await round, { sent: 3, failures: [] });
  assert.deepEqual(
    network.sent.map(({ at, address }) => [at, address]),
    [
      [0, '192.0.2.1'],
      [1000, '192.0.2.9'],
      [3000, '192.0.2.9'],
    ],
  );
  assert.equal(new Set(network.sent.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).size, 1);
});

test('a name is asked for once a packet, however many pairs it is in', async () => {
  const network = new Network();
  network.resolver.answer('ns', '192.0.2.1');
  await network.round(planOf('ns:1/ns:2/ns:3', { binds: '10.0.0.1/10.0.0.2' }));
  assert.equal(network.resolver.requests.length, 1);
  assert.equal(network.sent.length, 6);
});

test('of both families the first IPv4 address is taken, each one where both are asked for', async () => {
  for (const [choice, expected] of [
    ['first', ['192.0.2.1:5533']],
    [4, ['192.0.2.1:5533']],
    [6, ['2001:db8::1:5533']],
    ['both', ['192.0.2.1:5533', '2001:db8::1:5533']],
  ] as const) {
    const network = new Network();
    network.resolver.answer('ns', '2001:db8::1', '192.0.2.1');
    await network.round(planOf('ns', { choice }));
    assert.deepEqual(network.places, expected, `${choice}`);
    assert.deepEqual(network.log.of('several-addresses'), []);
  }
});

test('where a name has IPv6 addresses alone, they are taken', async () => {
  const network = new Network();
  network.resolver.answer('ns', '2001:db8::1');
  await network.round(planOf('ns'));
  assert.deepEqual(network.places, ['2001:db8::1:5533']);
});

test('a bind sends in its own family', async () => {
  const network = new Network();
  network.resolver.answer('ns', '192.0.2.1', '2001:db8::1');
  await network.round(planOf('ns', { binds: '::5/10.0.0.1' }));
  assert.deepEqual(network.places.sort(), ['192.0.2.1:5533<10.0.0.1:0', '2001:db8::1:5533<::5:0']);
});

test('of several addresses the first is taken with one warning, any one where that is asked for', async () => {
  const network = new Network();
  network.resolver.answer('ns', '192.0.2.1', '192.0.2.2', '192.0.2.3');
  await network.round(planOf('ns'));
  assert.deepEqual(network.places, ['192.0.2.1:5533']);
  assert.deepEqual(network.log.of('several-addresses')[0]?.fields.host, 'ns');
  await network.round(planOf('ns'));
  await network.round(planOf('ns', { anyAddress: true }));
  assert.deepEqual(network.places.slice(1), ['192.0.2.1:5533', '192.0.2.3:5533']);
  assert.equal(network.log.of('several-addresses').length, 1);
});

test('one family that cannot be reached is no failure where the other can', async () => {
  const network = new Network();
  network.resolver.answer('ns', '192.0.2.1', '2001:db8::1');
  network.broken.set('2001:db8::1', 'ENETUNREACH');
  assert.deepEqual(await network.round(planOf('ns', { choice: 'both' })), { sent: 1, failures: [] });
  network.broken.set('192.0.2.1', 'EPERM');
  const { sent, failures } = await network.round(planOf('ns', { choice: 'both' }));
  assert.equal(sent, 0);
  assert.deepEqual(failures, [{ target: 'ns', reason: '[2001:db8::1]:5533: this machine has no route to it' }]);
});

test('destinations that get nothing are told with the reason, the others get theirs', async () => {
  const network = new Network();
  network.resolver.answer('six', '2001:db8::1');
  network.resolver.fail('dead', 'timeout', 'no answer within 10000 ms');
  const { sent, failures } = await network.round(planOf('dead/six/192.0.2.1', { choice: 4 }));
  assert.equal(sent, 1);
  assert.deepEqual(failures, [
    { target: 'dead', reason: 'dead does not resolve: no answer within 10000 ms' },
    { target: 'six', reason: 'there is no IPv4 address of it' },
  ]);
});

test('a bind address that the machine does not have is named', async () => {
  const network = new Network();
  network.broken.set('192.0.2.1', 'EADDRNOTAVAIL');
  const { failures } = await network.round(planOf('192.0.2.1', { binds: '10.9.9.9' }));
  assert.deepEqual(failures, [
    { target: '192.0.2.1 from 10.9.9.9', reason: '192.0.2.1:5533: this machine has no address 10.9.9.9 (--bind)' },
  ]);
});

test('a destination that one of several packets went to is no failure', async () => {
  const network = new Network();
  const round = network.round(planOf('ns', { waits: [1000] }));
  await network.clock.advance(500);
  network.resolver.answer('ns', '192.0.2.1');
  await network.clock.advance(1000);
  assert.deepEqual(await round, { sent: 1, failures: [] });
});

test('an abort ends a round between its packets', async () => {
  const network = new Network();
  const stop = new AbortController();
  const round = network.round(planOf('192.0.2.1', { waits: [1000] }), stop.signal);
  await settle();
  stop.abort(new Error('stopped'));
  await assert.rejects(round, /stopped/);
  assert.equal(network.sent.length, 1);
  assert.equal(network.clock.waiting, 0);
});

test('no secret is in any line of the log', async () => {
  const network = new Network();
  await network.round(planOf('192.0.2.1'));
  const text = JSON.stringify(network.log.lines);
  assert.match(text, /packet-sent/);
  for (const encoding of ['base64url', 'base64', 'hex'] as const) {
    assert.ok(!text.includes(Buffer.from(keyA.seed).toString(encoding).slice(0, 20)));
  }
});
