/** The store port: one suite on every SQLite binding that this Node has, and on databases in memory. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { builtinSqlite, packagedSqlite, SqliteStore } from '../../src/system/linux/sqlite.ts';
import type { Store } from '../../src/system/ports.ts';
import { MemoryStore } from '../fakes/memory-store.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-store-'));
after(() => rm(folder, { recursive: true }));

const bindings = [builtinSqlite(), packagedSqlite()].filter((binding) => binding !== undefined);
const stores: [name: string, store: Store][] = [
  ...bindings.map((binding): [string, Store] => [binding.name, new SqliteStore(binding)]),
  ['in memory', new MemoryStore()],
];

for (const [index, [name, store]] of stores.entries()) {
  describe(`store ${name}`, () => {
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

    it('are refused when they are something else than SQLite', async () => {
      await writeFile(at('text.db'), 'example.org another.example\n'.repeat(100));
      assert.throws(() => store.open(at('text.db')), {
        code: 'state-file-not-sqlite',
        message: /text\.db is not an SQLite/,
      });
    });

    it('are refused with the cause where their folder does not exist, or they are a folder', () => {
      const refusal = { code: 'state-file-unusable', message: /cannot be opened: .*unable to open/ };
      assert.throws(() => store.open(join(folder, 'no', 'x.db')), refusal);
      assert.throws(() => store.open(folder), refusal);
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
