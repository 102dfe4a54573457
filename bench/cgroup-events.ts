/** How late cgroups made and removed are told, how many are missed when they come a thousand or more a second, and what wakes an idle watch. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cgroupfs, openCgroupTree, type WatchKind } from '../src/system/linux/cgroupfs.ts';
import { ms, printTable, quantile } from './_figures.ts';

const seconds = 5;

/** CLOCK_MONOTONIC, milliseconds: the same for both processes. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

interface Made {
  /** When each directory was about to be made. */
  readonly at: readonly number[];
  /** How long all took. */
  readonly duration: number;
}

/** In a process of its own: makes directories and removes each again, at that pace or as fast as it can. */
function make(root: string, rate: number): Made {
  const at: number[] = [];
  const start = now();
  for (let index = 0; now() < start + seconds * 1000; index++) {
    while (now() < start + (index * 1000) / rate);
    const path = `${root}/unit-${index}.service`;
    at.push(now());
    mkdirSync(path);
    rmdirSync(path);
  }
  return { at, duration: now() - start };
}

async function run(root: string, kind: WatchKind, rate: number, maker: ChildProcess): Promise<readonly string[]> {
  const created = new Map<string, number>();
  let removed = 0;
  let overflows = 0;
  const watch = new Cgroupfs(root, kind).watch({
    created: (path) => void created.set(path, now()),
    removed: () => {
      removed += 1;
    },
    overflow: () => {
      overflows += 1;
    },
    failed: (error) => {
      throw error;
    },
  });
  watch.add('');
  const before = process.cpuUsage();
  maker.send({ root, rate });
  const [{ at, duration }] = (await once(maker, 'message')) as [Made];
  await wait(200);
  const { user, system } = process.cpuUsage(before);
  watch.close();
  const late = at.flatMap((time, index) => (created.get(`unit-${index}.service`) ?? Number.NaN) - time);
  const told = late.filter((each) => !Number.isNaN(each));
  return [
    kind,
    `${Math.round((at.length / duration) * 1000)}`,
    ...[0.5, 0.95, 0.99, 1].map((share) => (told.length === 0 ? '–' : ms(quantile(told, share)))),
    `${at.length - told.length} of ${at.length}`,
    `${at.length - removed} of ${at.length}`,
    `${overflows}`,
    `${Math.round((user + system) / duration / 10)} %`,
  ];
}

/** Of the main thread: each is one time that it slept and was woken. */
function wakeUps(): number {
  const status = readFileSync(`/proc/self/task/${process.pid}/status`, 'utf8');
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]);
}

async function idle(root: string, kind: WatchKind, busy: boolean, maker: ChildProcess): Promise<readonly string[]> {
  const watch = new Cgroupfs(root, kind).watch({ created() {}, removed() {}, overflow() {}, failed() {} });
  watch.add('');
  for (let index = 0; index < 100; index++) {
    mkdirSync(join(root, `idle-${index}`));
    watch.add(`idle-${index}`);
  }
  await wait(500);
  const before = wakeUps();
  if (busy) {
    maker.send({ freeze: root });
    await once(maker, 'message');
  } else await wait(seconds * 1000);
  const after = wakeUps() - before;
  watch.close();
  for (let index = 0; index < 100; index++) rmdirSync(join(root, `idle-${index}`));
  return [kind, busy ? '1000 changes of cgroup.events' : `nothing for ${seconds} s`, `${after}`];
}

/** In the other process: changes inside of the cgroups, ten times each. */
async function freeze(root: string): Promise<void> {
  for (let round = 0; round < 10; round++) {
    for (const name of readdirSync(root).filter((each) => each.startsWith('idle-'))) {
      writeFileSync(join(root, name, 'cgroup.freeze'), `${(round + 1) % 2}`);
    }
    await wait(100);
  }
}

if (process.argv[2] === 'make') {
  process.on('message', (order: { root: string; rate: number } | { freeze: string }) => {
    if ('freeze' in order) void freeze(order.freeze).then(() => process.send?.({}));
    else process.send?.(make(order.root, order.rate));
  });
} else {
  const { root: mount } = await openCgroupTree();
  const root = join(mount, `netsteward-bench-${process.pid}`);
  mkdirSync(root);
  const maker = fork(fileURLToPath(import.meta.url), ['make'], { serialization: 'advanced' });
  try {
    const rows: (readonly string[])[] = [];
    for (const rate of [100, 1000, 10_000]) {
      for (const kind of ['inotify', 'fs.watch'] satisfies WatchKind[]) rows.push(await run(root, kind, rate, maker));
    }
    printTable(
      [
        'way',
        'made and removed a second',
        'ms late p50',
        'p95',
        'p99',
        'max',
        'made, not told',
        'removed, not told',
        'overflows',
        'CPU',
      ],
      rows,
    );
    process.stdout.write('\n');
    const quiet: (readonly string[])[] = [];
    for (const busy of [false, true]) {
      for (const kind of ['inotify', 'fs.watch'] satisfies WatchKind[]) quiet.push(await idle(root, kind, busy, maker));
    }
    printTable(['way', '100 watched cgroups', 'wake-ups'], quiet);
  } finally {
    maker.kill();
    rmdirSync(root);
  }
}
