/** The server in a flood that leaves no turn of the event loop without a full look at the socket. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { mostInTurn } from '../../../src/dyndns/check-budget.ts';
import { signingKey } from '../../../src/dyndns/keys.ts';
import { encodePacket } from '../../../src/dyndns/packet.ts';
import { openPolicy } from '../../../src/dyndns/policy.ts';
import { DyndnsServer } from '../../../src/dyndns/server.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { FakeZoneFiles } from '../../fakes/fake-zone-files.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

const key = signingKey(randomBytes(32));
const owner = '192.0.2.9';

async function setUp() {
  const clock = new FakeClock();
  const zones = new FakeZoneFiles();
  zones.set('/zone', `# dynamic: 0 ${key.verify.text}\n+a.net:192.0.2.1\n`);
  const ports = {
    clock,
    zones,
    log: new MemoryLog(),
    store: new MemoryStore(),
    commitSync: { sync: () => Promise.resolve() },
    commands: new FakeCommands(),
    nameServer: { ask: () => Promise.resolve({ ok: false as const, reason: 'not asked in this test' }) },
  };
  const server = await DyndnsServer.open(ports, {
    zones: [{ file: '/zone', optional: [], updateCommand: [], commandTimeout: 1000 }],
    stateFile: '/state',
    clockWindow: 600,
    updateTimestamps: false,
    verify: undefined,
    policyOf: () => openPolicy,
  });
  const stamp = (): number => clock.now() / 1000;
  server.datagram(encodePacket(key, stamp()), owner);
  for (let turn = 0; turn < 4; turn += 1) await settle();
  assert.equal(server.counts.accepted, 1);
  await clock.advance(100);
  const forged = Buffer.from(encodePacket(key, stamp()));
  forged.fill(9, 36, 99);
  let sent = 0;
  /** One turn of the event loop that packets fill, each from another address. */
  const fullTurn = async (): Promise<void> => {
    for (let packet = 0; packet < mostInTurn; packet += 1) {
      sent += 1;
      server.datagram(Buffer.from(forged), `198.18.${sent >> 8}.${sent & 255}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { server, stamp, fullTurn };
}

test('an owner at a known address is served in the midst of a flood, before hundreds that came first', async () => {
  const { server, stamp, fullTurn } = await setUp();
  for (let turn = 0; turn < 4; turn += 1) await fullTurn();
  server.datagram(encodePacket(key, stamp()), owner);
  for (let turn = 0; turn < 6; turn += 1) await fullTurn();
  assert.equal(server.counts.accepted, 2);
  assert.ok((server.counts.signature ?? 0) < 10, 'strangers take few of the turns');
  await server.stop();
});

test('while full turns go on, strangers are checked one after another all the same', async () => {
  const { server, stamp, fullTurn } = await setUp();
  server.datagram(encodePacket(key, stamp()), '203.0.113.5');
  for (let turn = 0; turn < 20; turn += 1) await fullTurn();
  assert.equal(server.counts.accepted, 2);
  assert.ok((server.counts.signature ?? 0) > 0);
  await server.stop();
});
