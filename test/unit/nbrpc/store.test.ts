/** The state file: nothing is lost or half there, whoever is killed and whatever is found in its place. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/core/clock.ts';
import { decide } from '../../../src/nbrpc/decide.ts';
import type { ListReading } from '../../../src/nbrpc/lists.ts';
import type { CheckResult, ListEntry } from '../../../src/nbrpc/model.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import type { State } from '../../../src/nbrpc/state.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { policy } from './build-state.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-state-'));
after(() => rm(folder, { recursive: true }));
const store = new SqliteStore();
const open = (name: string): StateStore => StateStore.open({ store, path: join(folder, name), clock: systemClock });
const settings = { timers: contractTimers, limits: contractLimits, defaultPolicy: policy('af-all') };
const check = { type: 'https', path: '/x', result: '200' };

function list(...names: string[]): ListReading {
  const entries = new Map(names.map((host): [string, ListEntry] => [host, { host, check, policy: 'pick.6' }]));
  return { path: '/etc/my "list"', kind: 'version', mtime: 1767225600.125, entries, remarks: [] };
}

function pass(now: number, names: readonly string[], result: CheckResult) {
  return (state: State) =>
    decide(state, settings, {
      now,
      counted: now,
      lists: [list(...names)],
      resolved: names.map((host) => ({ host, addresses: ['1.1.1.1', '2606:4700::1111'] })),
      checked: names.map((host) => ({ host, address: '1.1.1.1', check, result })),
      graceless: false,
    });
}

const snapshot = (state: State): unknown => ({
  hosts: [...state.hosts()].map(({ record, addresses }) => [record, [...addresses.values()]]),
  lists: [...state.lists().values()].map((one) => [one, [...one.entries.values()]]),
});

describe('the state file', () => {
  it('gives back everything that was saved, to the last fraction of a second', async () => {
    const first = open('round.db');
    await first.commit(pass(1767225600.123, ['a.example', 'b.example'], { kind: 'fail', reason: `it's "odd" \\ ü` }));
    await first.commit(pass(1767225601.456, ['a.example', 'c.example'], { kind: 'ok' }));
    const saved = snapshot(first.state);
    first.close();
    const second = open('round.db');
    assert.deepEqual(snapshot(second.state), saved);
    second.close();
  });

  it('forgets the addresses of a host that is removed', async () => {
    const first = open('removed.db');
    await first.commit(pass(10, ['a.example'], { kind: 'ok' }));
    await first.commit(pass(20, [], { kind: 'ok' }));
    first.close();
    const database = store.open(join(folder, 'removed.db'));
    assert.equal(database.prepare('SELECT count(*) AS n FROM addresses').get()?.n, 0);
    database.close();
  });

  it('is alone in its folder after closing, and can be copied then', async () => {
    const first = open('alone.db');
    await first.commit(pass(10, ['a.example'], { kind: 'ok' }));
    first.close();
    assert.deepEqual(
      [existsSync(join(folder, 'alone.db-wal')), existsSync(join(folder, 'alone.db-shm'))],
      [false, false],
    );
    await writeFile(join(folder, 'copy.db'), await readFile(join(folder, 'alone.db')));
    const copy = open('copy.db');
    assert.equal(copy.state.size, 1);
    copy.close();
  });

  it('is shared: what one process saves, another takes in before it decides', async () => {
    const [one, two] = [open('shared.db'), open('shared.db')];
    await one.commit(pass(10, ['a.example'], { kind: 'ok' }));
    assert.equal(two.state.size, 0);
    assert.equal((await two.refresh()).size, 1);
    await two.commit(pass(20, ['a.example', 'b.example'], { kind: 'ok' }));
    await one.commit(pass(30, ['a.example', 'b.example', 'c.example'], { kind: 'ok' }));
    assert.equal(one.state.size, 3);
    one.close();
    two.close();
    const again = open('shared.db');
    assert.equal(again.state.size, 3);
    again.close();
  });

  it('that another process holds is waited for without blocking, for a minute, and then told', async () => {
    const clock = new FakeClock();
    const disk = new MemoryStore();
    const held = StateStore.open({ store: disk, path: '/x', clock });
    disk.failWrites({ errcode: 5, message: 'database is locked' });
    let outcome = 'waiting';
    const end = held.commit(pass(10, ['a.example'], { kind: 'ok' })).then(
      () => (outcome = 'saved'),
      (error: Error) => (outcome = error.message),
    );
    await clock.advance(59_000);
    assert.equal(outcome, 'waiting');
    await clock.advance(2000);
    await end;
    assert.match(outcome, /cannot be written: database is locked/);
    const later = held.commit(pass(10, ['a.example'], { kind: 'ok' }));
    await clock.advance(30_000);
    disk.failWrites(undefined);
    await clock.advance(1000);
    await later;
    assert.equal(held.state.size, 1);
  });

  it('of something else, of other programs, of a newer version or damaged is refused, and stays as it is', async () => {
    await writeFile(join(folder, 'text.db'), 'not a database\n'.repeat(500));
    assert.throws(() => open('text.db'), {
      code: 'state-file-not-sqlite',
      message: /text\.db is not an SQLite database/,
    });

    const foreign = store.open(join(folder, 'foreign.db'));
    foreign.exec('CREATE TABLE hosts (x)');
    foreign.close();
    assert.throws(() => open('foreign.db'), { code: 'state-file-foreign', message: /some other program/ });

    open('newer.db').close();
    const newer = store.open(join(folder, 'newer.db'));
    newer.exec('PRAGMA user_version = 3');
    newer.close();
    assert.throws(() => open('newer.db'), { code: 'state-file-newer', message: /is of version 3, .* up to 2/ });

    const rows = open('rows.db');
    await rows.commit(pass(10, ['a.example'], { kind: 'ok' }));
    rows.close();
    const edited = store.open(join(folder, 'rows.db'));
    edited.exec(`UPDATE addresses SET address = '1.1.1.1; flush ruleset' WHERE address = '1.1.1.1'`);
    edited.close();
    assert.throws(() => open('rows.db'), {
      code: 'state-file-damaged',
      message: /"1\.1\.1\.1; flush ruleset" is no address/,
    });

    const cut = open('cut.db');
    await cut.commit(pass(10, ['a.example'], { kind: 'ok' }));
    cut.close();
    await truncate(join(folder, 'cut.db'), 5000);
    const before = await readFile(join(folder, 'cut.db'));
    assert.throws(() => open('cut.db'), { code: /state-file-(unusable|not-sqlite|damaged)/ });
    assert.deepEqual(await readFile(join(folder, 'cut.db')), before);
  });

  it('of the version before is taken over, its times counting as they were', async () => {
    const first = open('older.db');
    await first.commit(pass(10, ['a.example'], { kind: 'fail', reason: 'tls reset' }));
    first.close();
    const older = store.open(join(folder, 'older.db'));
    for (const column of ['changed_counted', 'failing_counted']) older.exec(`ALTER TABLE hosts DROP COLUMN ${column}`);
    older.exec('DROP TABLE timeline; PRAGMA user_version = 1');
    older.close();
    const taken = open('older.db');
    const record = taken.state.host('a.example')?.record;
    assert.deepEqual([record?.state, record?.changed, record?.changedCounted], ['na', 10, 10]);
    assert.deepEqual([record?.failingCounted, taken.state.timeline], [10, { counted: 0, lost: 0 }]);
    taken.close();
    open('older.db').close();
  });

  it('of zero bytes is a new one', async () => {
    await writeFile(join(folder, 'zero.db'), '');
    const fresh = open('zero.db');
    assert.equal(fresh.state.size, 0);
    fresh.close();
  });

  it('passes on an error of the deciding itself as it is, and keeps the state', async () => {
    const broken = open('broken.db');
    await broken.commit(pass(10, ['a.example'], { kind: 'ok' }));
    const failure = new TypeError('a defect');
    const bad = broken.commit(() => {
      throw failure;
    });
    await assert.rejects(bad, (error) => error === failure);
    assert.equal(broken.state.size, 1);
    broken.close();
  });

  it('is consistent after kill -9 at any moment, and has every pass that was told to be saved', {
    timeout: 60_000,
  }, async () => {
    const script = fileURLToPath(new URL('./store-writer.js', import.meta.url));
    const path = join(folder, 'killed.db');
    let next = 1;
    for (let round = 0; round < 12; round++) {
      const child = spawn(process.execPath, [script, path, String(next)], { stdio: ['ignore', 'pipe', 'inherit'] });
      let told = 0;
      let text = '';
      const lines = 3 + round * 4;
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (data: Buffer) => {
          text += data.toString();
          told = Number(text.trimEnd().split('\n').at(-1));
          if (told >= next + lines) child.kill('SIGKILL');
        });
        child.on('close', () => resolve());
      });
      assert.ok(told >= next + lines);
      const state = open('killed.db');
      const all = [...state.state.hosts()];
      assert.equal(all.length, 1);
      const number = Number(all[0]?.record.name.slice(1));
      assert.ok(number >= told, `${number} >= ${told}`);
      assert.equal(all[0]?.record.checked, number);
      assert.equal(all[0]?.addresses.size, 1);
      assert.equal(state.state.lists().get('/a.list')?.entries.size, 1);
      state.close();
      assert.equal(existsSync(`${path}-wal`), false);
      next = number + 1;
    }
  });
});
