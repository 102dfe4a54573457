/** Folders of state files: what is made, what counts as writable, and what is said where it cannot be. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { countingOnFolders, makingFolders } from '../../../src/cli/state-folder.ts';
import { NetstewardError } from '../../../src/core/errors.ts';
import type { Files, Store } from '../../../src/system/ports.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-state-'));
after(() => rmSync(folder, { recursive: true }));

/** A store that notes what it opens. */
function noting(): { readonly store: Store; readonly opened: string[] } {
  const opened: string[] = [];
  const inner = new MemoryStore();
  const open: Store['open'] = (path) => {
    opened.push(path);
    return inner.open(path);
  };
  return { opened, store: { open } };
}

test('missing folders are made, for owner and group only, and then the file is opened', () => {
  const { store, opened } = noting();
  const path = join(folder, 'a', 'b', 'state.db');
  makingFolders(store).open(path);
  makingFolders(store).open(path);
  assert.deepEqual(opened, [path, path]);
  for (const made of ['a', 'a/b']) assert.equal(statSync(join(folder, made)).mode & 0o777, 0o750);
});

test('the mode of a folder that is there stays', () => {
  mkdirSync(join(folder, 'open'), { mode: 0o755 });
  makingFolders(noting().store).open(join(folder, 'open', 'state.db'));
  assert.equal(statSync(join(folder, 'open')).mode & 0o777, 0o755);
});

test('a folder that cannot be made is one clear error, and nothing is opened', () => {
  const { store, opened } = noting();
  writeFileSync(join(folder, 'file'), '');
  assert.throws(
    () => makingFolders(store).open(join(folder, 'file', 'deep', 'state.db')),
    (error) =>
      error instanceof NetstewardError &&
      error.code === 'state-folder-unusable' &&
      error.message ===
        `the folder ${join(folder, 'file', 'deep')} cannot be made: a file stands where a folder should be` &&
      error.remedy?.startsWith('Make it, ') === true,
  );
  assert.deepEqual(opened, []);
});

/** A tree in which these exist, and these of them are writable. */
function tree(existing: readonly string[], writable: readonly string[]): Files {
  const parent = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
  return {
    stat: async (path) => (existing.includes(path) ? { mtimeMs: 0, size: 0 } : undefined),
    read: () => assert.fail('nothing is to be read'),
    writable: async (path) => writable.includes(existing.includes(path) ? path : parent(path)),
  };
}

test('a file below missing folders can be written where the nearest folder that exists can', async () => {
  const can = (files: Files, path: string): Promise<boolean> => countingOnFolders(files).writable(path);
  assert.equal(await can(tree(['/', '/var'], ['/var']), '/var/a/b/c.db'), true);
  assert.equal(await can(tree(['/', '/var'], ['/']), '/var/a/b/c.db'), false, 'a writable / does not help below /var');
  assert.equal(await can(tree(['/'], ['/']), '/a/b'), true);
  assert.equal(await can(tree(['/'], []), '/a/b'), false);
  assert.equal(await can(tree(['/', '/a', '/a/b'], ['/a']), '/a/b'), false, 'a file that is there and closed');
  assert.equal(await can(tree(['/', '/a', '/a/b'], ['/a/b']), '/a/b'), true);
});

test('where it is not even allowed to look nothing can be made, and reading is left as it is', async () => {
  const files = new FakeFiles();
  files.put('/x', 'text', 0);
  const counting = countingOnFolders(files);
  assert.equal((await counting.read('/x')).toString(), 'text');
  assert.equal((await counting.stat('/x'))?.size, 4);
  const closed = countingOnFolders({
    stat: () => Promise.reject(new Error('EACCES')),
    read: (path) => files.read(path),
    writable: async () => false,
  });
  assert.equal(await closed.writable('/root/a/b'), false);
  assert.ok(!existsSync('/root/a'));
});
