/**
 * nbrpc under faults: killed at any moment, disk full, state file locked, read-only or lost. How often it is killed, which
 * takes 0.15 s each, is $NETSTEWARD_KILLS: 500 on CI, 60 else.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SqliteStore } from '../../src/system/linux/sqlite.ts';
import { eventually } from '../system/eventually.ts';

const folder = mkdtempSync('/tmp/netsteward-faults-');
const started = new Set<ChildProcess>();
after(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});
const script = fileURLToPath(new URL('./nbrpc-faults-child.js', import.meta.url));

function child(mode: string, where: string): ChildProcess {
  const process_ = spawn(process.execPath, [script, mode, where], { stdio: ['pipe', 'pipe', 'inherit'] });
  started.add(process_);
  process_.once('close', () => started.delete(process_));
  return process_;
}

/** The next line that it says; undefined when it ends first. */
function line(from: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const hear = (data: Buffer): void => {
      text += data.toString();
      if (text.includes('\n')) end(text.slice(0, text.indexOf('\n')));
    };
    const onClose = (): void => end(undefined);
    const end = (found: string | undefined): void => {
      from.stdout?.off('data', hear);
      from.off('close', onClose);
      resolve(found);
    };
    from.stdout?.on('data', hear);
    from.once('close', onClose);
  });
}

const ended = (of: ChildProcess): Promise<unknown> => new Promise((resolve) => of.once('close', resolve));

const kills = Number(process.env.NETSTEWARD_KILLS ?? (process.env.CI === 'true' ? 500 : 60));

test(`killed with SIGKILL ${kills} times, it always opens its state, has lost nothing that it acted upon, and starts from it`, {
  timeout: 240_000,
}, async (t) => {
  // Two at a time, each with a state file of its own: most of the time goes into starting Node.
  const rounds = async (lane: number): Promise<{ starts: number; acts: number }> => {
    const where = join(folder, `killed-${lane}`);
    mkdirSync(where);
    const told = join(where, 'acts');
    const acts = (): number => (existsSync(told) ? (readFileSync(told, 'utf8').match(/^act /gm)?.length ?? 0) : 0);
    for (let round = 0; round < kills / 2; round++) {
      const running = child('flip', where);
      const closed = ended(running);
      if (round % 10 === 9) await wait((round * 7) % 120);
      else {
        const before = acts();
        await line(running);
        // From before the first pass to some hundred passes later; a third of them not before the sets were changed.
        if (round % 3 === 1) await eventually('passes that change the sets', () => acts() >= before + 5);
        else await wait((round * 13) % 41);
      }
      running.kill('SIGKILL');
      await closed;
    }
    const lines = readFileSync(told, 'utf8').trimEnd().split('\n');
    let acted = 0;
    let starts = 0;
    for (const [index, text] of lines.entries()) {
      const [word, number] = text.split(' ');
      assert.ok(Number(number) >= acted, `line ${index + 1}: ${text} after ${acted}`);
      acted = Number(number);
      if (word === 'start') starts += 1;
    }
    const database = new SqliteStore().open(join(where, 'state.db'));
    assert.equal(database.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    assert.deepEqual(database.prepare('PRAGMA foreign_key_check').all(), []);
    database.close();
    return { starts, acts: lines.length - starts };
  };
  const lanes = await Promise.all([rounds(0), rounds(1)]);
  for (const { starts, acts } of lanes) {
    t.diagnostic(`${starts} starts from the saved state, ${acts} times the sets were changed`);
    assert.ok(starts >= (kills / 2) * 0.9 && acts > kills / 2, `${starts} starts, ${acts} acts`);
  }
});

test('on a full disk routing stays, checks go on, a warning says so, and it recovers by itself', () => {
  const inside = `mount -t tmpfs -o size=1m tmpfs /run && mkdir /run/state && exec "$@"`;
  const root = process.getuid?.() === 0 ? ['-m'] : ['-Urm', '--map-root-user'];
  const argv = [...root, 'bash', '-c', inside, 'bash', process.execPath, script, 'full', '/run/state'];
  const { stdout, stderr, status } = spawnSync('unshare', argv, { encoding: 'utf8', timeout: 200_000 });
  assert.equal(status, 0, stderr);
  const said = JSON.parse(stdout) as { warned: string; while_full: string[]; after: string };
  assert.match(said.warned, /^state-not-saved: the state file \/run\/state\/state\.db cannot be written: .*full/);
  assert.deepEqual([new Set(said.while_full), said.after], [new Set(['']), '9.9.9.9']);
});

test('a state file on a read-only file system is a clear error at the start, and works once it is writable', () => {
  const inside = `mount -t tmpfs tmpfs /run && mkdir /run/state && mount -o remount,ro /run && "$@" && mount -o remount,rw /run && exec "$@"`;
  const root = process.getuid?.() === 0 ? ['-m'] : ['-Urm', '--map-root-user'];
  const argv = [...root, 'bash', '-c', inside, 'bash', process.execPath, script, 'start', '/run/state'];
  const { stdout, stderr, status } = spawnSync('unshare', argv, { encoding: 'utf8', timeout: 200_000 });
  assert.equal(status, 0, stderr);
  assert.equal(
    stdout,
    'state-file-unusable: /run/state/state.db cannot be opened: the file system is read-only\nstarted\n',
  );
});

test('a state file that another process holds wholly is a clear error at the start, and works once it is let go', async () => {
  const where = join(folder, 'exclusive');
  mkdirSync(where);
  const first = child('start', where);
  assert.equal(await line(first), 'started');
  const holder = child('lock-exclusive', where);
  assert.equal(await line(holder), 'ready');
  assert.match((await line(child('start', where))) ?? '', /^state-file-unusable: .*another process holds it/);
  const closed = ended(holder);
  holder.stdin?.end();
  await closed;
  assert.equal(await line(child('start', where)), 'started');
});

test('while another process writes, passes wait without stopping the process, and go on after it', async () => {
  const where = join(folder, 'locked');
  mkdirSync(where);
  const running = child('beside', where);
  assert.equal(await line(running), 'ready');
  const holder = child('lock', where);
  assert.equal(await line(holder), 'ready');
  running.stdin?.write('block\n');
  const meanwhile = JSON.parse((await line(running)) ?? '{}') as { ticks: number; held: string };
  assert.equal(meanwhile.held, '', 'nothing is acted upon that is not saved');
  assert.ok(meanwhile.ticks > 4, `the event loop went round ${meanwhile.ticks} times`);
  const closed = ended(holder);
  holder.stdin?.end();
  await closed;
  running.stdin?.end();
  assert.deepEqual(JSON.parse((await line(running)) ?? '{}'), { after: '9.9.9.9', warnings: [] });
});

test('a state file that is removed under it is written anew, and a kill after that loses nothing', async () => {
  const where = join(folder, 'lost');
  mkdirSync(where);
  const running = child('lose', where);
  const { held } = JSON.parse((await line(running)) ?? '{}') as { held: string[] };
  assert.deepEqual(held, [], 'the sets were left as they are');
  const closed = ended(running);
  running.kill('SIGKILL');
  await closed;
  assert.equal(await line(child('first', where)), '9.9.9.9');
});
