/** What the server does when somebody saves a copy from before an update over it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePacket } from '../../../src/dyndns/packet.ts';
import { openPolicy } from '../../../src/dyndns/policy.ts';
import { DyndnsServer } from '../../../src/dyndns/server.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { FakeZoneFiles } from '../../fakes/fake-zone-files.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { keyA } from './fixtures.ts';

const file = '/zone';
const text = (stamp: string, address: string): string => `# dynamic: ${stamp} ${keyA.verify.text}\n+a.net:${address}\n`;

async function setUp() {
  const clock = new FakeClock();
  const zones = new FakeZoneFiles();
  zones.set(file, text('0', '192.0.2.1'));
  const log = new MemoryLog();
  const sync = { calls: 0, hold: undefined as Promise<void> | undefined };
  const ports = {
    clock,
    zones,
    log,
    store: new MemoryStore(),
    commitSync: {
      sync: (): Promise<void> => {
        sync.calls += 1;
        return sync.hold ?? Promise.resolve();
      },
    },
    commands: new FakeCommands(),
    nameServer: { ask: () => Promise.resolve({ ok: false as const, reason: 'not asked in this test' }) },
  };
  const open = (): Promise<DyndnsServer> =>
    DyndnsServer.open(ports, {
      zones: [{ file, optional: [], updateCommand: [], commandTimeout: 1000 }],
      stateFile: '/state',
      clockWindow: 0,
      updateTimestamps: false,
      verify: undefined,
      policyOf: () => openPolicy,
    });
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn += 1) await settle();
  };
  const wait = async (): Promise<void> => {
    await clock.advance(5000);
    await settled();
  };
  const move = async (server: DyndnsServer, to: string, timestamp: number): Promise<void> => {
    server.datagram(encodePacket(keyA, timestamp), to);
    await settled();
  };
  const stale = (): unknown[] =>
    log.lines.filter(({ event }) => event === 'stale-copy-saved').map(({ fields }) => fields);
  return { clock, zones, sync, open, wait, move, stale, settled };
}

test('an old copy is told with its file and keys, and the update is made again without any packet', async () => {
  const { zones, open, wait, move, stale } = await setUp();
  const server = await open();
  await move(server, '192.0.2.7', 100.125);
  assert.equal(zones.text(file), text('100.12', '192.0.2.7'));
  zones.set(file, `${text('0', '192.0.2.1')}# a note\n`);
  await wait();
  assert.deepEqual(stale(), [{ file, keyIds: [keyA.verify.id] }]);
  assert.equal(zones.text(file), `${text('100.12', '192.0.2.7')}# a note\n`);
  await server.stop();
});

test('also after a restart, before the first packet', async () => {
  const { clock, zones, open, wait, move, stale } = await setUp();
  const first = await open();
  await move(first, '192.0.2.7', 100);
  await first.stop();
  assert.equal(clock.waiting, 0);
  const server = await open();
  zones.set(file, text('0', '192.0.2.1'));
  await wait();
  assert.equal(zones.text(file), text('100.00', '192.0.2.7'));
  assert.equal(stale().length, 1);
  await server.stop();
  assert.equal(clock.waiting, 0);
});

test('an address by hand below the newest header, and a header that another server has raised, stay', async () => {
  const { zones, open, wait, move, stale } = await setUp();
  const server = await open();
  await move(server, '192.0.2.7', 100);
  for (const saved of [text('100.00', '192.0.2.99'), text('200', '192.0.2.50'), '# nothing follows any more\n']) {
    zones.set(file, saved);
    await wait();
    assert.equal(zones.text(file), saved);
  }
  assert.deepEqual(stale(), []);
  await server.stop();
});

test('of several updates the newest is made again, not one of an earlier time', async () => {
  const { zones, open, wait, move } = await setUp();
  const server = await open();
  await move(server, '192.0.2.7', 100);
  await move(server, '192.0.2.8', 200);
  zones.set(file, text('100.00', '192.0.2.7'));
  await wait();
  assert.equal(zones.text(file), text('200.00', '192.0.2.8'));
  await server.stop();
});

test('a file that is caught half saved says nothing: what it was before counts, and the update is written to the whole', async () => {
  const { zones, open, move, wait } = await setUp();
  const server = await open();
  await wait();
  // The header is there already, its record is not.
  zones.halfSaved = true;
  zones.set(file, `# dynamic: 0 ${keyA.verify.text}\n`);
  // Somebody has gone back by hand to an address that the zone did not have before.
  await move(server, '192.0.2.1', 100);
  assert.equal(server.counts.accepted, 1);
  zones.halfSaved = false;
  zones.set(file, text('0', '192.0.2.66'));
  await wait();
  assert.equal(zones.text(file), text('100.00', '192.0.2.1'));
  await server.stop();
});

test('the zone is written when the state is on the disk, not before, and one sync serves all that wait', async () => {
  const { zones, sync, open, move, settled } = await setUp();
  const server = await open();
  let release = (): void => {};
  sync.hold = new Promise((resolve) => {
    release = resolve;
  });
  await move(server, '192.0.2.7', 100);
  await move(server, '192.0.2.8', 200);
  await move(server, '192.0.2.9', 300);
  assert.equal(server.counts.accepted, 3);
  assert.equal(zones.writes, 0);
  assert.equal(sync.calls, 1);
  sync.hold = undefined;
  release();
  await settled();
  assert.equal(zones.text(file), text('300.00', '192.0.2.9'));
  assert.equal(sync.calls, 2);
  await server.stop();
});
