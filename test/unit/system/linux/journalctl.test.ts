/** The journal through a program that stands for journalctl: what is told, and how it begins again when that ends. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { JournalctlJournal } from '../../../../src/system/linux/journalctl.ts';
import { FakeClock } from '../../../fakes/fake-clock.ts';
import { eventually } from '../../../system/eventually.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-journalctl-'));
after(() => rm(folder, { recursive: true }));

const start = Date.UTC(2026, 0, 1);
const second = (count: number): number => (start + count * 1000) * 1000;

/** A line of `--output=json`: systemd's entry about `unit`, written so many seconds after the start. */
function entry(unit: string, seconds: number, cursor = `c-${unit}-${seconds}`): string {
  return JSON.stringify({
    __CURSOR: cursor,
    __REALTIME_TIMESTAMP: String(second(seconds)),
    _SYSTEMD_UNIT: 'init.scope',
    UNIT: unit,
  });
}

/** Shell: writes the lines and stays. */
const following = (...lines: readonly string[]): string =>
  `${lines.map((line) => `printf '%s\\n' '${line}'`).join('\n')}\nexec sleep 600`;

let count = 0;

class Bench {
  readonly clock = new FakeClock(start);
  readonly told: string[] = [];
  readonly command: string;
  readonly persistent: string;
  readonly following: { close(): Promise<void> };

  /**
   * `runs`: what the program does when it is to follow the journal, the first time, the second, …; later ones do as the last.
   * `check`: what it does when it is to say what it may not read.
   */
  constructor(t: TestContext, runs: readonly string[], { persistent = folder, command = '', check = 'exit 0' } = {}) {
    count += 1;
    this.command = command === '' ? join(folder, `journalctl-${count}`) : command;
    this.persistent = persistent;
    const cases = runs.map((body, index) => `${index + 1 === runs.length ? '*' : index + 1}) ${body}\n;;`);
    // The number of runs is the number of lines in its own log of arguments.
    const script = `#!/bin/sh\nif [ "$1" != --follow ]; then\n${check}\nfi\necho "$*" >> "$0.runs"\ncase $(wc -l < "$0.runs") in\n${cases.join('\n')}\nesac\n`;
    if (command === '') {
      writeFileSync(this.command, script);
      chmodSync(this.command, 0o755);
    }
    const journal = new JournalctlJournal({ clock: this.clock, command: this.command, persistent });
    this.following = journal.follow({
      job: ({ unit, user, at }) => this.told.push(`${unit}${user ? ' (user)' : ''} at ${(at - second(0)) / 1e6}`),
      lost: (reason) => this.told.push(`lost: ${reason}`),
      found: () => this.told.push('found'),
    });
    t.after(() => this.following.close());
  }

  /** Arguments of each run so far. */
  get runs(): readonly string[] {
    if (!existsSync(`${this.command}.runs`)) return [];
    return readFileSync(`${this.command}.runs`, 'utf8').split('\n').slice(0, -1);
  }

  /** Waits until just this has been told since the last call. */
  async tells(...expected: readonly string[]): Promise<void> {
    const enough = (): boolean => this.told.length >= expected.length;
    await eventually(expected.join(), enough, { details: () => this.told.join('\n') }).catch(() => undefined);
    assert.deepEqual(this.told.splice(0), expected);
  }

  /** Waits for run number `run`, and that it wrote its arguments. */
  async ran(run: number): Promise<string> {
    return eventually(`run ${run}`, () => this.runs[run - 1]);
  }
}

test('the jobs of the journal are told, from the moment on when it was asked for', async (t) => {
  const bench = new Bench(t, [following(entry('a.service', 1), entry('b.service', 2))]);
  await bench.tells('found', 'a.service at 1', 'b.service at 2');
  assert.match(await bench.ran(1), /^--follow --no-tail .*--since=@1767225600\.000000 /);
});

test('a silent journal is found when a second has passed without a complaint', async (t) => {
  const bench = new Bench(t, [following()]);
  await bench.ran(1);
  await bench.clock.advance(999);
  await bench.tells();
  await bench.clock.advance(1);
  await bench.tells('found');
});

test('when journalctl ends it is started again at the entry that was told last, which is not told twice', async (t) => {
  const bench = new Bench(t, [
    `printf '%s\\n' '${entry('a.service', 1)}' '${entry('b.service', 2)}'; kill -9 $$`,
    following(entry('b.service', 2), entry('c.service', 3)),
  ]);
  await bench.tells('found', 'a.service at 1', 'b.service at 2', `lost: ${bench.command} ended with SIGKILL`);
  await bench.clock.advance(250);
  assert.match(await bench.ran(2), / --cursor=c-b\.service-2 /);
  await bench.tells('found', 'c.service at 3');
});

test('the entry that was told last is known again where journald has copied it and its cursor is another', async (t) => {
  const bench = new Bench(t, [
    `printf '%s\\n' '${entry('a.service', 1)}'; exit 0`,
    following(entry('a.service', 1, 'copied'), entry('a.service', 2)),
  ]);
  await bench.tells('found', 'a.service at 1', `lost: ${bench.command} ended with code 0`);
  await bench.clock.advance(250);
  await bench.tells('found', 'a.service at 2');
});

test('a cursor that journalctl refuses is given up for the time of that entry', async (t) => {
  const bench = new Bench(t, [
    `printf '%s\\n' '${entry('a.service', 1)}'; exit 1`,
    'echo "Failed to seek to cursor: Invalid argument" >&2; exit 1',
    following(entry('b.service', 5)),
  ]);
  await bench.tells('found', 'a.service at 1', `lost: ${bench.command} ended with code 1`);
  await bench.clock.advance(250);
  await bench.tells(`lost: ${bench.command} ended with code 1: Failed to seek to cursor: Invalid argument`);
  await bench.clock.advance(500);
  assert.match(await bench.ran(3), / --since=@1767225601\.000000 /);
  await bench.tells('found', 'b.service at 5');
});

/** A check that complains, once a line in its file of answers; after these it finds nothing amiss. */
const complaining = (complaint: string, times: number): string =>
  `echo >> "$0.checks"; if [ $(wc -l < "$0.checks") -le ${times} ]; then echo '${complaint}' >&2; fi; exit 0`;

test('without permission it is lost with what to do about it, which is told once, and tried again', async (t) => {
  const hint = 'Hint: You are currently not seeing messages from other users and the system.';
  const bench = new Bench(t, [following(entry('a.service', 1))], { check: complaining(hint, 2) });
  await bench.tells(
    "lost: the system's journal may not be read: add the user to the group systemd-journal (SupplementaryGroups= of the unit)",
  );
  await bench.clock.advance(250);
  await eventually('the second check', () => readFileSync(`${bench.command}.checks`, 'utf8') === '\n\n');
  // No other timer waits than the one that leads to the third.
  await eventually('the third check', async () => {
    await bench.clock.advance(100);
    return readFileSync(`${bench.command}.checks`, 'utf8') === '\n\n\n';
  });
  await bench.tells('found', 'a.service at 1');
  assert.match(await bench.ran(1), / --since=@1767225600\.000000 /);
});

test('a journal that may not be opened at all is lost for that reason', async (t) => {
  const complaint = 'No journal files were opened due to insufficient permissions.';
  const bench = new Bench(t, [`echo '${complaint}' >&2; exit 1`]);
  await bench.tells(
    "lost: the system's journal may not be read: add the user to the group systemd-journal (SupplementaryGroups= of the unit)",
  );
});

test('the more often it ends without a word, the longer it waits, a minute at most; a word begins anew', async (t) => {
  const bench = new Bench(t, [
    'exit 1',
    ...Array.from({ length: 9 }, (_, index) => `exit ${index + 2}`),
    `printf '%s\\n' '${entry('a.service', 1)}'; exit 11`,
    following(),
  ]);
  for (const [index, delay] of [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000].entries()) {
    await bench.tells(`lost: ${bench.command} ended with code ${index + 1}`);
    await bench.clock.advance(delay - 1);
    assert.equal(bench.runs.length, index + 1);
    await bench.clock.advance(1);
    await bench.ran(index + 2);
  }
  await bench.tells('found', 'a.service at 1', `lost: ${bench.command} ended with code 11`);
  await bench.clock.advance(250);
  await bench.ran(12);
});

test('where there is no journal it is lost, and found when there is one', async (t) => {
  const check = complaining('No journal files were found.', 1);
  const bench = new Bench(t, [following(entry('a.service', 9))], { check });
  await bench.tells('lost: there is no journal: let journald run, with another Storage= than none (journald.conf(5))');
  await bench.clock.advance(250);
  assert.match(await bench.ran(1), / --since=@1767225600\.000000 /);
  await bench.tells('found', 'a.service at 9');
});

test('where journalctl is not installed that is told once, and it is looked for again after a minute', async (t) => {
  const command = join(folder, 'installed-later');
  const bench = new Bench(t, [], { command });
  await bench.tells(`lost: ${command} is not installed`);
  writeFileSync(
    command,
    `#!/bin/sh\n[ "$1" = --follow ] || exit 0\necho "$*" >> "$0.runs"\n${following(entry('a.service', 1))}\n`,
  );
  chmodSync(command, 0o755);
  await bench.clock.advance(59_999);
  assert.deepEqual(bench.runs, []);
  await bench.clock.advance(1);
  await bench.tells('found', 'a.service at 1');
});

test('what is no entry, and a line that is too long, is passed over', async (t) => {
  const long = `head -c 300000 /dev/zero | tr '\\0' x; echo`;
  const bench = new Bench(t, [`echo '{"odd":'\n${long}\n${following(entry('a.service', 1))}`]);
  await bench.tells('found', 'a.service at 1');
});

test('journalctl is started anew when the folder for persistent journals is made, and that is no loss', async (t) => {
  const persistent = join(folder, 'log', 'journal');
  mkdirSync(join(folder, 'log'));
  const bench = new Bench(t, [following(entry('a.service', 1)), following(entry('b.service', 2))], { persistent });
  await bench.tells('found', 'a.service at 1');
  // The watch begins a moment after the child; the folder may come before or after that.
  mkdirSync(persistent);
  assert.match(await bench.ran(2), / --cursor=c-a\.service-1 /);
  await bench.tells('b.service at 2');
  assert.equal(bench.runs.length, 2);
});

test('after close its program has ended, nothing is told and no timer waits', async (t) => {
  const bench = new Bench(t, [`echo $$ > "$0.pid"\n${following(entry('a.service', 1))}`]);
  await bench.tells('found', 'a.service at 1');
  const pid = readFileSync(`${bench.command}.pid`, 'utf8').trim();
  await bench.following.close();
  assert.equal(existsSync(`/proc/${pid}`), false);
  assert.equal(bench.clock.waiting, 0);
  await bench.clock.advance(100_000);
  await bench.tells();
  assert.equal(bench.runs.length, 1);
});

test('it can be closed while it waits to begin again', async (t) => {
  const bench = new Bench(t, ['exit 3']);
  await bench.tells(`lost: ${bench.command} ended with code 3`);
  await bench.following.close();
  assert.equal(bench.clock.waiting, 0);
});
