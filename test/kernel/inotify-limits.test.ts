/** What is said when the kernel has no inotify instance or watch left, with limits of a user namespace's own. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { describeError } from '../../src/core/errors.ts';
import { Cgroupfs, type WatchKind } from '../../src/system/linux/cgroupfs.ts';
import { Inotify } from '../../src/system/linux/inotify.ts';
import type { CgroupListener } from '../../src/system/unit-ports.ts';
import { eventually } from '../system/eventually.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

// user_namespaces(7), namespaces(7): each namespace has its own, however much its parents have.
const limits = '/proc/sys/user';

function limited(name: 'max_inotify_instances' | 'max_inotify_watches', value: number, work: () => Promise<void>) {
  const before = readFileSync(`${limits}/${name}`, 'utf8');
  writeFileSync(`${limits}/${name}`, `${value}`);
  return work().finally(() => writeFileSync(`${limits}/${name}`, before));
}

/** The tree is of plain directories: what counts here is the same for all file systems. */
function folder(name: string): string {
  const root = `/run/${name}`;
  for (const child of ['', 'a', 'b', 'c']) mkdirSync(`${root}/${child}`, { recursive: true });
  return root;
}

class Failures implements CgroupListener {
  readonly errors: Error[] = [];
  created(): void {}
  removed(): void {}
  overflow(): void {}
  failed(error: Error): void {
    this.errors.push(error);
  }
}

if (!insideNamespace) {
  test('limits of inotify are named with their remedy', (t) => repeatInNamespace(t, import.meta.url));
} else {
  await Inotify.load();
  for (const kind of ['inotify', 'fs.watch'] satisfies WatchKind[]) {
    describe(`a watch by ${kind}`, () => {
      it('that finds no watch left fails once, after the call, and says which limit to raise', async () => {
        const tree = new Cgroupfs(folder(`watches-${kind}`), kind);
        await limited('max_inotify_watches', 2, async () => {
          const failures = new Failures();
          const watch = tree.watch(failures);
          assert.deepEqual([watch.add(''), watch.add('a')], [true, true]);
          // It is there, so this is no false; what is to be known of it comes with the failure.
          assert.deepEqual([watch.add('b'), watch.add('c'), watch.add('none')], [true, true, false]);
          assert.deepEqual(failures.errors, []);
          await eventually('failed', () => failures.errors.length > 0);
          assert.equal(failures.errors.length, 1);
          assert.match(describeError(failures.errors[0]), /\/b cannot be watched.*fs\.inotify\.max_user_watches=\d+/);
          watch.close();
        });
      });
    });
  }

  it('a watch that gets no inotify instance fails after the call, and says which limit to raise', async () => {
    const tree = new Cgroupfs(folder('instances'), 'inotify');
    await limited('max_inotify_instances', 0, async () => {
      const failures = new Failures();
      const watch = tree.watch(failures);
      assert.deepEqual([watch.add(''), watch.add('none')], [true, false]);
      await eventually('failed', () => failures.errors.length > 0);
      assert.equal(failures.errors.length, 1);
      assert.match(describeError(failures.errors[0]), /no inotify instance.*fs\.inotify\.max_user_instances=\d+/);
      watch.close();
    });
  });

  it('a watch that was closed before its failure was told is silent', async () => {
    const tree = new Cgroupfs(folder('closed'), 'inotify');
    await limited('max_inotify_instances', 0, async () => {
      const failures = new Failures();
      tree.watch(failures).close();
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(failures.errors, []);
    });
  });
}
