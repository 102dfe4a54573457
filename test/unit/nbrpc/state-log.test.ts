/** The state log: what it holds, how it rotates and recovers, and that playing it again gives the same states. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command } from 'commander';
import fc from 'fast-check';
import { registerNbrpc } from '../../../src/cli/nbrpc.ts';
import { sleep } from '../../../src/core/clock.ts';
import { noCause } from '../../../src/nbrpc/reason.ts';
import { withCause } from '../../../src/nbrpc/reason-record.ts';
import { LogReplay } from '../../../src/nbrpc/replay-log.ts';
import type { State } from '../../../src/nbrpc/state.ts';
import { StateLog } from '../../../src/nbrpc/state-log.ts';
import { parseLogLine } from '../../../src/nbrpc/state-log-lines.ts';
import { FakeOutputFiles } from '../../fakes/fake-output-files.ts';
import { LiveRehearsal } from './live-rehearsal.ts';
import { Rehearsal } from './rehearsal.ts';

const path = '/nbrpc.log';

/** A rehearsal whose passes are logged. */
class Logged {
  readonly files = new FakeOutputFiles();
  readonly bench: Rehearsal;
  readonly told: (string | undefined)[] = [];
  maxSize = 1_000_000_000;
  log: StateLog;

  constructor(bench: Rehearsal) {
    this.bench = bench;
    this.log = this.open(0);
  }

  open(now: number): StateLog {
    const { files, maxSize } = this;
    const { settings, store } = this.bench;
    this.log = new StateLog({ files, path, maxSize, settings, onState: (failure) => this.told.push(failure) });
    this.log.begin(store.state, now);
    return this.log;
  }

  async pass(now: number): Promise<void> {
    const report = await this.bench.pass(now);
    this.log.tell(report, this.bench.store.state);
    await this.log.close();
  }

  text(file = path): string {
    return this.files.content.get(file) ?? '';
  }
}

/** All but the order of first appearance, which only breaks ties of what is checked first, and causes, which the log does not have. */
const snapshot = (state: State): unknown =>
  [...state.hosts()]
    .map(({ record, addresses }) => [
      { ...withCause(record, noCause), order: 0 },
      [...addresses.values()]
        .map((address) => ({ ...withCause(address, noCause), order: 0 }))
        .sort((a, b) => (a.address < b.address ? -1 : 1)),
    ])
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

function replayed(text: string): LogReplay {
  const replay = new LogReplay();
  for (const line of text.split('\n')) replay.read(line);
  replay.end();
  return replay;
}

const blockedStory = async (): Promise<Logged> => {
  const bench = new Rehearsal('a b', { hostNaState: 500 });
  const logged = new Logged(bench);
  bench.set('a', '1.1.1.1=ok 1.1.1.2=ok');
  bench.set('b', '1.1.1.3=ok');
  await logged.pass(1000);
  bench.result('a', '1.1.1.1=na');
  for (const now of [1100, 1400, 1700]) await logged.pass(now);
  return logged;
};

describe('the state log', () => {
  it('has a line for people and JSON for each transition, and for what each pass was decided from', async () => {
    const { log, ...logged } = await blockedStory().then((each) => ({ log: each.log, text: each.text() }));
    await log.close();
    const lines = logged.text.split('\n').filter((line) => line !== '');
    const prefixes = lines.map((line) => line.split('\t')[0]);
    assert.deepEqual(prefixes.slice(0, 3), [
      '1970-01-01T00:00:00Z settings',
      '1970-01-01T00:16:40Z pass: 2 listed, 2 resolved, 3 checked',
      '1970-01-01T00:16:40Z a 1.1.1.1: unknown -> ok',
    ]);
    assert.deepEqual(prefixes.slice(-3), [
      '1970-01-01T00:23:20Z pass: 2 resolved, 3 checked',
      '1970-01-01T00:28:20Z pass: 2 resolved, 3 checked',
      '1970-01-01T00:28:20Z a: failing -> na (tls reset at 1.1.1.1 of 2 addresses)',
    ]);
    assert.deepEqual(parseLogLine(lines.at(-1) ?? ''), {
      kind: 'host',
      time: 1700,
      host: 'a',
      from: 'failing',
      to: 'na',
      reason: 'tls reset at 1.1.1.1 of 2 addresses',
      since: 1100,
    });
    assert.ok(lines.every((line) => parseLogLine(line) !== undefined));
  });

  it('is renamed when it is too large, and the new one begins with the last state of each host', async () => {
    const bench = new Rehearsal('a b');
    const logged = new Logged(bench);
    logged.maxSize = 3000;
    logged.open(0);
    bench.set('a', '1.1.1.1=ok');
    bench.set('b', '1.1.1.2=ok');
    for (let now = 1000; !logged.files.content.has(`${path}.1`); now += 100) await logged.pass(now);
    assert.match(logged.text(), /^\S+ settings\t.*\n\S+ a is ok\t.*\n\S+ b is ok\t.*\n$/);
    assert.deepEqual(snapshot(replayed(logged.text()).state), snapshot(bench.store.state));
    assert.ok(logged.text(`${path}.1`).length > 3000 && logged.text(`${path}.1`).length < 6000);
    const renames = () => logged.files.calls.filter((call) => call.startsWith('rename')).length;
    assert.equal(renames(), 1);
    await logged.pass(9000);
    assert.equal(renames(), 1);
  });

  it('is not rotated again and again where the states alone are larger than it may be', async () => {
    const bench = new Rehearsal(Array.from({ length: 50 }, (_, i) => `h${i}`).join(' '));
    const logged = new Logged(bench);
    logged.maxSize = 100;
    logged.open(0);
    for (let now = 1000; now < 3000; now += 100) await logged.pass(now);
    const renames = logged.files.calls.filter((call) => call.startsWith('rename')).length;
    assert.ok(renames >= 1 && renames <= 8, `${renames} renames in 20 passes`);
  });

  it('that cannot be written disturbs nobody, says so once, and begins anew with every state', async () => {
    const logged = await blockedStory();
    logged.files.failure = 'ENOSPC';
    logged.bench.result('a', '1.1.1.1=ok');
    await logged.pass(200_000);
    await logged.pass(200_100);
    assert.equal(logged.bench.host('a'), 'ok@200000');
    assert.deepEqual(logged.told, ['ENOSPC: no writing', 'ENOSPC: no writing']);
    logged.files.failure = undefined;
    await logged.pass(200_200);
    assert.equal(logged.told.at(-1), undefined);
    assert.deepEqual(snapshot(replayed(logged.text()).state), snapshot(logged.bench.store.state));
  });

  it('on a disk that hangs holds up no pass', async () => {
    const logged = await blockedStory();
    let release = (): void => {};
    logged.files.delay = () => new Promise((resolve) => (release = resolve));
    for (const now of [1800, 1900]) {
      const report = await logged.bench.pass(now);
      logged.log.tell(report, logged.bench.store.state);
    }
    logged.files.delay = () => Promise.resolve();
    release();
    await logged.log.close();
    assert.deepEqual(snapshot(replayed(logged.text()).state), snapshot(logged.bench.store.state));
  });

  it('reads no line that somebody has tampered with', () => {
    const line = (json: unknown): string => `x\t${JSON.stringify(json)}`;
    const move = { kind: 'host', time: 1, host: 'a', from: 'ok', to: 'na', reason: '', since: 0 };
    assert.notEqual(parseLogLine(line(move)), undefined);
    assert.equal(parseLogLine(line({ ...move, host: 'a; flush' })), undefined);
    assert.equal(parseLogLine(line({ ...move, extra: 1 })), undefined);
    assert.equal(parseLogLine(line(move).slice(0, -3)), undefined);
    assert.equal(parseLogLine('no log'), undefined);
    const dirty = parseLogLine(line({ ...move, reason: 'a\u001b[2Jb' }));
    assert.ok(dirty?.kind === 'host' && !dirty.reason.includes('\u001b'));
    const address = { ...move, kind: 'address', address: '1.1.1.1 ', from: true, to: false };
    assert.equal(parseLogLine(line(address)), undefined);
  });

  it('played again gives the same states, over any timeline with edits, other processes, restarts and rotations', async () => {
    const step = fc.record({
      wait: fc.constantFrom(3, 60, 300, 500, 2000),
      list: fc.constantFrom('a b c', 'a b c', 'a b c', 'a>pick b c', 'a c', 'b>af-pick c=na'),
      words: fc.array(fc.constantFrom('ok', 'na', 'na', '?'), { minLength: 9, maxLength: 9 }),
      dns: fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 3, maxLength: 3 }),
      kind: fc.constantFrom('pass', 'pass', 'pass', 'slow', 'alt', 'restart', 'fail'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const bench = new LiveRehearsal('a b c', {
          hostNaState: 500,
          hostOkState: 700,
          hostAddrTimeout: 900,
          hostAddrs: 0,
          addrState: 0,
        });
        /** A pass of the daemon, which tells the log of each commit; the one before has counted this many seconds ago. */
        const livePass = async (now: number, elapsed: number): Promise<void> => {
          bench.counted.ran(bench.clock.monotonic() - elapsed * 1000, true);
          bench.onLearned = (learned) => logged.log.tell(learned, bench.store.state);
          bench.clock.jump(now * 1000 - bench.clock.now());
          const passes = await bench.run();
          await bench.clock.advance(2000);
          await passes.stop();
          await logged.log.close();
        };
        const logged = new Logged(bench);
        logged.maxSize = 20_000;
        logged.open(0);
        let now = 10_000;
        for (const { wait, list, words, dns, kind } of steps) {
          now += wait;
          bench.delay = () => Promise.resolve();
          if (kind === 'alt') await bench.alt(now);
          if (kind === 'restart') logged.open(now);
          // A host in a commit of its own, later than the others.
          if (kind === 'slow') bench.delay = ({ host }) => sleep(bench.clock, host === 'b' ? 1000 : 0);
          logged.files.failure = kind === 'fail' ? 'ENOSPC' : undefined;
          bench.files.put('/a.list', list);
          for (const [h, host] of ['a', 'b', 'c'].entries()) {
            const pool = ['1.1.1.1', '1.1.1.2', '1::1'];
            for (const [i, address] of pool.entries()) bench.result(host, `${address}=${words[h * 3 + i]}`);
            bench.resolver.answer(host, ...pool.filter((_, i) => ((dns[h] ?? 0) >> i) & 1));
          }
          await livePass(now, wait / 2);
        }
        logged.files.failure = undefined;
        await livePass(now + 3, 1);
        const both = logged.text(`${path}.1`) + logged.text();
        for (const text of [both, logged.text()]) {
          const { state, unreadable } = replayed(text);
          assert.deepEqual([snapshot(state), unreadable], [snapshot(bench.store.state), []]);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('netsteward nbrpc --replay-log', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'netsteward-replay-'));
  after(() => rm(folder, { recursive: true }));
  const run = async (...flags: string[]): Promise<string> => {
    const program = new Command().exitOverride();
    let output = '';
    const take = (text: string): void => {
      output += text;
    };
    registerNbrpc(program, { out: take, error: take, columns: undefined });
    await program.parseAsync(['nbrpc', '--tz', 'UTC', ...flags], { from: 'user' });
    process.exitCode = 0;
    return output.replaceAll(folder, '');
  };

  it('prints the transitions, with the recorded settings or with others, and the state with -P', async () => {
    const file = join(folder, 'story.log');
    const logged = await blockedStory();
    await writeFile(file, logged.text());
    const common = '1970-01-01.00:16 a: unknown -> ok\n1970-01-01.00:16 b: unknown -> ok\n';
    const why = '(tls reset at 1.1.1.1 of 2 addresses)';
    const failing = `${common}1970-01-01.00:18 a: ok -> failing ${why}\n`;
    assert.equal(await run('--replay-log', file), `${failing}1970-01-01.00:28 a: failing -> na ${why}\n`);
    assert.equal(
      await run('--replay-log', file, '-i', 'host-na-state=100'),
      `${failing}1970-01-01.00:23 a: failing -> na ${why}\n`,
    );
    assert.equal(await run('--replay-log', file, '-i', 'host-na-state=9999'), failing);
    assert.match(await run('--replay-log', file, '-P'), /^\na \[https blocked @ 1970-01-01\.00:28\]:\n/);
    assert.equal(await run('--replay-log', file, '-p', 'noroute'), common);
  });

  it('leaves out a line that a crash has cut off, and refuses what is no state log', async () => {
    const file = join(folder, 'cut.log');
    const text = (await blockedStory()).text();
    await writeFile(file, text.slice(0, -20));
    assert.match(await run('--replay-log', file), /cut\.log:\d+: 1 line\(s\) could not be read/);
    await writeFile(file, 'something else\n');
    await assert.rejects(run('--replay-log', file), { code: 'usage', message: /is no state log/ });
    await assert.rejects(run('--replay-log', join(folder, 'none')), /ENOENT/);
  });
});
