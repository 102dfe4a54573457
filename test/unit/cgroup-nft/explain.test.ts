/** Why a cgroup is or is not what groups and rules are about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCgroupNft } from '../../../src/cgroup-nft/config.ts';
import { coveringOf, nearMisses, wouldBePath } from '../../../src/cgroup-nft/explain.ts';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';
import { Selection } from '../../../src/cgroup-nft/selection.ts';
import { cgroupsOf, placesOf } from '../../../src/cgroup-nft/unit-places.ts';
import { FakeCgroupTree } from '../../fakes/fake-cgroup-tree.ts';

function selectionOf(rules: readonly string[], groups: Readonly<Record<string, readonly string[]>> = {}): Selection {
  const parsed = parseRuleFile(rules.map((rule) => `# ${rule}\n`).join(''), 'f');
  const group = Object.entries(groups).map(([name, units]) => ({ name, units, mark: 1 }));
  const config = parseCgroupNft({ files: ['/f'], group });
  assert.ok(parsed.ok && config.ok, JSON.stringify([parsed, config]));
  return new Selection(config.config.group, parsed.statements);
}

/** One line for each: what, and by which cgroup. */
const coverings = (path: string, selection: Selection): readonly string[] =>
  coveringOf(path, selection).map((each) =>
    each.kind === 'group'
      ? `${each.group} "${each.pattern}" ${each.path}`
      : `${each.statement.place.line} "${each.reference.path}" ${each.path}${each.fits ? '' : ' misfit'}`,
  );

const misses = (unit: string, paths: readonly string[], selection: Selection): readonly string[] =>
  nearMisses(unit, paths, selection).map(({ what, why }) => `${what}: ${why}`);

test('a cgroup is covered by what names it, its own globs included, and by what names a cgroup above it', () => {
  const selection = selectionOf(
    [
      'a.service :: inet f c socket cgroupv2 level 2 "system.slice/a.service" accept',
      'a.service :: inet f c socket cgroupv2 level 1 "system.slice" accept',
      'a.service :: inet f c socket cgroupv2 level 2 { "x/y", "system.slice/a*" } accept',
      'b.service :: inet f c socket cgroupv2 level 2 "system.slice/b.service" accept',
      'a.service :: add element inet f s { "system.slice/a.service" }',
      'a.service :: inet f c tcp dport 1 accept',
    ],
    { web: ['b.service', 'a.service'], all: ['system.slice'] },
  );
  assert.deepEqual(coverings('system.slice/a.service', selection), [
    'web "a.service" system.slice/a.service',
    '1 "system.slice/a.service" system.slice/a.service',
    '3 "system.slice/a*" system.slice/a.service',
    '5 "system.slice/a.service" system.slice/a.service',
    'all "system.slice" system.slice',
    '2 "system.slice" system.slice',
  ]);
  assert.deepEqual(coverings('machine.slice/a.service', selection), ['web "a.service" machine.slice/a.service']);
  assert.deepEqual(coverings('init.scope', selection), []);
});

test('a level that is not that of the cgroup never matches', () => {
  const selection = selectionOf(['a.service :: inet f c socket cgroupv2 level 1 "system.slice/a.service" accept']);
  assert.deepEqual(coverings('system.slice/a.service', selection), [
    '1 "system.slice/a.service" system.slice/a.service misfit',
  ]);
});

test('an instance that stands in the slice of its template is told to be one level deeper', () => {
  const selection = selectionOf([
    'foo@1.service :: inet f c socket cgroupv2 level 2 "system.slice/foo@1.service" accept',
  ]);
  assert.deepEqual(misses('foo@1.service', ['system.slice/system-foo.slice/foo@1.service'], selection), [
    'f:1: "system.slice/foo@1.service" is another place than "system.slice/system-foo.slice/foo@1.service", which is one level deeper: instances of a template have a slice of their own: write socket cgroupv2 level 3 "system.slice/system-foo.slice/foo@1.service"',
  ]);
});

test('what matches is no near miss, nor what names other units', () => {
  const selection = selectionOf(
    [
      'a.service :: inet f c socket cgroupv2 level 2 "system.slice/a.service" accept',
      'b.service :: inet f c socket cgroupv2 level 2 "system.slice/b.service" accept',
      'c.service :: inet f c socket cgroupv2 level 1 "system.slice" accept',
    ],
    { web: ['a.service'], mail: ['b.service'] },
  );
  assert.deepEqual(misses('a.service', ['system.slice/a.service'], selection), []);
});

test('a unit of a user is told how groups name it', () => {
  const selection = selectionOf([], { web: ['sync.service'] });
  const path = 'user.slice/user-1000.slice/user@1000.service/app.slice/sync.service';
  assert.deepEqual(misses('sync.service', [path], selection), [
    `group web: "sync.service" is another place than "${path}": units of users are named as "user@*.service/**/sync.service"`,
  ]);
  assert.deepEqual(
    misses('x.service', ['machine.slice/x.service'], selectionOf([], { g: ['system.slice/x.service'] })),
    ['group g: "system.slice/x.service" is another place than "machine.slice/x.service": write "x.service"'],
  );
});

test('rules that the unit triggers and that are about other cgroups, or none, are told', () => {
  const selection = selectionOf([
    'sshd.service :: inet f c socket cgroupv2 level 2 "user.slice/user-0.slice" accept',
    'sshd.service :: inet f c tcp dport 22 accept',
  ]);
  assert.deepEqual(misses('sshd.service', ['system.slice/sshd.service'], selection), [
    'f:1: "user.slice/user-0.slice" is another place than "system.slice/sshd.service": write socket cgroupv2 level 2 "system.slice/sshd.service"',
    'f:2: it names no cgroup: it is about all traffic of its chain',
  ]);
  assert.deepEqual(misses('sshd.service', [], selection)[0], 'f:1: "user.slice/user-0.slice" is no cgroup of the unit');
});

test('where a unit would be follows from its name, and from its slice where that is known', () => {
  assert.equal(wouldBePath('a.service', undefined), 'system.slice/a.service');
  assert.equal(wouldBePath('a.service', 'web-shop.slice'), 'web.slice/web-shop.slice/a.service');
  assert.equal(wouldBePath('a.service', '-.slice'), 'a.service');
  assert.equal(wouldBePath('memory.service', 'web.slice'), 'web.slice/_memory.service');
  assert.equal(wouldBePath('foo@x.service', undefined), 'system.slice/system-foo.slice/foo@x.service');
  assert.equal(wouldBePath('web-shop.slice', 'web.slice'), 'web.slice/web-shop.slice');
  assert.equal(wouldBePath('a.timer', undefined), undefined);
});

test('a unit is found wherever its directory is, under the name that systemd gives it', () => {
  const tree = new FakeCgroupTree();
  for (const path of [
    'system.slice',
    'system.slice/_memory.service',
    'a',
    'a/b',
    'a/b/_memory.service',
    'a/memory.service',
  ]) {
    tree.mkdir(path);
  }
  const paths = (unit: string): readonly string[] => placesOf(tree, unit).map(({ path }) => path);
  assert.deepEqual(paths('memory.service'), ['a/b/_memory.service', 'system.slice/_memory.service']);
  assert.deepEqual(paths('/a//b/'), ['a/b']);
  assert.deepEqual(paths('a/none'), []);
  assert.deepEqual(placesOf(tree, 'a/b')[0]?.id, tree.id('a/b'));
  assert.equal([...cgroupsOf(tree)].length, 6);
});
