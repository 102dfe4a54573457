/** The cgroup tree port: one suite on a tree in memory, and on a real cgroup2 file system through inotify and through fs.watch. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, describe, it, type TestContext } from 'node:test';
import { Cgroupfs, type WatchKind } from '../../src/system/linux/cgroupfs.ts';
import { Inotify } from '../../src/system/linux/inotify.ts';
import type { CgroupTree, CgroupWatch } from '../../src/system/unit-ports.ts';
import { FakeCgroupTree } from '../fakes/fake-cgroup-tree.ts';
import { unifiedMount } from '../system/cgroup-of-test.ts';
import { eventually } from '../system/eventually.ts';

interface Bench {
  readonly tree: CgroupTree;
  mkdir(path: string): void;
  rmdir(path: string): void;
  /** Has waiting events told, where they are not by themselves. */
  deliver(): void;
}

function inMemory(): Bench {
  const tree = new FakeCgroupTree();
  return {
    tree,
    mkdir: (path) => void tree.mkdir(path),
    rmdir: (path) => tree.rmdir(path),
    deliver: () => tree.deliver(),
  };
}

/** A cgroup of its own at the top: what a container's root is to the container. */
const folder = unifiedMount === undefined ? undefined : join(unifiedMount, `netsteward-test-tree-${process.pid}`);

function cannotMake(): string | false {
  if (folder === undefined) return 'NOT TESTED: no cgroup2 file system that can be written to';
  try {
    mkdirSync(folder);
    return false;
  } catch (error) {
    return `NOT TESTED: ${error instanceof Error ? error.message : error}`;
  }
}

const skip = cannotMake();
after(() => {
  if (skip === false && folder !== undefined) rmdirSync(folder);
});
await Inotify.load();

const made = new Set<string>();
afterEach(() => {
  for (const path of [...made].sort().reverse()) rmdirSync(path);
  made.clear();
});

function real(kind: WatchKind): Bench {
  const root = folder ?? '';
  return {
    tree: new Cgroupfs(root, kind),
    mkdir: (path) => {
      mkdirSync(join(root, path));
      made.add(join(root, path));
    },
    rmdir: (path) => {
      rmdirSync(join(root, path));
      made.delete(join(root, path));
    },
    deliver: () => undefined,
  };
}

/** What a watch tells, as `+path`, `-path`, `overflow`; a fence in the root tells that all before it was told. */
class Recorder {
  readonly told: string[] = [];
  readonly watch: CgroupWatch;
  readonly #bench: Bench;
  #fences = 0;
  #passed = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.watch = bench.tree.watch({
      created: (path) => {
        if (path === `fence-${this.#fences}`) this.#passed = this.#fences;
        else if (!path.startsWith('fence-')) this.told.push(`+${path}`);
      },
      removed: (path) => {
        if (!path.startsWith('fence-')) this.told.push(`-${path}`);
      },
      overflow: () => this.told.push('overflow'),
      failed: (error) => this.told.push(`failed: ${error.message}`),
    });
    assert.equal(this.watch.add(''), true);
  }

  /** What came since the last call. */
  async since(): Promise<readonly string[]> {
    this.#fences += 1;
    const fence = `fence-${this.#fences}`;
    this.#bench.mkdir(fence);
    this.#bench.deliver();
    await eventually(fence, () => this.#passed === this.#fences, { details: () => this.told.join() });
    this.#bench.rmdir(fence);
    return this.told.splice(0);
  }
}

function recording(t: TestContext, bench: Bench): Recorder {
  const recorder = new Recorder(bench);
  t.after(() => recorder.watch.close());
  return recorder;
}

const benches: readonly (readonly [string, () => Bench, string | false])[] = [
  ['in memory', inMemory, false],
  ['on cgroup2 by inotify', () => real('inotify'), skip],
  ['on cgroup2 by fs.watch', () => real('fs.watch'), skip],
];

for (const [name, open, lacking] of benches) {
  describe(`a cgroup tree ${name}`, { skip: lacking }, () => {
    it('tells of directories made and removed in a watched one, by their paths from the root', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      bench.mkdir('system.slice');
      assert.deepEqual(await recorder.since(), ['+system.slice']);
      assert.equal(recorder.watch.add('system.slice'), true);
      bench.mkdir('system.slice/ssh.service');
      assert.deepEqual(await recorder.since(), ['+system.slice/ssh.service']);
      bench.rmdir('system.slice/ssh.service');
      assert.deepEqual(await recorder.since(), ['-system.slice/ssh.service']);
    });

    it('does not tell of what is below an unwatched directory', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      bench.mkdir('a');
      bench.mkdir('a/b');
      assert.deepEqual(await recorder.since(), ['+a']);
    });

    it('has no watch on a directory that does not exist, nor on one outside of the tree', (t) => {
      const bench = open();
      const { watch } = recording(t, bench);
      for (const path of ['none', 'none/below', '..', 'a/..', '.', '/', 'a\0b'])
        assert.equal(watch.add(path), false, path);
    });

    it('tells once of what is watched twice', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      bench.mkdir('a');
      assert.equal(recorder.watch.add('a'), true);
      assert.equal(recorder.watch.add('a'), true);
      bench.mkdir('a/b');
      assert.deepEqual(await recorder.since(), ['+a', '+a/b']);
    });

    it('ends the watch with its directory: one of the same name has another id, and is watched when that is asked for', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      bench.mkdir('a');
      assert.deepEqual(await recorder.since(), ['+a']);
      recorder.watch.add('a');
      const before = bench.tree.id('a');
      assert.equal(typeof before, 'bigint');
      bench.rmdir('a');
      assert.equal(bench.tree.id('a'), undefined);
      assert.deepEqual(await recorder.since(), ['-a']);
      bench.mkdir('a');
      assert.notEqual(bench.tree.id('a'), before);
      bench.mkdir('a/b');
      assert.deepEqual(await recorder.since(), ['+a']);
      assert.equal(recorder.watch.add('a'), true);
      bench.mkdir('a/c');
      assert.deepEqual(await recorder.since(), ['+a/c']);
    });

    it('watches what took the place of a watched directory, before anybody was told of that', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      bench.mkdir('a');
      await recorder.since();
      recorder.watch.add('a');
      bench.rmdir('a');
      bench.mkdir('a');
      assert.equal(recorder.watch.add('a'), true);
      assert.deepEqual(await recorder.since(), ['-a', '+a']);
      // The removal was told, and with it an end to the watch.
      assert.equal(recorder.watch.add('a'), true);
      bench.mkdir('a/b');
      assert.deepEqual(await recorder.since(), ['+a/b']);
    });

    it('tells nothing more of a directory that is no longer watched', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      bench.mkdir('a');
      recorder.watch.add('a');
      recorder.watch.remove('a');
      recorder.watch.remove('never-watched');
      bench.mkdir('a/b');
      assert.deepEqual(await recorder.since(), ['+a']);
    });

    it('tells nothing after close, and can be closed again', async () => {
      const bench = open();
      const closed = new Recorder(bench);
      const other = new Recorder(bench);
      bench.mkdir('a');
      closed.watch.close();
      closed.watch.close();
      assert.deepEqual(await other.since(), ['+a']);
      other.watch.close();
      assert.deepEqual(closed.told, []);
    });

    it('keeps every name as it is', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      const names = ['dev-disk-by\\x2duuid-1.swap', '_memory.service', 'a b', 'größe', '-x', 'a:b', '%s'];
      for (const each of names) bench.mkdir(each);
      assert.deepEqual(
        await recorder.since(),
        names.map((each) => `+${each}`),
      );
      const children = bench.tree.children('') ?? [];
      for (const each of names) {
        assert.ok(children.includes(each), each);
        assert.equal(typeof bench.tree.id(each), 'bigint', each);
      }
    });

    it('tells of a thousand directories, each made and the last half of them removed again', async (t) => {
      const bench = open();
      const recorder = recording(t, bench);
      const names = Array.from({ length: 1000 }, (_, index) => `run-${index}.scope`);
      for (const each of names) bench.mkdir(each);
      assert.deepEqual(
        await recorder.since(),
        names.map((each) => `+${each}`),
      );
      for (const each of names.slice(500)) bench.rmdir(each);
      assert.deepEqual(
        await recorder.since(),
        names.slice(500).map((each) => `-${each}`),
      );
    });

    it('lists the children of a directory, and knows of none where there is no directory', () => {
      const bench = open();
      bench.mkdir('a');
      assert.deepEqual(bench.tree.children('a'), []);
      bench.mkdir('a/b');
      bench.mkdir('a/c');
      assert.deepEqual([...(bench.tree.children('a') ?? [])].sort(), ['b', 'c']);
      for (const path of ['none', 'a/none', 'a/..', '..', `${'x'.repeat(300)}`]) {
        assert.equal(bench.tree.children(path), undefined, path);
        assert.equal(bench.tree.id(path), undefined, path);
        assert.deepEqual(bench.tree.processes(path), [], path);
      }
      assert.deepEqual(bench.tree.processes('a'), []);
      assert.equal(typeof bench.tree.id(''), 'bigint');
    });
  });
}

describe('a real cgroup tree', { skip }, () => {
  const root = folder ?? '';

  it("takes the directory's inode number for its id, and a file for no cgroup", () => {
    const bench = real('inotify');
    const { tree } = bench;
    bench.mkdir('a');
    assert.equal(tree.id('a'), statSync(join(root, 'a'), { bigint: true }).ino);
    assert.equal(tree.id('a/cgroup.procs'), undefined);
    assert.equal(tree.children('a/cgroup.procs'), undefined);
  });

  it('lists the processes of a cgroup', async () => {
    const bench = real('inotify');
    const { tree } = bench;
    bench.mkdir('a');
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    const ended = once(child, 'close');
    try {
      writeFileSync(join(root, 'a', 'cgroup.procs'), `${child.pid}`);
      assert.deepEqual(tree.processes('a'), [child.pid]);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    assert.deepEqual(tree.processes('a'), []);
  });

  it('passes over names that are not UTF-8', async (t) => {
    const bench = real('inotify');
    const recorder = recording(t, bench);
    const odd = Buffer.concat([Buffer.from(`${root}/odd-`), Buffer.from([0xff])]);
    mkdirSync(odd);
    try {
      assert.deepEqual(await recorder.since(), []);
      assert.deepEqual(bench.tree.children(''), []);
    } finally {
      rmdirSync(odd);
    }
  });

  it('leaves no watch in the kernel on directories that are gone', async (t) => {
    const bench = real('inotify');
    const recorder = recording(t, bench);
    bench.mkdir('a');
    await recorder.since();
    const watches = inotifyWatches(bench.tree.id('') ?? 0n);
    for (let round = 0; round < 3; round++) {
      assert.equal(recorder.watch.add('a'), true);
      assert.equal(inotifyWatches(bench.tree.id('') ?? 0n), watches + 1);
      bench.rmdir('a');
      bench.mkdir('a');
      await recorder.since();
      assert.equal(inotifyWatches(bench.tree.id('') ?? 0n), watches);
    }
    // Watched anew before the end of its predecessor was told.
    recorder.watch.add('a');
    bench.rmdir('a');
    bench.mkdir('a');
    recorder.watch.add('a');
    await recorder.since();
    assert.equal(inotifyWatches(bench.tree.id('') ?? 0n), watches);
  });

  it('says that events were lost, and goes on: what took the place of a watched directory is watched', async (t) => {
    const bench = real('inotify');
    const recorder = recording(t, bench);
    bench.mkdir('a');
    recorder.watch.add('a');
    const most = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
    for (let made = 0; made <= most; made += 2) {
      mkdirSync(join(root, 'flood'));
      rmdirSync(join(root, 'flood'));
    }
    // Neither of these two fits into the queue.
    bench.rmdir('a');
    bench.mkdir('a');
    await eventually('overflow', () => recorder.told.at(-1) === 'overflow');
    assert.equal(recorder.told.filter((each) => each === 'overflow').length, 1);
    assert.deepEqual(recorder.told.includes('-a'), false);
    recorder.told.length = 0;
    bench.mkdir('a/b');
    assert.deepEqual(await recorder.since(), ['+a/b']);
  });

  it('wakes nobody for what happens inside of a cgroup', async (t) => {
    const bench = real('inotify');
    const recorder = recording(t, bench);
    bench.mkdir('a');
    recorder.watch.add('a');
    // What a file's content or attributes do is not asked for: the kernel tells of each change of cgroup.events as of a write.
    const masks = inotifyDescriptors().flatMap((text) => [...text.matchAll(/ mask:(\w+) /g)].map(([, mask]) => mask));
    assert.ok(masks.length >= 2);
    assert.deepEqual([...new Set(masks)], [(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO).toString(16)]);
  });
});

// sys/inotify.h
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;

/** Watches of this process's inotify descriptor that watches the directory with this inode number (proc(5), fdinfo). */
function inotifyWatches(inode: bigint): number {
  const found = inotifyDescriptors().find((text) => text.includes(` ino:${inode.toString(16)} `));
  return (found?.match(/^inotify wd:/gm) ?? []).length;
}

function inotifyDescriptors(): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      if (readlinkSync(`/proc/self/fd/${descriptor}`) !== 'anon_inode:inotify') return [];
      return [readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')];
    } catch {
      // The descriptor that the folder was read through.
      return [];
    }
  });
}
