/** A process for the fault tests: nbrpc on a real state file, with a network and sets of its own making. */
import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../src/core/clock.ts';
import { parseNbrpc } from '../../src/nbrpc/config.ts';
import { nbrpcModule } from '../../src/nbrpc/index.ts';
import { LinuxOutputFiles } from '../../src/system/linux/atomic-file.ts';
import { SqliteStore } from '../../src/system/linux/sqlite.ts';
import type { AddressSets, SetContents } from '../../src/system/ports.ts';
import { FakeClock, settle } from '../fakes/fake-clock.ts';
import { FakeCommands } from '../fakes/fake-commands.ts';
import { silentDns } from '../fakes/fake-dns-transport.ts';
import { FakeFiles } from '../fakes/fake-files.ts';
import { FakeHttpProbe } from '../fakes/fake-http-probe.ts';
import { FakeResolver } from '../fakes/fake-resolver.ts';
import { FakeUplink } from '../fakes/fake-uplink.ts';
import { MemoryLog } from '../fakes/memory-log.ts';
import { eventually } from '../system/eventually.ts';

const [, , mode = '', folder = ''] = process.argv;
const resolver = new FakeResolver();
const probe = new FakeHttpProbe();
const files = new FakeFiles();
const held: string[] = [];
let onHold: (blocked: readonly string[]) => void = () => {};

const sets: AddressSets = {
  hold(contents: SetContents) {
    const blocked = [...(contents.get('blocked4') ?? [])];
    held.push(blocked.join());
    onHold(blocked);
    return Promise.resolve();
  },
  status: () => ({ connected: true, table: 'owner', lastError: undefined, refills: 0 }),
  setOnStop: () => {},
  close: () => Promise.resolve(),
};

function start(clock = systemClock, timers: Record<string, string> = {}) {
  const quick = { pass: '100ms', host_addrs: '0s', addr_state: '0s', host_na_state: '0s', host_ok_state: '0s' };
  const parsed = parseNbrpc({
    check_lists: ['/a.list'],
    state: `${folder}/state.db`,
    control: { services: [] },
    schedule: 'original',
    timers: { ...quick, ...timers },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const host = {
    clock,
    log: new MemoryLog(),
    files,
    store: new SqliteStore(),
    uplink: new FakeUplink(),
    output: new LinuxOutputFiles(),
    commands: new FakeCommands(),
    openResolver: () => resolver,
    openProbe: () => probe,
    openDns: () => silentDns,
    id: () => 1,
    openSets: () => sets,
  };
  return nbrpcModule.start(parsed.config, host, new AbortController().signal);
}

/** 9.x.y.z of a number: later ones stand for later passes. */
const addressOf = (n: number): string => `9.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
const numberOf = (address: string): number => {
  const [, x = 0, y = 0, z = 0] = address.split('.').map(Number);
  return x * 65_536 + y * 256 + z;
};

/** Flips one host with each pass and tells, with a write of its own, each content that the sets were given. */
async function flipForEver(): Promise<void> {
  const acts = openSync(`${folder}/acts`, 'a');
  const clock = new FakeClock(Date.now());
  let now = -1;
  onHold = (blocked) => {
    // The other host's address says nothing of the pass.
    const newest = Math.max(0, ...blocked.filter((address) => address.startsWith('9.')).map(numberOf));
    // The first contents are what the state file says, before any check.
    writeSync(acts, `${now < 0 ? 'start' : 'act'} ${newest}\n`);
    if (now < 0) now = newest;
  };
  files.put('/a.list', 'always.example=na flips.example');
  let checking = 0;
  probe.delay = async () => {
    checking += 1;
    // In real time, so that kills fall into checks too.
    await wait(Math.random() * 3);
    checking -= 1;
  };
  await start(clock, { host_addr_timeout: '1s' });
  process.stdout.write('ready\n');
  for (let number = now + 1; ; number++) {
    resolver.answer('always.example', addressOf(number));
    resolver.answer('flips.example', '8.8.8.8');
    if (number % 2 === 0) probe.blocked('flips.example');
    else probe.works('flips.example');
    await clock.advance(number === now + 1 ? 0 : 100);
    while (checking > 0) await wait(1);
    await settle();
  }
}

async function rerouted(): Promise<void> {
  await eventually('rerouted', () => held.at(-1) === '9.9.9.9', { details: () => `held ${held.at(-1)}` });
}

async function fillTheDisk(): Promise<void> {
  files.put('/a.list', 'a.example');
  resolver.answer('a.example', '9.9.9.9');
  const running = await start();
  const codes = (): string =>
    running
      .health()
      .warnings.map(({ code, text }) => `${code}: ${text}`)
      .join();
  await eventually('checked', () => probe.requests.length > 2);
  const filler = `${folder}/filler`;
  for (const size of [65_536, 4096, 512]) {
    const descriptor = openSync(filler, 'a');
    try {
      for (;;) writeSync(descriptor, Buffer.alloc(size));
    } catch {
      // Full.
    } finally {
      closeSync(descriptor);
    }
  }
  probe.blocked('a.example');
  await eventually('a warning', () => codes() !== '');
  const warned = codes();
  const requests = probe.requests.length;
  await eventually('more checks', () => probe.requests.length > requests + 1);
  const while_full = [...held];
  rmSync(filler);
  await eventually('no warning', () => codes() === '', { details: codes });
  await rerouted();
  await running.stop('shutdown');
  process.stdout.write(`${JSON.stringify({ warned, while_full, after: held.at(-1) })}\n`);
}

/** Holds the state file's lock from when it says so until its input ends. */
async function hold(how: string): Promise<void> {
  const database = new SqliteStore().open(`${folder}/state.db`);
  if (how === 'exclusive') database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.exec(how === 'exclusive' ? 'BEGIN EXCLUSIVE' : 'BEGIN IMMEDIATE');
  database.exec('CREATE TABLE IF NOT EXISTS foreign_table (x)');
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.on('end', resolve).resume());
  database.exec('ROLLBACK');
  database.close();
}

async function tryToStart(): Promise<void> {
  files.put('/a.list', 'a.example=na');
  resolver.answer('a.example', '9.9.9.9');
  try {
    const running = await start();
    await rerouted();
    await running.stop('shutdown');
    process.stdout.write('started\n');
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    process.stdout.write(`${code}: ${message}\n`);
  }
}

/** Told `block` on its input while another holds the lock; tells when the sets follow. */
async function runBeside(): Promise<void> {
  files.put('/a.list', 'a.example');
  resolver.answer('a.example', '9.9.9.9');
  const running = await start();
  await eventually('checked', () => probe.requests.length > 2);
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 20);
  process.stdout.write('ready\n');
  process.stdin.once('data', () => {
    probe.blocked('a.example');
    ticks = 0;
    setTimeout(() => process.stdout.write(`${JSON.stringify({ ticks, held: held.at(-1) })}\n`), 1500);
  });
  await new Promise((resolve) => process.stdin.on('end', resolve));
  await rerouted();
  clearInterval(ticking);
  await running.stop('shutdown');
  process.stdout.write(`${JSON.stringify({ after: held.at(-1), warnings: running.health().warnings })}\n`);
}

/** Loses its state file, tells when there is one again, and goes on until it is killed. */
async function loseTheFile(): Promise<void> {
  files.put('/a.list', 'a.example');
  resolver.answer('a.example', '9.9.9.9');
  probe.blocked('a.example');
  await start();
  await rerouted();
  const before = held.length;
  const path = `${folder}/state.db`;
  for (const log of ['', '-wal', '-shm']) rmSync(path + log, { force: true });
  await eventually('a new state file', () => existsSync(path));
  const requests = probe.requests.length;
  await eventually('more checks', () => probe.requests.length > requests + 2);
  process.stdout.write(`${JSON.stringify({ held: [...new Set(held.slice(before))] })}\n`);
}

/** What the sets are given before any check. */
async function firstContents(): Promise<void> {
  const running = await start();
  process.stdout.write(`${held[0]}\n`);
  await running.stop('shutdown');
}

const modes: Readonly<Record<string, () => Promise<void>>> = {
  flip: flipForEver,
  full: fillTheDisk,
  lock: () => hold('immediate'),
  'lock-exclusive': () => hold('exclusive'),
  start: tryToStart,
  beside: runBeside,
  lose: loseTheFile,
  first: firstContents,
};
await modes[mode]?.();
