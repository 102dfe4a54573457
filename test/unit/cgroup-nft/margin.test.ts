/** Margins of unit starts: whose are asked for, when, how often, and which answers count. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Margin, Margins, measuredUnit } from '../../../src/cgroup-nft/margin.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeUnitStarts } from '../../fakes/fake-unit-starts.ts';

const path = 'system.slice/a.service';

interface Measuring {
  readonly clock: FakeClock;
  readonly starts: FakeUnitStarts;
  readonly margins: Margins;
  readonly found: { path: string; unit: string; ms: number }[];
  /** The rules of a cgroup are in the kernel now. */
  readonly apply: (path?: string) => void;
}

function measuring(): Measuring {
  const clock = new FakeClock();
  const starts = new FakeUnitStarts(() => clock.monotonic() * 1000);
  const found: { path: string; unit: string; ms: number }[] = [];
  const onMargin = (at: string, unit: string, { ms }: Margin): void => void found.push({ path: at, unit, ms });
  const margins = new Margins({ clock, starts, onMargin });
  return { clock, starts, margins, found, apply: (at = path) => margins.applied(at, starts.now()) };
}

test('a directory is asked for as the unit that it is escaped from, by its one leading "_"', () => {
  // cg_escape() and cg_unescape() of systemd's basic/cgroup-util.c: one "_" is put before names that cgroupfs could have files
  // of, and before those that begin with one; one is taken off.
  assert.equal(measuredUnit('system.slice/_memory.service'), 'memory.service');
  assert.equal(measuredUnit('system.slice/_cpu.foo.service'), 'cpu.foo.service');
  assert.equal(measuredUnit('system.slice/__x.service'), '_x.service');
  assert.equal(measuredUnit('system.slice/__memory.service'), '_memory.service');
  assert.equal(measuredUnit('system.slice/x_y.service'), 'x_y.service');
  assert.equal(measuredUnit('_cpu.slice/a.service'), 'a.service');
  assert.equal(measuredUnit('system.slice/a\\x2db.service'), 'a\\x2db.service');
});

test('services of the system’s manager are measured, and nothing else', () => {
  assert.equal(measuredUnit('a.service'), 'a.service');
  assert.equal(measuredUnit('system.slice/system-foo.slice/foo@x.service'), 'foo@x.service');
  for (const other of [
    'system.slice',
    'system.slice/a.socket',
    'user.slice/user-1.slice/session-1.scope',
    'user.slice/user-1.slice/user@1.service/app.slice/a.service',
    'machine.slice/machine-x.scope/system.slice/a.service',
    'system.slice/a.service/inner',
    '',
  ]) {
    assert.equal(measuredUnit(other), undefined, other);
  }
});

test('the margin goes from the rules to the process, and systemd is asked once for all of a burst', async () => {
  const { clock, starts, found, apply } = measuring();
  await clock.advance(5000);
  for (const name of ['a', 'b', 'c']) apply(`system.slice/${name}.service`);
  starts.set('a.service', 5_010_000);
  starts.set('b.service', 4_996_000);
  await clock.advance(1999);
  assert.deepEqual(starts.requests, []);
  await clock.advance(1);
  assert.deepEqual(starts.requests, [['a.service', 'b.service', 'c.service']]);
  assert.deepEqual(
    found.map(({ unit, ms }) => [unit, ms]),
    [
      ['a.service', 10],
      ['b.service', -4],
    ],
  );
});

test('a unit without a main process is asked for a second time, and then no more', async () => {
  const { clock, starts, found, apply } = measuring();
  apply();
  await clock.advance(60_000);
  assert.deepEqual(starts.requests, [['a.service'], ['a.service']]);
  assert.deepEqual(found, []);
  assert.equal(clock.waiting, 0);
});

test('what began before there were these rules is no start under them', async () => {
  const { clock, starts, margins, found, apply } = measuring();
  starts.set('a.service', 3_000_000);
  await clock.advance(4000);
  margins.restart();
  apply();
  await clock.advance(10_000);
  assert.deepEqual(found, []);
  margins.gone(path);
  apply();
  starts.set('a.service', starts.now() + 7000);
  await clock.advance(10_000);
  assert.deepEqual(
    found.map(({ ms }) => ms),
    [7],
  );
});

test('the process of the cgroup before is not taken for that of the one after it', async () => {
  const { clock, starts, margins, found, apply } = measuring();
  await clock.advance(1000);
  apply();
  starts.set('a.service', 1_001_000);
  await clock.advance(10_000);
  assert.equal(found.length, 1);
  margins.gone(path);
  apply();
  await clock.advance(10_000);
  assert.equal(found.length, 1, 'systemd still tells the old one');
});

test('an answer about a cgroup that went meanwhile counts for none, and the one after it is asked for itself', async () => {
  const { clock, starts, margins, found, apply } = measuring();
  await clock.advance(5000);
  let answer: () => void = () => {};
  starts.delay = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  starts.set('a.service', 5_001_000);
  apply();
  await clock.advance(2000);
  margins.gone(path);
  apply();
  starts.delay = () => Promise.resolve();
  answer();
  await clock.advance(0);
  assert.deepEqual(found, []);
  starts.set('a.service', 7_003_000);
  await clock.advance(10_000);
  assert.deepEqual(
    found.map(({ ms }) => ms),
    [3],
  );
});

test('a cgroup that is gone is not asked for, and after the stop nothing is', async () => {
  const { clock, starts, margins, apply } = measuring();
  apply();
  margins.gone(path);
  await clock.advance(10_000);
  assert.deepEqual(starts.requests, []);
  apply();
  margins.stop();
  await clock.advance(10_000);
  assert.deepEqual(starts.requests, []);
  assert.equal(clock.waiting, 0);
});
