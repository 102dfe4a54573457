/** What the CommitSync port promises, on a real database: its log is synced, through links, and its locks stay. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commitSync } from '../../src/system/linux/commit-sync.ts';
import { SqliteStore } from '../../src/system/linux/sqlite.ts';

test('a sync takes no lock from the database that has the file open, and follows links as SQLite does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'commit-sync-'));
  try {
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real', 'state'), join(folder, 'state'));
    const database = new SqliteStore().open(join(folder, 'state'));
    database.exec('CREATE TABLE t (x)');
    assert.ok(existsSync(join(folder, 'real', 'state-wal')));
    const locks = (): string[] => {
      const { stdout } = spawnSync('cat', ['/proc/locks'], { encoding: 'utf8' });
      return stdout.split('\n').filter((line) => line.includes(` ${process.pid} `));
    };
    const before = locks();
    assert.ok(before.length > 0);
    await commitSync.sync(join(folder, 'state'));
    assert.equal(locks().length, before.length);
    database.close();
    // No log, nothing to sync.
    await commitSync.sync(join(folder, 'real', 'state'));
    // No file at all neither: SQLite tells of that itself.
    await commitSync.sync(join(folder, 'none'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
