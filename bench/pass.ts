/** 10 000 hosts × 4 addresses: CPU of a pass that only looks for what is due, and of a start, next to full-table scans over SQLite. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/core/clock.ts';
import { runPass } from '../src/nbrpc/pass.ts';
import { formatLines, policyLines } from '../src/nbrpc/policy.ts';
import { parsePolicy } from '../src/nbrpc/policy-spec.ts';
import { wantedSets } from '../src/nbrpc/sets.ts';
import { contractLimits, contractTimers } from '../src/nbrpc/settings.ts';
import { setNames } from '../src/nbrpc/sink.ts';
import { StateStore } from '../src/nbrpc/store.ts';
import { SqliteStore } from '../src/system/linux/sqlite.ts';
import { FakeFiles } from '../test/fakes/fake-files.ts';
import { FakeResolver } from '../test/fakes/fake-resolver.ts';
import { ms, printTable, quantile } from './_figures.ts';

const hosts = 10_000;
const rounds = 15;
const parsed = parsePolicy('af-all');
if (!parsed.ok) throw new Error(parsed.message);
const { policy } = parsed;
const { signal } = new AbortController();

const files = new FakeFiles();
const resolver = new FakeResolver();
const names = Array.from({ length: hosts }, (_, i) => `host${i}.example`);
for (const [i, name] of names.entries()) {
  const [x, y] = [i >> 8, i & 255];
  resolver.answer(name, `9.${x}.${y}.1`, `9.${x}.${y}.2`, `2606:4700::${x}:${y}:1`, `2606:4700::${x}:${y}:2`);
}
files.put('/a.list', names.join('\n'));
// Every address is checked in no time: what is measured is the scheduling, deciding and saving around it.
const checks = { check: () => Promise.resolve({ kind: 'ok' } as const) };
const settings = {
  lists: ['/a.list'],
  timers: contractTimers,
  limits: contractLimits,
  defaultPolicy: policy,
  resolveTimeout: 1000,
  filterAddresses: true,
};

/** CPU milliseconds of one piece of work. */
async function cpu(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** As a program without a state in memory does it: each pass reads both tables whole, picks and sorts, and makes the dump. */
function scan(path: string, now: number): string {
  const database = new SqliteStore().open(path);
  const all = database.prepare('SELECT * FROM hosts').all();
  const addresses = database.prepare('SELECT * FROM addresses').all();
  const due = all.filter((host) => Number(host.checked) <= now - 420);
  due.sort((a, b) => Number(a.checked) - Number(b.checked));
  const dueAddresses = addresses.filter((address) => Number(address.checked) <= now - 54_000);
  dueAddresses.sort((a, b) => Number(a.checked) - Number(b.checked));
  const byId = new Map(all.map((host) => [host.id, host]));
  const lines = addresses.map((address) => {
    const host = byId.get(address.host ?? null);
    return `${host?.state === 'na' ? 'na' : 'ok'} ${host?.name} ${address.address} ${host?.check_type}`;
  });
  lines.sort();
  database.close();
  return `${due.slice(0, 9).length} ${dueAddresses.slice(0, 32).length} ${lines.join('\n')}`;
}

const folder = mkdtempSync(join(tmpdir(), 'netsteward-bench-'));
try {
  const path = join(folder, 'state.db');
  let store = StateStore.open({ store: new SqliteStore(), path, clock: systemClock });
  const ports = { files, resolver, checks };
  const all = { now: 1_000_000, forced: true, limits: { iterHosts: 2 ** 32, iterAddrs: 2 ** 32 } };
  await runPass(ports, store, settings, all, signal);

  const samples: Record<'pass' | 'start' | 'dump' | 'scan', number[]> = { pass: [], start: [], dump: [], scan: [] };
  let now = 1_000_000;
  for (let round = 0; round < rounds; round++) {
    now += 500;
    samples.pass.push(await cpu(() => runPass(ports, store, settings, { now, forced: false }, signal)));
    samples.dump.push(await cpu(() => formatLines(policyLines(store.state, policy))));
    store.close();
    samples.scan.push(await cpu(() => scan(path, now)));
    samples.start.push(
      await cpu(() => {
        store = StateStore.open({ store: new SqliteStore(), path, clock: systemClock });
        wantedSets(
          store.state,
          policy,
          setNames({ kind: 'sets', sets: { family: 'inet', table: 't', blocked4: 'b' } }),
          new Set(),
        );
      }),
    );
  }
  store.close();

  const row = (what: string, goal: string, values: readonly number[]): string[] => [
    what,
    goal,
    `${ms(quantile(values, 0.5))} ms`,
    `${ms(quantile(values, 0.95))} ms`,
  ];
  process.stdout.write(`${hosts} hosts with 4 addresses each, ${rounds} rounds, CPU time\n\n`);
  printTable(
    ['', 'goal', 'p50', 'p95'],
    [
      row('scheduling pass: 9 hosts due, decided, saved', '< 200 ms', samples.pass),
      row('the whole policy as text (only when it changed)', '', samples.dump),
      row('start: state file to wanted sets', '< 1000 ms', samples.start),
      row('peer: a pass that reads the tables whole, and makes the dump', '', samples.scan),
    ],
  );
} finally {
  rmSync(folder, { recursive: true });
}
