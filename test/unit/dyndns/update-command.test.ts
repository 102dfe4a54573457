/** The server beside its update command: packets go on while it runs, and the health tells that it fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDyndns } from '../../../src/dyndns/config.ts';
import { encodePacket } from '../../../src/dyndns/packet.ts';
import { RunningDyndns } from '../../../src/dyndns/running.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { FakeUdp } from '../../fakes/fake-udp.ts';
import { FakeZoneFiles } from '../../fakes/fake-zone-files.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { keyA, keyB } from './fixtures.ts';

const file = '/zone';

async function start() {
  const clock = new FakeClock();
  const commands = new FakeCommands();
  const zones = new FakeZoneFiles();
  const sockets = new FakeUdp();
  const nameServer = { ask: () => Promise.resolve({ ok: false as const, reason: 'not asked in this test' }) };
  zones.set(
    file,
    `# dynamic: 0 ${keyA.verify.text}\n+a.net:192.0.2.1\n# dynamic: 0 ${keyB.verify.text}\n+b.net:192.0.2.1\n`,
  );
  const parsed = parseDyndns({ state: '/state', zone: [{ file, update_command: ['publish'] }] });
  assert.ok(parsed.ok);
  const host = {
    clock,
    commands,
    zones,
    sockets,
    log: new MemoryLog(),
    store: new MemoryStore(),
    commitSync: { sync: () => Promise.resolve() },
    nameServer,
  };
  const running = await RunningDyndns.start(parsed.config, host, new AbortController().signal);
  const send = async (key: typeof keyA, source: string): Promise<void> => {
    sockets.send(encodePacket(key, clock.now() / 1000), source);
    for (let turn = 0; turn < 4; turn += 1) await settle();
  };
  return { clock, commands, zones, running, send };
}

test('packets are taken and written while the command runs; it runs once more for all of them', async () => {
  const { commands, zones, running, send } = await start();
  let finish = (): void => {};
  commands.delay = () =>
    new Promise<void>((resolve) => {
      finish = resolve;
    });
  await send(keyA, '9.9.9.9');
  assert.equal(commands.requests.length, 1);
  await send(keyB, '8.8.8.8');
  assert.match(zones.text(file), /\+a\.net:9\.9\.9\.9\n[^\n]+\n\+b\.net:8\.8\.8\.8\n/);
  assert.equal(commands.requests.length, 1);
  finish();
  await settle();
  assert.deepEqual(
    commands.requests.map(({ env }) => env?.NETSTEWARD_NAMES),
    ['a.net', 'b.net'],
  );
  finish();
  await settle();
  await running.stop('shutdown');
});

test('a command that fails is in the health until it works', async () => {
  const { clock, commands, running, send } = await start();
  commands.outcome = { ok: false, reason: 'publish: ended with code 111' };
  await send(keyA, '9.9.9.9');
  const [warning, ...more] = running.health().warnings;
  assert.deepEqual([warning?.code, more], ['dyndns-not-published', []]);
  assert.match(warning?.text ?? '', /publish: ended with code 111/);
  commands.outcome = { ok: true };
  await clock.advance(1000);
  assert.deepEqual(running.health().warnings, []);
  await running.stop('shutdown');
});
