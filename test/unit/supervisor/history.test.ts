/** The history: what is written when, what is bounded, and what a broken file can do to the service (nothing). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NetstewardEvent } from '../../../src/core/events.ts';
import type { HistoryConfig } from '../../../src/supervisor/general-config.ts';
import { History, mostWaiting, retryDelay, writeDelay } from '../../../src/supervisor/history.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import type { Store } from '../../../src/system/ports.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

const day = 86_400_000;
const settings: HistoryConfig = { off: false, file: '/history.db', max_age: 30 * day, max_size: 50e6 };

function setUp(t: TestContext, store: Store = new MemoryStore(), own: Partial<HistoryConfig> = {}) {
  const clock = new FakeClock();
  const told: (string | undefined)[] = [];
  const history = new History(
    { ...settings, ...own },
    { clock, store, onTrouble: (_, reason) => void told.push(reason) },
  );
  t.after(() => history.close());
  const happen = (subject: string, more: Partial<NetstewardEvent> = {}): void =>
    history.event({ at: clock.now(), module: 'nbrpc', code: 'service-works', subject, fields: {}, ...more });
  const subjects = (query: object = {}): string[] =>
    history.query({ limit: 100, ...query }).map((each) => each.subject);
  return { clock, told, history, happen, subjects };
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-history-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A store that counts transactions. */
function counting(store: Store) {
  const count = { transactions: 0 };
  const counted: Store = {
    open(path) {
      const database = store.open(path);
      return {
        ...database,
        transaction(work) {
          count.transactions += 1;
          return database.transaction(work);
        },
      };
    },
  };
  return { count, store: counted };
}

test('events of one second are one transaction, and each can be asked for before it is written', async (t) => {
  const { count, store } = counting(new MemoryStore());
  const { clock, happen, subjects } = setUp(t, store);
  for (const name of ['a', 'b', 'c']) happen(name);
  await clock.advance(writeDelay - 1);
  assert.deepEqual(subjects(), ['a', 'b', 'c']);
  const opening = count.transactions;
  await clock.advance(1);
  assert.equal(count.transactions, opening + 1);
  assert.deepEqual(subjects(), ['a', 'b', 'c']);
  happen('d');
  happen('e');
  await clock.advance(writeDelay);
  assert.equal(count.transactions, opening + 2);
  assert.deepEqual(subjects(), ['a', 'b', 'c', 'd', 'e']);
});

test('a question names period, module, subject, and how many of the newest', async (t) => {
  const { clock, happen, subjects } = setUp(t);
  const start = clock.now();
  for (let index = 0; index < 6; index++) {
    happen(`s${index % 3}`, {
      at: start + index * 1000,
      module: index < 3 ? 'nbrpc' : 'dyndns',
      code: 'service-works',
    });
    if (index === 2) await clock.advance(writeDelay);
  }
  assert.deepEqual(subjects({ subject: 's1' }), ['s1', 's1']);
  assert.deepEqual(subjects({ module: 'dyndns' }), ['s0', 's1', 's2']);
  assert.deepEqual(subjects({ since: start + 2000, until: start + 4000 }), ['s2', 's0']);
  assert.deepEqual(subjects({ limit: 2 }), ['s1', 's2']);
  assert.deepEqual(subjects({ limit: 0 }), []);
  await clock.advance(writeDelay);
  assert.deepEqual(subjects({ since: start + 2000, until: start + 4000 }), ['s2', 's0']);
  assert.deepEqual(subjects({ subject: "s1' OR 1=1 --" }), []);
});

test('the last word on how a service stands stays, however long ago, for ten times max_age', async (t) => {
  const { clock, happen, subjects, history } = setUp(t, new MemoryStore(), { max_age: day });
  happen('steady', { code: 'service-blocked' });
  happen('steady', { code: 'service-rerouted', fields: { reason: 'reset' } });
  happen('moved', { code: 'service-rerouted' });
  happen('/a.list', { code: 'list-read' });
  await clock.advance(3_600_000);
  happen('moved', { code: 'service-direct' });
  await clock.advance(2 * day);
  assert.deepEqual(subjects().sort(), ['moved', 'steady', 'steady']);
  const [interval] = history.serviceIntervals({ since: clock.now() - day / 2, until: clock.now() }).get('steady') ?? [];
  assert.deepEqual([interval?.state, interval?.reason], ['tunnelled', 'reset']);
  await clock.advance(9 * day);
  assert.deepEqual(subjects(), []);
});

test('what is older than max_age goes, without any new event too', async (t) => {
  const { clock, happen, subjects } = setUp(t, new MemoryStore(), { max_age: day });
  happen('old', { code: 'name-moved' });
  await clock.advance(day / 2);
  happen('new');
  await clock.advance(day / 2);
  assert.deepEqual(subjects(), ['old', 'new']);
  await clock.advance(2 * 3_600_000);
  assert.deepEqual(subjects(), ['new']);
});

test('a file of max_size keeps the newest events, and never grows beyond it', async (t) => {
  const file = join(folderOf(t), 'history.db');
  const size = 5_000_000;
  const { clock, happen, history, told } = setUp(t, new SqliteStore(), { file, max_size: size });
  const reason = 'x'.repeat(400);
  let largest = 0;
  for (let round = 0; round < 15; round++) {
    for (let index = 0; index < 1000; index++) happen(`host-${index}`, { fields: { reason: `${reason}${round}` } });
    await clock.advance(writeDelay);
    const bytes = ['', '-wal', '-shm'].map((end) => (existsSync(file + end) ? statSync(file + end).size : 0));
    largest = Math.max(
      largest,
      bytes.reduce((sum, each) => sum + each, 0),
    );
  }
  assert.ok(largest <= size, `${largest} bytes`);
  assert.ok(largest > size / 3, `${largest} bytes: it keeps what it may`);
  const kept = history.query({ limit: 100_000 });
  assert.ok(kept.length > 2000 && kept.length < 14_000, `${kept.length} events`);
  assert.ok(kept.at(-1)?.fields.reason?.endsWith('x14'));
  assert.deepEqual(told, []);
});

test('a full disk is told once, costs nothing but the history, and what waited is written when there is room again', async (t) => {
  const store = new MemoryStore();
  const { clock, happen, subjects, told } = setUp(t, store);
  happen('before');
  await clock.advance(writeDelay);
  store.failWrites({ errcode: 13, message: 'database or disk is full' });
  happen('during');
  await clock.advance(writeDelay);
  assert.deepEqual(told, ['database or disk is full']);
  assert.deepEqual(subjects(), ['before', 'during']);
  store.failWrites(undefined);
  happen('after');
  await clock.advance(retryDelay);
  assert.equal(told.at(-1), undefined);
  assert.deepEqual(subjects(), ['before', 'during', 'after']);
});

test('while the file cannot be written only the newest events are kept in memory', async (t) => {
  const { clock, happen, history } = setUp(t, new MemoryStore(), { file: '/nowhere/history.db' });
  for (let index = 0; index < mostWaiting + 10; index++) happen(`s${index}`);
  await clock.advance(writeDelay);
  const kept = history.query({ limit: 2 * mostWaiting });
  assert.equal(kept.length, mostWaiting);
  assert.equal(kept[0]?.subject, 's10');
});

test('a damaged file, and one of another program, stay as they are; once moved away, a new one is made', async (t) => {
  const folder = folderOf(t);
  for (const [name, make] of [
    ['garbage.db', (file: string) => writeFileSync(file, 'no database at all, '.repeat(1000))],
    [
      'foreign.db',
      (file: string) => {
        const other = new SqliteStore().open(file);
        other.exec('CREATE TABLE precious (x)');
        other.exec('PRAGMA application_id = 77');
        other.close();
      },
    ],
    [
      'anonymous.db',
      (file: string) => {
        const other = new SqliteStore().open(file);
        other.exec('CREATE TABLE precious (x)');
        other.close();
      },
    ],
  ] as const) {
    const file = join(folder, name);
    make(file);
    const size = statSync(file).size;
    const { clock, happen, subjects, told } = setUp(t, new SqliteStore(), { file });
    happen('one');
    await clock.advance(writeDelay);
    assert.equal(told.length, 1, name);
    assert.match(told[0] ?? '', /garbage|some other program/, name);
    assert.equal(statSync(file).size, size, name);
    assert.deepEqual(subjects(), ['one'], name);
    renameSync(file, `${file}.away`);
    await clock.advance(retryDelay);
    assert.equal(told.at(-1), undefined, name);
    assert.deepEqual(subjects(), ['one'], name);
    assert.ok(existsSync(file), name);
  }
});

test('a file that is removed while it is open is made anew', async (t) => {
  const store = new MemoryStore();
  const { clock, happen, subjects, told } = setUp(t, store);
  happen('lost');
  await clock.advance(writeDelay);
  store.remove('/history.db');
  happen('kept');
  await clock.advance(writeDelay);
  assert.deepEqual(subjects(), ['kept']);
  assert.deepEqual(told, []);
});

test('switched off it opens no file, and the newest events can be asked for all the same', async (t) => {
  const store = new MemoryStore();
  const { clock, happen, subjects, history } = setUp(t, store, { off: true });
  happen('a');
  await clock.advance(day);
  assert.equal(store.opened, 0);
  assert.deepEqual(subjects(), ['a']);
  history.configure(settings);
  await clock.advance(writeDelay);
  assert.equal(store.opened, 1);
  assert.deepEqual(subjects(), ['a']);
});

test('a reload that names another file leaves what was known in the old one', async (t) => {
  const { clock, happen, subjects, history } = setUp(t);
  happen('first');
  history.configure({ ...settings, file: '/other.db' });
  happen('second');
  await clock.advance(writeDelay);
  assert.deepEqual(subjects(), ['second']);
  history.configure(settings);
  assert.deepEqual(subjects(), ['first']);
});

test('a reload that names another file ends the trouble with the first one at once, and nothing that waited is lost', async (t) => {
  const { clock, happen, subjects, history, told } = setUp(t, new MemoryStore(), { file: '/nowhere/history.db' });
  happen('one');
  await clock.advance(writeDelay);
  assert.equal(told.length, 1);
  happen('two');
  history.configure(settings);
  assert.equal(told.at(-1), undefined);
  await clock.advance(writeDelay);
  history.configure({ ...settings, off: true });
  assert.deepEqual(subjects(), [], 'both are in the file');
  history.configure(settings);
  assert.deepEqual(subjects(), ['one', 'two']);
});

test('close() writes what waits, and nothing is armed afterwards', async (t) => {
  const store = new MemoryStore();
  const first = setUp(t, store);
  first.happen('last words');
  first.history.close();
  first.happen('too late');
  assert.equal(first.clock.waiting, 0);
  assert.equal(store.opened, 0);
  assert.deepEqual(setUp(t, store).subjects(), ['last words']);
});

test('kill -9 at any moment leaves a whole file with what was written', async (t) => {
  const file = join(folderOf(t), 'history.db');
  const writer = fileURLToPath(new URL('history-writer.js', import.meta.url));
  for (let round = 1; round <= 3; round++) {
    const child = spawn(process.execPath, [writer, file, `round ${round}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk) => {
        said += String(chunk);
        // In the midst of its writing.
        if (said.split('\n').length > 20 * round) resolve();
      });
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
    const { subjects, told } = setUp(t, new SqliteStore(), { file });
    const found = subjects({ limit: 100_000, subject: `round ${round}` }).length;
    const written = said.split('\n').length - 1;
    assert.ok(found >= written, `${found} events of ${written} that were written`);
    assert.deepEqual(told, []);
  }
});
