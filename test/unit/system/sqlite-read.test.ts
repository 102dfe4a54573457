/** A reader beside the writer of an SQLite file: it sees what was committed, changes nothing, and notices another file. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Past } from '../../../src/supervisor/page/past.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import { openReader } from '../../../src/system/linux/sqlite-read.ts';

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-reader-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'a.db');
}

function writer(t: TestContext, file: string, first: number) {
  const database = new SqliteStore().open(file);
  t.after(() => database.close());
  database.exec('CREATE TABLE number (value INTEGER)');
  const write = (value: number): void => void database.prepare('INSERT INTO number VALUES (?)').run(value);
  write(first);
  return { database, write };
}

const newest = 'SELECT max(value) AS value FROM number WHERE value < ?';

test('it sees each transaction once it is committed, also while another is under way', (t) => {
  const file = place(t);
  const { database, write } = writer(t, file, 1);
  const reader = openReader(file);
  t.after(() => reader.close());
  const value = (): unknown => reader.all(newest, [100])[0]?.value;
  assert.equal(value(), 1);
  database.transaction(() => {
    write(2);
    assert.equal(value(), 1);
  });
  assert.equal(value(), 2);
});

test('it cannot write, and makes no file where there is none', (t) => {
  const file = place(t);
  assert.throws(() => openReader(file), { code: 'ENOENT' });
  assert.equal(existsSync(file), false);
  writer(t, file, 1);
  const reader = openReader(file);
  t.after(() => reader.close());
  assert.throws(() => reader.all('INSERT INTO number VALUES (?)', [5]), /readonly/);
  assert.throws(() => reader.all('DELETE FROM number', []), /readonly/);
});

test('what is no database is an error of SQLite’s, and stays as it is', (t) => {
  const file = place(t);
  writeFileSync(file, 'no database at all. '.repeat(500));
  assert.throws(() => openReader(file), /not a database/);
  assert.deepEqual(readdirSync(join(file, '..')), ['a.db']);
});

test('what is no regular file is not opened: a FIFO would be waited for', (t) => {
  const file = place(t);
  execFileSync('mkfifo', [file]);
  assert.throws(() => openReader(file), /it is no regular file/);
});

test('another file in its place is read from then on, and counts as another generation', async (t) => {
  const file = place(t);
  writer(t, file, 1).database.close();
  const past = new Past(openReader, file);
  t.after(() => past.close());
  const value = () => past.read((ask) => ask(newest, [100])[0]?.value);
  assert.deepEqual([await value(), past.generation], [1, 1]);
  assert.deepEqual([await value(), past.generation], [1, 1]);
  renameSync(file, `${file}.old`);
  assert.match(JSON.stringify(await value()), /There is no history yet/);
  writer(t, file, 7).database.close();
  assert.deepEqual([await value(), past.generation], [7, 2]);
});

test('a history that is off is a sentence, and no file is touched', async () => {
  const past = new Past(() => assert.fail(), undefined);
  assert.deepEqual(await past.read(() => 1), { problem: 'The history is off ([history] off = true).' });
});
