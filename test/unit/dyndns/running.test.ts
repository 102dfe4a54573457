/** The whole server on fakes: replay over restarts and crashes, editors and failing disks in between, reload. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DyndnsConfig } from '../../../src/dyndns/config.ts';
import { parseDyndns } from '../../../src/dyndns/config.ts';
import { readSeed, type SigningKey } from '../../../src/dyndns/keys.ts';
import { encodePacket } from '../../../src/dyndns/packet.ts';
import { RunningDyndns } from '../../../src/dyndns/running.ts';
import type { DyndnsDetail } from '../../../src/dyndns/status.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { FakeUdp } from '../../fakes/fake-udp.ts';
import { FakeZoneFiles } from '../../fakes/fake-zone-files.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

function keyOf(seed: string): SigningKey {
  const read = readSeed(seed);
  if (read.problem !== undefined) throw new Error(read.problem);
  return read.value;
}

const key = keyOf('1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=');
const file = '/zone';

function setUp() {
  const clock = new FakeClock();
  const commands = new FakeCommands();
  const zones = new FakeZoneFiles();
  const sockets = new FakeUdp();
  const log = new MemoryLog();
  const host = {
    clock,
    commands,
    zones,
    sockets,
    log,
    store: new MemoryStore(),
    commitSync: { sync: () => Promise.resolve() },
    nameServer: { ask: () => Promise.resolve({ ok: false as const, reason: 'not asked in this test' }) },
  };
  zones.set(file, `# dynamic: 0 ${key.verify.text}\n+a.net:192.0.2.1\n+b.net:192.0.2.1\n`);
  const configure = (more: Record<string, unknown> = {}): DyndnsConfig => {
    const parsed = parseDyndns({
      state: '/state',
      zone: [{ file, update_command: ['publish'] }],
      key: [{ key: key.verify.text, sources: ['any'] }],
      ...more,
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.config;
  };
  const start = (more: Record<string, unknown> = {}): Promise<RunningDyndns> =>
    RunningDyndns.start(configure(more), host, new AbortController().signal);
  /** Seconds by the fake clock, of now. */
  const stamp = (): number => clock.now() / 1000;
  const send = async (source: string, timestamp = stamp()): Promise<void> => {
    sockets.send(encodePacket(key, timestamp), source);
    for (let turn = 0; turn < 4; turn += 1) await settle();
  };
  const addresses = (): string[] =>
    [...zones.text(file).matchAll(/^\+\S+?:(\S+)$/gm)].map(([, address = '']) => address);
  return { clock, commands, zones, sockets, log, configure, start, send, stamp, addresses };
}

const packets = (running: RunningDyndns): Readonly<Record<string, number>> =>
  (running.health().detail as DyndnsDetail).packets;

test('an update moves every name of the key, is published, and shows in the health', async () => {
  const stage = setUp();
  const running = await stage.start();
  await stage.send('::ffff:198.51.100.7');
  assert.deepEqual(stage.addresses(), ['198.51.100.7', '198.51.100.7']);
  assert.match(stage.zones.text(file), new RegExp(`^# dynamic: ${stage.stamp().toFixed(2)} `));
  assert.equal(stage.commands.requests[0]?.env?.NETSTEWARD_NAMES, 'a.net b.net');
  const { summary, detail, warnings } = running.health();
  assert.match(summary, /^2 record\(s\) of 1 key\(s\) on \[::\]:5533, 1 update\(s\)/);
  assert.deepEqual((detail as DyndnsDetail).names[0], {
    zone: file,
    name: 'a.net',
    address: '198.51.100.7',
    keys: [key.verify.id],
    heardAt: stage.clock.now(),
  });
  assert.deepEqual(warnings, []);
  await running.stop('shutdown');
});

test('a packet counts once, also one that changed nothing, and also after a restart', async () => {
  const stage = setUp();
  const first = await stage.start();
  await stage.send('192.0.2.1');
  const captured = stage.stamp();
  assert.equal(stage.zones.writes, 0);
  await stage.send('203.0.113.9', captured);
  assert.equal(packets(first)['not-newer'], 1);
  await first.stop('restart');
  const second = await stage.start();
  await stage.send('203.0.113.9', captured);
  assert.deepEqual(stage.addresses(), ['192.0.2.1', '192.0.2.1']);
  assert.equal(packets(second)['not-newer'], 1);
  await second.stop('shutdown');
});

test('a disk that is full loses nothing: what was accepted is written when there is room again', async () => {
  const stage = setUp();
  const running = await stage.start();
  stage.zones.failure = 'ENOSPC';
  await stage.send('198.51.100.7');
  assert.deepEqual(stage.addresses(), ['192.0.2.1', '192.0.2.1']);
  assert.deepEqual(
    running.health().warnings.map(({ code, subject }) => `${code} ${subject}`),
    ['dyndns-zone-not-written /zone'],
  );
  stage.zones.failure = undefined;
  await stage.clock.advance(200);
  assert.deepEqual(stage.addresses(), ['198.51.100.7', '198.51.100.7']);
  assert.deepEqual(running.health().warnings, []);
  await running.stop('shutdown');
});

test('what was accepted but neither written nor published before a crash is both after the next start', async () => {
  const stage = setUp();
  const first = await stage.start();
  stage.zones.failure = 'EIO';
  await stage.send('198.51.100.7');
  await first.stop('restart');
  stage.zones.failure = undefined;
  stage.commands.outcome = { ok: false, reason: 'no' };
  const second = await stage.start();
  await settle();
  assert.deepEqual(stage.addresses(), ['198.51.100.7', '198.51.100.7']);
  await second.stop('restart');
  const before = stage.commands.requests.length;
  stage.commands.outcome = { ok: true };
  const third = await stage.start();
  await settle();
  assert.equal(stage.commands.requests.length, before + 1);
  await third.stop('restart');
  const fourth = await stage.start();
  await settle();
  assert.equal(stage.commands.requests.length, before + 1);
  await fourth.stop('shutdown');
});

test('an editor that saves while a write is on its way loses nothing, and neither does the update', async () => {
  const stage = setUp();
  const running = await stage.start();
  const edited = `# mine\n\n${stage.zones.text(file)}+c.net:192.0.2.1\n`;
  stage.zones.meanwhile = () => stage.zones.set(file, edited);
  await stage.send('198.51.100.7');
  assert.deepEqual(stage.addresses(), ['198.51.100.7', '198.51.100.7', '198.51.100.7']);
  assert.ok(stage.zones.text(file).startsWith('# mine\n\n# dynamic: '));
  await running.stop('shutdown');
});

test('an editor that saves the copy of before an update over it gets the update again', async () => {
  const stage = setUp();
  const running = await stage.start();
  const old = stage.zones.text(file);
  await stage.send('198.51.100.7');
  stage.zones.set(file, `${old}\n# a note\n`);
  await stage.clock.advance(5000);
  // Any packet at all makes it look.
  stage.sockets.send(Buffer.from('x'), '203.0.113.1');
  for (let turn = 0; turn < 4; turn += 1) await settle();
  assert.deepEqual(stage.addresses(), ['198.51.100.7', '198.51.100.7']);
  assert.ok(stage.zones.text(file).endsWith('\n# a note\n'));
  await running.stop('shutdown');
});

test('it needs no packet to see that an editor has saved an old copy, and the command runs again', async () => {
  const stage = setUp();
  const running = await stage.start();
  const old = stage.zones.text(file);
  await stage.send('198.51.100.7');
  const runs = stage.commands.requests.length;
  for (let round = 1; round <= 3; round += 1) {
    stage.zones.set(file, `${old}\n# note ${round}\n`);
    await stage.clock.advance(5000);
    for (let turn = 0; turn < 4; turn += 1) await settle();
    assert.deepEqual(stage.addresses(), ['198.51.100.7', '198.51.100.7']);
    assert.ok(stage.zones.text(file).endsWith(`\n# note ${round}\n`));
    assert.equal(stage.commands.requests.length, runs + round);
  }
  await running.stop('shutdown');
  assert.equal(stage.clock.waiting, 0);
});

test('a broken line that is saved between packets is told with the next packet', async () => {
  const stage = setUp();
  const running = await stage.start();
  await stage.send('198.51.100.7');
  stage.zones.set(file, `${stage.zones.text(file)}+c.net:none\n`);
  await stage.clock.advance(6000);
  await stage.send('198.51.100.8');
  assert.match(running.health().warnings[0]?.text ?? '', /line 4: /);
  assert.ok(stage.log.lines.some(({ event }) => event === 'zone-block-unusable'));
  assert.deepEqual(stage.addresses().slice(0, 2), ['198.51.100.7', '198.51.100.7']);
  await running.stop('shutdown');
});

test('an address that was put in by hand below the header of the last update stays', async () => {
  const stage = setUp();
  const running = await stage.start();
  await stage.send('198.51.100.7');
  stage.zones.set(file, stage.zones.text(file).replaceAll('198.51.100.7', '192.0.2.200'));
  await stage.clock.advance(5000);
  stage.sockets.send(Buffer.from('x'), '203.0.113.1');
  await settle();
  assert.deepEqual(stage.addresses(), ['192.0.2.200', '192.0.2.200']);
  await running.stop('shutdown');
});

test('a zone whose file is gone for a moment takes updates again when it is back', async () => {
  const stage = setUp();
  const running = await stage.start();
  stage.zones.set(file, '# dynamic: 0 short\n+a.net:192.0.2.1\n');
  await stage.clock.advance(2000);
  await stage.send('198.51.100.7');
  assert.match(running.health().warnings[0]?.text ?? '', /blocks of \/zone take no update: line 1: /);
  assert.deepEqual(stage.addresses(), ['192.0.2.1']);
  stage.zones.set(file, `# dynamic: 0 ${key.verify.text}\n+a.net:192.0.2.1\n`);
  await stage.clock.advance(2000);
  await stage.send('198.51.100.7');
  assert.deepEqual(stage.addresses(), ['198.51.100.7']);
  assert.deepEqual(running.health().warnings, []);
  await running.stop('shutdown');
});

test('two updates before the first is written: the last one is in the zone at the end', async () => {
  const stage = setUp();
  const running = await stage.start();
  stage.zones.failure = 'EIO';
  await stage.send('198.51.100.7');
  await stage.clock.advance(10);
  // Back to where the zone still is.
  await stage.send('192.0.2.1');
  stage.zones.failure = undefined;
  await stage.clock.advance(60_000);
  assert.deepEqual(stage.addresses(), ['192.0.2.1', '192.0.2.1']);
  await stage.clock.advance(10);
  await stage.send('198.51.100.8');
  assert.deepEqual(stage.addresses(), ['198.51.100.8', '198.51.100.8']);
  await running.stop('shutdown');
});

test('without a table of its own a key moves names to public addresses alone', async () => {
  const stage = setUp();
  const running = await stage.start({ key: [] });
  await stage.send('10.0.0.1');
  assert.equal(packets(running)['source-not-allowed'], 1);
  await stage.clock.advance(1000);
  await stage.send('9.9.9.9');
  assert.deepEqual(stage.addresses(), ['9.9.9.9', '9.9.9.9']);
  await running.stop('shutdown');
});

test('a reload that cannot be leaves the old configuration in force; one that can goes on where it was', async () => {
  const stage = setUp();
  const running = await stage.start();
  await assert.rejects(running.reload(stage.configure({ zone: [{ file: '/none' }] })), { code: 'zone-not-read' });
  stage.sockets.failure = new Error('in use');
  await assert.rejects(running.reload(stage.configure({ bind: '127.0.0.1:1' })), /in use/);
  stage.sockets.failure = undefined;
  await stage.send('198.51.100.7');
  assert.deepEqual(stage.addresses(), ['198.51.100.7', '198.51.100.7']);
  const captured = stage.stamp();
  await running.reload(stage.configure({ bind: '127.0.0.1:1' }));
  assert.equal(stage.sockets.size, 1);
  await stage.send('198.51.100.9', captured);
  assert.equal(packets(running)['not-newer'], 1);
  await running.stop('shutdown');
  await running.stop('shutdown');
  await running.done;
  assert.equal(stage.sockets.size, 0);
});

/** As the event loop and the time go on. */
async function through(stage: ReturnType<typeof setUp>, work: Promise<void>): Promise<void> {
  let ended = false;
  const done = work.finally(() => {
    ended = true;
  });
  for (let turn = 0; turn < 1000 && !ended; turn += 1) {
    await settle();
    await stage.clock.advance(10);
  }
  assert.ok(ended, 'it ends');
  await done;
}

test('packets that were heard before a reload, or before the end, are worked off first', async () => {
  const stage = setUp();
  const running = await stage.start();
  stage.sockets.send(encodePacket(key, stage.stamp()), '192.0.2.7');
  await through(stage, running.reload(stage.configure()));
  assert.deepEqual(stage.addresses(), ['192.0.2.7', '192.0.2.7']);
  await stage.clock.advance(1000);
  stage.sockets.send(encodePacket(key, stage.stamp()), '192.0.2.8');
  await through(stage, running.stop('shutdown'));
  assert.deepEqual(stage.addresses(), ['192.0.2.8', '192.0.2.8']);
  assert.equal(stage.commands.requests.length, 2);
});

test('a reload while the update command runs begins no second run beside it', async () => {
  const stage = setUp();
  const running = await stage.start();
  let finish = (): void => {};
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  stage.commands.delay = () => held;
  await stage.send('192.0.2.7');
  assert.equal(stage.commands.requests.length, 1);
  const reloaded = running.reload(stage.configure());
  await stage.clock.advance(500);
  await settle();
  assert.equal(stage.commands.requests.length, 1);
  finish();
  await through(stage, reloaded);
  assert.equal(stage.commands.requests.length, 1);
  await running.stop('shutdown');
});

test('a socket that fails is a crash of the module, which the supervisor starts again', async () => {
  const stage = setUp();
  const running = await stage.start();
  stage.sockets.break(new Error('ENETDOWN'));
  await assert.rejects(running.done, /ENETDOWN/);
  await running.stop('restart');
});
