/** The state file: nothing is lost or half there, whoever is killed and whatever is found in its place. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/core/clock.ts';
import type { NetstewardError } from '../../../src/core/errors.ts';
import { cause } from '../../../src/nbrpc/reason.ts';
import { Draft } from '../../../src/nbrpc/state.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { pass, snapshot } from './store-passes.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-state-'));
after(() => rm(folder, { recursive: true }));
const store = new SqliteStore();
const open = (name: string): StateStore => StateStore.open({ store, path: join(folder, name), clock: systemClock });

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

  it('of something else, of other programs or of a newer version is refused, and stays as it is to the last byte', async () => {
    const refused = async (name: string, refusal: { code: string; message: RegExp; remedy: RegExp }): Promise<void> => {
      const before = await readFile(join(folder, name));
      assert.throws(() => open(name), refusal);
      assert.ok((await readFile(join(folder, name))).equals(before), `${name} was written to`);
      assert.deepEqual((await readdir(folder)).filter((file) => file.startsWith(name)).sort(), [name]);
    };
    await writeFile(join(folder, 'text.db'), 'not a database\n'.repeat(500));
    await refused('text.db', {
      code: 'state-file-not-sqlite',
      message: /text\.db is not an SQLite database/,
      remedy: /^Name another state file/,
    });

    const foreign = store.open(join(folder, 'foreign.db'));
    foreign.exec('CREATE TABLE hosts (x)');
    foreign.close();
    await refused('foreign.db', {
      code: 'state-file-foreign',
      message: /some other program/,
      remedy: /^Name another state file/,
    });

    open('newer.db').close();
    const newer = store.open(join(folder, 'newer.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    await refused('newer.db', {
      code: 'state-file-newer',
      message: /is of version 99, .* up to \d+/,
      remedy: /newer netsteward/,
    });
  });

  it('that is damaged in any way says so, and that a copy or an empty state is the way out', async () => {
    const whole = open('whole.db');
    await whole.commit(pass(10, ['a.example', 'b.example'], { kind: 'ok' }));
    whole.close();
    const bytes = await readFile(join(folder, 'whole.db'));
    const edited = store.open(join(folder, 'whole.db'));
    edited.exec(`UPDATE addresses SET address = '1.1.1.1; flush ruleset' WHERE address = '1.1.1.1'`);
    edited.close();
    const cut = (length: number): Buffer => bytes.subarray(0, length);
    const filled = (from: number, value: number): Buffer => Buffer.from(bytes).fill(value, from);
    const damages: Readonly<Record<string, [content: Uint8Array, what: RegExp]>> = {
      'a row': [await readFile(join(folder, 'whole.db')), /"1\.1\.1\.1; flush ruleset" is no address/],
      'cut in the header': [cut(50), /it ends after 50 bytes, in its header/],
      'cut behind the header': [cut(1000), new RegExp(`it lacks ${bytes.length - 1000} byte\\(s\\) at its end`)],
      'cut between pages': [cut(8192), new RegExp(`it lacks ${bytes.length - 8192} byte\\(s\\) at its end`)],
      'one byte short': [cut(bytes.length - 1), /it lacks 1 byte\(s\) at its end/],
      'rubbish behind the header': [filled(108, 0xa5), /malformed/],
      'zero bytes behind the first page': [filled(4096, 0), /malformed/],
      'zero bytes': [filled(0, 0), /zero bytes stand where its header should be/],
    };
    for (const [what, [content, says]] of Object.entries(damages)) {
      await writeFile(join(folder, 'damaged.db'), content);
      assert.throws(
        () => open('damaged.db'),
        (error: NetstewardError) => {
          assert.equal(error.code, 'state-file-damaged', `${what}: ${error.message}`);
          assert.match(error.message, /damaged\.db is damaged: /, what);
          assert.match(error.message, says, what);
          assert.match(error.remedy ?? '', /^Restore the file from a copy, or move it away/, what);
          return true;
        },
      );
    }
  });

  it('that turns out damaged while it is used is told so, and written anew once it is moved away', async () => {
    const clock = new FakeClock();
    const disk = new MemoryStore();
    const used = StateStore.open({ store: disk, path: '/x', clock });
    await used.commit(pass(10, ['a.example'], { kind: 'ok' }));
    disk.failWrites({ errcode: 11, message: 'database disk image is malformed' });
    await assert.rejects(used.commit(pass(20, ['a.example', 'b.example'], { kind: 'ok' })), {
      code: 'state-file-damaged',
      message: '/x is damaged: database disk image is malformed',
      remedy: /^Move it away: /,
    });
    assert.equal(used.state.size, 1);
    disk.failWrites(undefined);
    disk.remove('/x');
    await used.commit(pass(20, ['a.example', 'b.example'], { kind: 'ok' }));
    assert.deepEqual([used.replacement, used.state.size], ['rewritten', 2]);
    used.close();
    const again = StateStore.open({ store: disk, path: '/x', clock });
    assert.equal(again.state.size, 2);
    again.close();
  });

  it('of the version before is taken over, its times counting as they were', async () => {
    const first = open('older.db');
    await first.commit(pass(10, ['a.example'], { kind: 'fail', reason: 'tls reset' }));
    first.close();
    const older = store.open(join(folder, 'older.db'));
    const later = ['changed_counted', 'failing_counted', 'exit', 'cause'];
    for (const column of later) older.exec(`ALTER TABLE hosts DROP COLUMN ${column}`);
    for (const column of ['prompt', 'cause']) older.exec(`ALTER TABLE addresses DROP COLUMN ${column}`);
    older.exec('DROP TABLE timeline; PRAGMA user_version = 1');
    older.close();
    const taken = open('older.db');
    const record = taken.state.host('a.example')?.record;
    assert.deepEqual([record?.state, record?.changed, record?.changedCounted], ['na', 10, 10]);
    assert.deepEqual([record?.failingCounted, taken.state.timeline], [10, { counted: 0, lost: 0 }]);
    taken.close();
    open('older.db').close();
  });

  it('keeps how a service is blocked, and forgets it with it; what another version may have written is no cause', async () => {
    const reset = cause('tls', 'reset', '1 kB of the handshake came');
    const first = open('causes.db');
    await first.commit(pass(10, ['a.example'], { kind: 'fail', reason: 'tls reset', cause: reset }));
    await first.commit((state) => {
      const draft = new Draft(state);
      const known = state.host('a.example');
      if (known !== undefined) draft.putHost({ ...known.record, cause: cause('name', 'nxdomain') });
      return { changes: draft.changes() };
    });
    first.close();
    const again = open('causes.db');
    const entry = again.state.host('a.example');
    assert.deepEqual(entry?.addresses.get('1.1.1.1')?.cause, reset);
    assert.deepEqual(entry?.record.cause, { kind: 'name', code: 'nxdomain', detail: '' });
    again.close();
    const edited = store.open(join(folder, 'causes.db'));
    edited.exec(`UPDATE hosts SET cause = '{"kind":"name","code":"of-tomorrow","detail":""}'`);
    edited.close();
    const older = open('causes.db');
    assert.equal(older.state.host('a.example')?.record.cause, undefined);
    await older.commit(pass(20, ['a.example'], { kind: 'ok' }));
    older.close();
    const last = open('causes.db');
    assert.equal(last.state.host('a.example')?.addresses.get('1.1.1.1')?.cause, undefined);
    last.close();
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
    timeout: 240_000,
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
