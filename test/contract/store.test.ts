/** The store port: one suite on every SQLite binding that this Node has, and on databases in memory. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { NetstewardError } from '../../src/core/errors.ts';
import { builtinSqlite, packagedSqlite, SqliteStore } from '../../src/system/linux/sqlite.ts';
import type { Database, Store } from '../../src/system/ports.ts';
import { MemoryStore } from '../fakes/memory-store.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-store-'));
after(() => rm(folder, { recursive: true }));

const bindings = [builtinSqlite(), packagedSqlite()].filter((binding) => binding !== undefined);

interface Bench {
  readonly store: Store;
  remove(path: string): void;
  rename(from: string, to: string): void;
}

const onDisk = { remove: (path: string) => rmSync(path), rename: renameSync };
const memory = new MemoryStore();
const benches: [name: string, bench: Bench][] = [
  ...bindings.map((binding): [string, Bench] => [binding.name, { store: new SqliteStore(binding), ...onDisk }]),
  [
    'in memory',
    { store: memory, remove: (path) => memory.remove(path), rename: (from, to) => memory.rename(from, to) },
  ],
];

for (const [index, [name, bench]] of benches.entries()) {
  describe(`store ${name}`, () => {
    const { store } = bench;
    const path = join(folder, `${index}.db`);

    it('keeps null, integers, reals and text across closing and opening', () => {
      const first = store.open(path);
      first.exec('CREATE TABLE t (a, b INTEGER, c REAL, d TEXT) STRICT'.replace('a,', 'a ANY,'));
      first.prepare('INSERT INTO t VALUES (?, ?, ?, ?)').run(null, 7, 1767225600.125, "x'y");
      first.close();
      const second = store.open(path);
      assert.deepEqual({ ...second.prepare('SELECT * FROM t').get() }, { a: null, b: 7, c: 1767225600.125, d: "x'y" });
      second.close();
    });

    it('gives undefined for no row, and tells how many rows a statement changed', () => {
      const database = store.open(path);
      assert.equal(database.prepare('SELECT * FROM t WHERE b = ?').get(99), undefined);
      assert.deepEqual(database.prepare('SELECT * FROM t WHERE b = ?').all(99), []);
      assert.equal(Number(database.prepare('UPDATE t SET b = b').run().changes), 1);
      database.close();
    });

    it('commits a transaction that returns, and undoes one that throws', () => {
      const database = store.open(path);
      const count = (): unknown => database.prepare('SELECT count(*) AS n FROM t').get()?.n;
      assert.equal(
        database.transaction(() => {
          database.exec('INSERT INTO t (b) VALUES (8)');
          return 'done';
        }),
        'done',
      );
      assert.equal(count(), 2);
      const undo = (): void => {
        database.exec('INSERT INTO t (b) VALUES (9)');
        throw new Error('no');
      };
      assert.throws(() => database.transaction(undo), /^Error: no$/);
      assert.equal(count(), 2);
      assert.equal(
        database.transaction(() => 1),
        1,
      );
      database.close();
    });

    it('enforces foreign keys', () => {
      const database = store.open(path);
      database.exec('CREATE TABLE p (id INTEGER PRIMARY KEY)');
      database.exec('CREATE TABLE c (p INTEGER REFERENCES p (id) ON DELETE CASCADE)');
      assert.throws(() => database.exec('INSERT INTO c VALUES (1)'), /FOREIGN KEY/);
      database.exec('INSERT INTO p VALUES (1); INSERT INTO c VALUES (1); DELETE FROM p');
      assert.equal(database.prepare('SELECT count(*) AS n FROM c').get()?.n, 0);
      database.close();
    });

    it('tells whose file it is and of which version, of all but a new one', () => {
      const marked = join(folder, `${index}-marked.db`);
      const first = store.open(marked);
      assert.equal(first.mark, undefined);
      first.exec('CREATE TABLE t (a); PRAGMA application_id = 305419896; PRAGMA user_version = 7');
      first.close();
      const second = store.open(marked);
      assert.deepEqual(second.mark, { applicationId: 305_419_896, userVersion: 7, missingBytes: 0 });
      second.close();
      const unmarked = store.open(path);
      assert.deepEqual(unmarked.mark, { applicationId: 0, userVersion: 0, missingBytes: 0 });
      unmarked.close();
    });

    it('knows when its file was removed, or another one was put in its place, and is opened anew then', () => {
      const [here, other] = [join(folder, `${index}-here.db`), join(folder, `${index}-other.db`)];
      const write = (to: string, value: number): Database => {
        const database = store.open(to);
        database.exec('CREATE TABLE IF NOT EXISTS t (a)');
        database.prepare('INSERT INTO t VALUES (?)').run(value);
        return database;
      };
      const valuesOf = (database: Database) => database.prepare('SELECT a FROM t ORDER BY a').all();
      const numbers = (database: Database) => valuesOf(database).map((row) => row.a);
      const first = write(here, 1);
      assert.equal(first.inPlace(), true);
      write(other, 2).close();
      bench.rename(other, here);
      assert.equal(first.inPlace(), false);
      first.close();
      const second = write(here, 3);
      assert.deepEqual([second.inPlace(), numbers(second)], [true, [2, 3]]);
      bench.remove(here);
      assert.equal(second.inPlace(), false);
      assert.deepEqual(numbers(second), [2, 3], 'what is open can be read still');
      second.close();
      const third = write(here, 4);
      assert.deepEqual([third.inPlace(), numbers(third)], [true, [4]]);
      third.close();
    });
  });
}

for (const binding of bindings) {
  describe(`files of ${binding.name}`, () => {
    const store = new SqliteStore(binding);
    const tag = binding.name.replace(/\W/g, '');
    const at = (name: string): string => join(folder, `${tag}-${name}`);

    it('leave only the one file after closing, and are closed twice without harm', async () => {
      const path = at('alone.db');
      const database = store.open(path);
      database.exec('CREATE TABLE t (a)');
      const insert = database.prepare('INSERT INTO t VALUES (?)');
      database.transaction(() => insert.run(1));
      assert.equal(database.prepare('SELECT a FROM t').get()?.a, 1);
      assert.ok(existsSync(`${path}-wal`));
      database.close();
      database.close();
      assert.deepEqual(
        (await readdir(folder)).filter((file) => file.startsWith(`${tag}-alone`)),
        [`${tag}-alone.db`],
      );
    });

    it('are shared by two connections: one sees what the other has committed', () => {
      const [one, two] = [store.open(at('shared.db')), store.open(at('shared.db'))];
      one.exec('CREATE TABLE t (a)');
      const version = two.prepare('PRAGMA data_version').get()?.data_version;
      one.transaction(() => one.exec('INSERT INTO t VALUES (1)'));
      assert.notEqual(two.prepare('PRAGMA data_version').get()?.data_version, version);
      assert.equal(two.prepare('SELECT a FROM t').get()?.a, 1);
      two.exec('PRAGMA busy_timeout = 0');
      one.transaction(() => {
        assert.throws(() => two.transaction(() => 0), { errcode: 5 });
      });
      one.close();
      two.close();
      const again = store.open(at('shared.db'));
      assert.equal(again.prepare('SELECT a FROM t').get()?.a, 1);
      again.close();
    });

    it('of others are left as they are, to the last byte, by looking whose they are', () => {
      for (const mode of ['DELETE', 'WAL']) {
        const path = at(`others-${mode}.db`);
        const theirs = binding.connect(path);
        theirs.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE hosts (host); INSERT INTO hosts VALUES ('a')`);
        // As a program leaves it that was killed: with its log beside it.
        const killed = at(`killed-${mode}`);
        const logs = mode === 'WAL' ? ['', '-wal', '-shm'] : [''];
        for (const log of logs) copyFileSync(path + log, `${killed}.db${log}`);
        theirs.close();
        const before = logs.map((log) => readFileSync(`${killed}.db${log}`));
        const database = store.open(`${killed}.db`);
        assert.deepEqual(database.mark, { applicationId: 0, userVersion: 0, missingBytes: 0 }, mode);
        database.close();
        const names = readdirSync(folder).filter((name) => join(folder, name).startsWith(killed));
        assert.deepEqual(names.sort(), logs.map((log) => `${tag}-killed-${mode}.db${log}`).sort());
        assert.deepEqual(
          logs.map((log) => readFileSync(`${killed}.db${log}`)),
          before,
          mode,
        );
      }
    });

    it('have their mark in the log alone until the first checkpoint, and are known by it', () => {
      const path = at('young.db');
      const young = store.open(path);
      young.exec('CREATE TABLE t (a); PRAGMA application_id = 7; PRAGMA user_version = 2');
      for (const log of ['', '-wal']) copyFileSync(path + log, at(`killed-young.db${log}`));
      young.close();
      assert.equal(readFileSync(at('killed-young.db')).readUInt32BE(68), 0);
      const again = store.open(at('killed-young.db'));
      assert.deepEqual(again.mark, { applicationId: 7, userVersion: 2, missingBytes: 0 });
      assert.equal(again.prepare('PRAGMA user_version').get()?.user_version, 2);
      again.close();
    });

    it('that are cut off are known by their header, wherever the cut is', () => {
      const path = at('whole.db');
      const whole = store.open(path);
      whole.exec('CREATE TABLE t (a); PRAGMA application_id = 7');
      whole.prepare('INSERT INTO t VALUES (?)').run('x'.repeat(10_000));
      whole.close();
      const bytes = readFileSync(path);
      for (const length of [16, 50, 107]) {
        writeFileSync(at('cut.db'), bytes.subarray(0, length));
        assert.throws(() => store.open(at('cut.db')), {
          code: 'state-file-damaged',
          message: new RegExp(`cut\\.db is damaged: it ends after ${length} bytes, in its header`),
        });
      }
      for (const length of [108, 4096, 5000, bytes.length - 1]) {
        writeFileSync(at('cut.db'), bytes.subarray(0, length));
        assert.equal(store.open(at('cut.db')).mark?.missingBytes, bytes.length - length);
      }
      writeFileSync(at('cut.db'), Buffer.alloc(4096));
      assert.throws(() => store.open(at('cut.db')), { code: 'state-file-damaged', message: /zero bytes stand/ });
    });

    it('whose inside is rubbish are told as damaged, and not written to', () => {
      const path = at('rubbish.db');
      const database = store.open(path);
      database.exec('CREATE TABLE t (a); PRAGMA application_id = 7');
      database.close();
      const bytes = readFileSync(path);
      bytes.fill(0xa5, 108);
      writeFileSync(path, bytes);
      const opened = store.open(path);
      const refusal = { code: 'state-file-damaged', message: /rubbish\.db is damaged: .*malformed/ };
      assert.throws(() => opened.exec('SELECT 1'), refusal);
      assert.throws(() => opened.transaction(() => 0), refusal);
      opened.close();
      assert.deepEqual(readFileSync(path), bytes);
    });

    it('are refused when they are something else than SQLite, or cannot hold anything, each with what is wrong', () => {
      const text = 'example.org another.example\n';
      for (const content of [text, text.repeat(100), 'x', '\n'.repeat(15)]) {
        writeFileSync(at('text.db'), content);
        assert.throws(() => store.open(at('text.db')), {
          code: 'state-file-not-sqlite',
          message: `${at('text.db')} is not an SQLite database`,
        });
        assert.equal(readFileSync(at('text.db'), 'utf8'), content);
      }
      spawnSync('mkfifo', [at('fifo')]);
      symlinkSync(at('loop'), at('loop'));
      const refusals: Readonly<Record<string, RegExp>> = {
        [folder]: /^\S+ is a folder, not a file$/,
        [at('fifo')]: /fifo is a FIFO, not a file$/,
        '/dev/null': /^\/dev\/null is a device, not a file$/,
        [at('loop')]: /loop cannot be opened: its symbolic links lead in a circle$/,
        [at('text.db/x.db')]: /x\.db cannot be opened: a part of its path is a file, not a folder$/,
        [at('no/x.db')]: /x\.db cannot be made: there is no folder \S+no$/,
        [at('x'.repeat(300))]: /x cannot be opened: its name is too long$/,
      };
      for (const [path, message] of Object.entries(refusals)) {
        assert.throws(
          () => store.open(path),
          (error: NetstewardError) => {
            assert.equal(error.code, 'state-file-unusable');
            assert.match(error.message, message);
            assert.match(error.remedy ?? '', /^[A-Z].*\.$/);
            return true;
          },
        );
      }
    });

    it('behind a symbolic link are made where it leads', () => {
      symlinkSync(at('target.db'), at('link.db'));
      const database = store.open(at('link.db'));
      database.exec('CREATE TABLE t (a)');
      assert.equal(database.inPlace(), true);
      database.close();
      assert.deepEqual([existsSync(at('target.db')), existsSync(at('target.db-wal'))], [true, false]);
    });

    it('keep the locks of this process when they are opened once more in it', () => {
      const path = at('locks.db');
      const first = store.open(path);
      first.exec('CREATE TABLE t (a)');
      // proc_locks(5): a line a lock, with the process and `major:minor:inode`.
      const held = () => {
        const { ino } = statSync(path);
        const lines = readFileSync('/proc/locks', 'utf8').split('\n');
        return lines.filter((line) => line.includes(` ${process.pid} `) && line.includes(`:${ino} `)).length;
      };
      assert.equal(held(), 1);
      store.open(path).close();
      assert.equal(held(), 1);
      first.close();
    });

    it('that were moved are whole where they are now, and leave no log where they were', () => {
      const [path, away] = [at('move.db'), at('away.db')];
      const database = store.open(path);
      database.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)');
      renameSync(path, away);
      database.close();
      assert.deepEqual(
        readdirSync(folder).filter((name) => /-(?:move|away)\.db/.test(name) && name.startsWith(tag)),
        [`${tag}-away.db`],
      );
      const moved = store.open(away);
      assert.equal(moved.prepare('SELECT a FROM t').get()?.a, 1);
      moved.close();
    });

    it('that were replaced leave the log of the new one alone', () => {
      const path = at('new.db');
      const lost = store.open(path);
      lost.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)');
      for (const log of ['', '-wal', '-shm']) rmSync(path + log);
      const fresh = store.open(path);
      fresh.exec('CREATE TABLE t (a); INSERT INTO t VALUES (2)');
      lost.close();
      assert.ok(existsSync(`${path}-wal`));
      // What another process would find after a kill.
      for (const log of ['', '-wal']) copyFileSync(path + log, at(`new-killed.db${log}`));
      fresh.close();
      const again = store.open(at('new-killed.db'));
      assert.deepEqual(again.prepare('SELECT a FROM t').all().length, 1);
      assert.equal(again.prepare('SELECT a FROM t').get()?.a, 2);
      again.close();
    });

    it('take no harm from a write-ahead log that was left beside a removed database', async () => {
      const path = at('removed.db');
      await writeFile(`${path}-wal`, Buffer.alloc(4096, 7));
      const database = store.open(path);
      database.exec('CREATE TABLE t (a)');
      assert.equal(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n, 1);
      database.close();
      assert.ok(!existsSync(`${path}-wal`));
    });
  });
}
