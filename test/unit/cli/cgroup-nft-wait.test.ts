/** The gate: what holds a unit back, what lets it go, and what it says when the time is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CgroupNftDetail, UnitEntry } from '../../../src/cgroup-nft/index.ts';
import { ownCgroup, waitUntil, whatIsMissing, whyNotInSet } from '../../../src/cli/cgroup-nft-wait.ts';
import { FakeCgroupTree } from '../../fakes/fake-cgroup-tree.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

const own = { path: 'system.slice/a.service', id: 7n };

const entry = (changes: Partial<UnitEntry> = {}): UnitEntry => ({
  path: own.path,
  id: '7',
  groups: ['g'],
  rules: [],
  lacking: [],
  since: 1,
  margin: null,
  counters: [],
  ...changes,
});

const detail = (...entries: readonly UnitEntry[]): CgroupNftDetail => ({
  entries,
  more: 0,
  waiting: [],
  table: 'owner',
  tableName: 'netsteward-units',
  watches: 1,
  journal: 'read',
});

test('it opens when all that names the cgroup is in the kernel, for the cgroup of this very start', () => {
  assert.equal(whatIsMissing(detail(entry({ id: '6' }), entry()), own), undefined);
  assert.equal(whatIsMissing(undefined, own), 'cgroup-nft is not ready yet');
  const nothing = 'no group and no rule of netsteward names its cgroup "system.slice/a.service"';
  assert.equal(whatIsMissing(detail(), own), nothing);
  // The cgroup of an earlier start, whose element is dead.
  assert.equal(whatIsMissing(detail(entry({ id: '6' })), own), nothing);
  assert.equal(whatIsMissing(detail(entry({ path: 'system.slice' })), own), nothing);
  assert.equal(whatIsMissing(detail(entry({ since: null })), own), 'its rules are not applied yet');
  assert.equal(whatIsMissing(detail(entry({ lacking: ['f:1', 'f:2'] })), own), 'not in force: f:1, f:2');
});

test('the cgroup is that of cgroup2, and the unit’s own where systemd starts what is not its main process below it', () => {
  const tree = new FakeCgroupTree();
  tree.mkdir('system.slice');
  const id = tree.mkdir('system.slice/_memory.service');
  const expected = { path: 'system.slice/_memory.service', id };
  const at = (text: string) => ownCgroup(tree, 'memory.service', text);
  assert.deepEqual(at('0::/system.slice/_memory.service\n'), expected);
  assert.deepEqual(at('9:name=systemd:/x\n0::/system.slice/_memory.service/.control\n'), expected);
  assert.deepEqual(at('0::/gone/x.scope\n'), { path: 'gone/x.scope', id: 0n });
  assert.equal(at('1:cpu:/x\n').path, '');
});

test("a set that systemd fills must have this cgroup's id", () => {
  const kernel = { cgroups: (_: unknown, set: string) => (set === 's' ? new Map([[7n, undefined]]) : undefined) };
  assert.equal(whyNotInSet(kernel, 'inet:f:s', own), undefined);
  assert.equal(whyNotInSet(kernel, 'inet:f:t', own), 'there is no set inet:f:t');
  assert.equal(
    whyNotInSet(kernel, 'inet:f:s', { ...own, id: 8n }),
    'systemd has not put its cgroup "system.slice/a.service" into the set inet:f:s',
  );
});

test('it asks again, more and more seldom, until nothing is missing', async () => {
  const clock = new FakeClock();
  const asked: number[] = [];
  const look = (): Promise<string | undefined> => {
    asked.push(clock.monotonic());
    return Promise.resolve(asked.length < 8 ? 'not yet' : undefined);
  };
  const waiting = waitUntil('a.service', 5000, 'remedy', look, clock);
  await clock.advance(2000);
  await waiting;
  assert.deepEqual(asked, [0, 10, 30, 70, 150, 310, 510, 710]);
});

test('when the time is over it says what was missing last, an error too, and never later than asked', async () => {
  const clock = new FakeClock();
  const looks: (() => Promise<string | undefined>)[] = [
    () => Promise.resolve('something'),
    () => Promise.reject(new Error('no netsteward listens')),
  ];
  const look = (): Promise<string | undefined> => (looks.shift() ?? (() => Promise.reject(new Error('still none'))))();
  const waiting = waitUntil('a.service', 1000, 'Do this.', look, clock);
  const told = assert.rejects(waiting, {
    code: 'gate-closed',
    message: 'the rules of a.service were not there after 1s: still none',
    remedy: 'Do this.',
  });
  await clock.advance(1000);
  await told;
  assert.ok(clock.monotonic() <= 1000);
});
