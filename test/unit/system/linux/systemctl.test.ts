/** When units began: the question put to systemctl, and what its answers are read as. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { parseShow, SystemctlStarts } from '../../../../src/system/linux/systemctl.ts';
import { FakeClock } from '../../../fakes/fake-clock.ts';
import { eventually } from '../../../system/eventually.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-systemctl-'));
after(() => rm(folder, { recursive: true }));

const never = new AbortController().signal;

/** A program that notes its arguments, one a line with an empty one behind, in `<name>.args`, and then does as told. */
function program(name: string, body: string): string {
  const path = join(folder, name);
  rmSync(`${path}.args`, { force: true });
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "$@" '' >> "$0.args"\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Of each call, in order. */
function argumentsOf(path: string): readonly (readonly string[])[] {
  return readFileSync(`${path}.args`, 'utf8')
    .split('\n\n')
    .filter((call) => call !== '')
    .map((call) => call.split('\n'));
}

test('an answer is one block a unit, its properties in any order', () => {
  const text = [
    'ExecMainStartTimestampMonotonic=2795741364\nNames=dbus.service dbus-broker.service\n',
    'Names=none.service\nExecMainStartTimestampMonotonic=0\n',
    'Names=init.scope\n',
    'ExecMainStartTimestampMonotonic=5\nNames=a.service "b@c\\\\x2dd.service" e.service\n',
  ].join('\n');
  assert.deepEqual(parseShow(text), [
    { names: ['dbus.service', 'dbus-broker.service'], mainStart: 2_795_741_364 },
    { names: ['none.service'], mainStart: 0 },
    { names: ['init.scope'], mainStart: 0 },
    { names: ['a.service', 'b@c\\x2dd.service', 'e.service'], mainStart: 5 },
  ]);
  assert.deepEqual(parseShow(''), []);
});

test('a start is found by the name that was asked for, an alias too; units that never started are left out', async () => {
  const command = program(
    'answers',
    `printf 'ExecMainStartTimestampMonotonic=42\\nNames=real.service alias.service\\n\\nNames=idle.service\\nExecMainStartTimestampMonotonic=0\\n'`,
  );
  const starts = new SystemctlStarts({ clock: systemClock, command });
  assert.deepEqual(await starts.mainStarts(['alias.service', 'idle.service'], never), new Map([['alias.service', 42]]));
  assert.deepEqual(argumentsOf(command), [
    ['--no-pager', 'show', '--property=Names,ExecMainStartTimestampMonotonic', '--', 'alias.service', 'idle.service'],
  ]);
});

test('names that systemctl would take for something else never reach it, and one with a dash in front does no harm', async () => {
  const command = program('names', '');
  const starts = new SystemctlStarts({ clock: systemClock, command });
  const odd = [
    '*.service',
    'a[b].service',
    'x?.service',
    'foo@.service',
    'a b.service',
    'a.slice',
    '/dev/sda',
    'plain',
    '',
  ];
  await starts.mainStarts([...odd, '-x.service', 'a\\x2db@1.service', '-x.service'], never);
  assert.deepEqual(argumentsOf(command)[0]?.slice(3), ['--', '-x.service', 'a\\x2db@1.service']);
  const silent = program('silent', '');
  await new SystemctlStarts({ clock: systemClock, command: silent }).mainStarts(odd, never);
  assert.equal(existsSync(`${silent}.args`), false);
});

test('a thousand units are asked for in a few calls, each of which counts', async () => {
  const command = program(
    'many',
    `while [ "$1" != -- ]; do shift; done; shift
    for unit in "$@"; do printf 'Names=%s\\nExecMainStartTimestampMonotonic=7\\n\\n' "$unit"; done`,
  );
  const units = Array.from({ length: 1000 }, (_, index) => `unit-${index}.service`);
  const found = await new SystemctlStarts({ clock: systemClock, command }).mainStarts(units, never);
  assert.equal(found.size, 1000);
  assert.equal(argumentsOf(command).length, 3);
});

test('what came before a failure counts, but for a number that was cut off', async () => {
  const command = program(
    'fails',
    `printf 'Names=a.service\\nExecMainStartTimestampMonotonic=7\\n\\nNames=b.service\\nExecMainStartTimestampMonotonic=71'; exit 1`,
  );
  const starts = new SystemctlStarts({ clock: systemClock, command });
  assert.deepEqual(await starts.mainStarts(['a.service', 'b.service'], never), new Map([['a.service', 7]]));
});

test('a systemctl that hangs is ended, and nothing is known', async () => {
  const clock = new FakeClock();
  const command = program('hangs', 'exec sleep 600');
  const answer = new SystemctlStarts({ clock, command }).mainStarts(['a.service'], never);
  await eventually('it runs', () => existsSync(`${command}.args`));
  await clock.advance(10_000);
  assert.deepEqual(await answer, new Map());
  assert.equal(clock.waiting, 0);
});

test('an aborted question ends at once, and asks no more', async () => {
  const command = program('aborted', 'exec sleep 600');
  const abort = new AbortController();
  const units = Array.from({ length: 1000 }, (_, index) => `unit-${index}.service`);
  const answer = new SystemctlStarts({ clock: systemClock, command }).mainStarts(units, abort.signal);
  await eventually('it runs', () => existsSync(`${command}.args`));
  abort.abort();
  assert.deepEqual(await answer, new Map());
  assert.equal(argumentsOf(command).length, 1);
});

test('without systemctl nothing is known', async () => {
  const starts = new SystemctlStarts({ clock: systemClock, command: join(folder, 'none') });
  assert.deepEqual(await starts.mainStarts(['a.service'], never), new Map());
});

test("the clock is systemd's: microseconds since the machine started", () => {
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1e6;
  const now = new SystemctlStarts({ clock: systemClock }).now();
  assert.ok(Number.isInteger(now));
  // /proc/uptime counts the time of suspend too (CLOCK_BOOTTIME), so it is never less, within its own precision.
  assert.ok(now > 0 && now < uptime + 1e6, `${now} ${uptime}`);
});
