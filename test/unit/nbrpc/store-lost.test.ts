/** A state file that is lost while it is in use: removed, moved, replaced by another one or by something else. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import { pass, snapshot } from './store-passes.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-lost-'));
after(() => rm(folder, { recursive: true }));
const store = new SqliteStore();
const open = (name: string): StateStore => StateStore.open({ store, path: join(folder, name), clock: systemClock });

describe('a state file', () => {
  it('that is not there any more is written anew from memory, in one piece, and says so once', async () => {
    const logs = ['', '-wal', '-shm'];
    for (const removed of [logs, ['']]) {
      const path = join(folder, 'gone.db');
      const first = open('gone.db');
      await first.commit(pass(10, ['a.example', 'b.example'], { kind: 'fail', reason: 'tls reset' }));
      const saved = snapshot(first.state);
      for (const log of removed) await rm(path + log);
      await first.refresh();
      assert.deepEqual([first.replacement, snapshot(first.state)], ['rewritten', saved]);
      // As after a kill: nobody has closed it.
      for (const log of ['', '-wal']) await copyFile(path + log, join(folder, `gone-killed.db${log}`));
      const killed = open('gone-killed.db');
      assert.deepEqual(snapshot(killed.state), saved);
      killed.close();
      await first.refresh();
      assert.equal(first.replacement, undefined);
      await rm(path);
      // Removed in the middle of a pass: what that pass decides is in the new file too.
      await first.commit(pass(20, ['a.example', 'c.example'], { kind: 'ok' }));
      assert.equal(first.replacement, 'rewritten');
      const both = snapshot(first.state);
      first.close();
      const again = open('gone.db');
      assert.deepEqual(snapshot(again.state), both);
      again.close();
      assert.deepEqual(
        (await readdir(folder)).filter((file) => file.startsWith('gone.db')),
        ['gone.db'],
      );
      await rm(path);
    }
  });

  it('that cannot be written anew leaves the state as it is, and is there again once it can be', async () => {
    const home = join(folder, 'home');
    await mkdir(home);
    const first = open('home/s.db');
    await first.commit(pass(10, ['a.example'], { kind: 'ok' }));
    await rename(home, join(folder, 'home-away'));
    const failure = { code: 'state-not-saved', message: /home\/s\.db cannot be made: there is no folder \S+home$/ };
    await assert.rejects(first.refresh(), failure);
    await assert.rejects(first.commit(pass(20, ['a.example', 'b.example'], { kind: 'ok' })), failure);
    assert.equal(first.state.size, 1);
    await mkdir(home);
    await first.commit(pass(30, ['a.example', 'b.example'], { kind: 'ok' }));
    first.close();
    const again = open('home/s.db');
    assert.equal(again.state.size, 2);
    again.close();
    const away = open('home-away/s.db');
    assert.equal(away.state.size, 1, 'what was moved away is whole');
    away.close();
  });

  it('that another one has replaced is taken over, unless that one knows no host', async () => {
    const first = open('mine.db');
    await first.commit(pass(10, ['a.example'], { kind: 'ok' }));
    const backup = open('backup.db');
    await backup.commit(pass(5, ['old.example', 'older.example'], { kind: 'ok' }));
    backup.close();
    await rename(join(folder, 'backup.db'), join(folder, 'mine.db'));
    assert.equal((await first.refresh()).size, 2);
    assert.equal(first.replacement, 'taken-over');
    assert.ok(first.state.host('old.example') !== undefined);

    open('empty.db').close();
    await rename(join(folder, 'empty.db'), join(folder, 'mine.db'));
    await first.refresh();
    assert.deepEqual([first.replacement, first.state.size], ['rewritten', 2]);
    first.close();
    const again = open('mine.db');
    assert.equal(again.state.size, 2);
    again.close();
  });

  it('that two processes lose at once is the same for both afterwards', async () => {
    const [one, two] = [open('both.db'), open('both.db')];
    await one.commit(pass(10, ['a.example'], { kind: 'ok' }));
    await two.refresh();
    await one.commit(pass(20, ['a.example', 'b.example'], { kind: 'ok' }));
    for (const log of ['', '-wal', '-shm']) await rm(join(folder, `both.db${log}`));
    await one.refresh();
    await two.refresh();
    assert.deepEqual([one.replacement, two.replacement], ['rewritten', 'taken-over']);
    await two.commit(pass(30, ['a.example', 'b.example', 'c.example'], { kind: 'ok' }));
    assert.equal((await one.refresh()).size, 3);
    one.close();
    two.close();
    const again = open('both.db');
    assert.equal(again.state.size, 3);
    again.close();
  });

  it('in whose place something else was put is told by name, untouched, until that is gone', async () => {
    const path = join(folder, 'place.db');
    const first = open('place.db');
    await first.commit(pass(10, ['a.example'], { kind: 'ok' }));
    const foreign = store.open(join(folder, 'other.db'));
    foreign.exec('CREATE TABLE hosts (x)');
    foreign.close();
    const places: [put: () => Promise<unknown>, message: RegExp][] = [
      [() => rename(join(folder, 'other.db'), path), /place\.db is an SQLite database of some other program/],
      [() => mkdir(path), /place\.db is a folder, not a file/],
      [() => writeFile(path, 'x'), /place\.db is not an SQLite database/],
    ];
    for (const [put, message] of places) {
      await rm(path, { recursive: true });
      await put();
      const before = await readFile(path).catch(() => undefined);
      await assert.rejects(first.refresh(), { code: 'state-not-saved', message });
      await assert.rejects(first.refresh(), { code: 'state-not-saved', message });
      assert.deepEqual(await readFile(path).catch(() => undefined), before);
      assert.equal(first.state.size, 1);
    }
    await rm(path);
    await first.refresh();
    first.close();
    const again = open('place.db');
    assert.equal(again.state.size, 1);
    again.close();
  });
});
