/** The own table: its text to the letter, what is done about vanished cgroups, rests of earlier runs and messages that are too long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupsSink, restOfOwnTable } from '../../../src/cgroup-nft/groups-sink.ts';
import type { MarkedGroup } from '../../../src/cgroup-nft/groups-table.ts';
import { nftScript } from '../../../src/system/nft-script.ts';
import { FakeKernelRuleset } from '../../fakes/fake-kernel-ruleset.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';

const vpn: MarkedGroup = {
  name: 'vpn',
  mark: 0x10000,
  mask: 0xff0000,
  protocols: [],
  ports: [],
  directions: ['out'],
};
const web: MarkedGroup = {
  name: 'web',
  mark: 1,
  mask: 1,
  protocols: ['tcp'],
  ports: [
    { from: 80, to: 80 },
    { from: 6000, to: 6063 },
  ],
  directions: ['out', 'in'],
};
const table = { family: 'inet', name: 'own' } as const;

/** Cgroups by path; what is not in here does not exist. */
type Tree = Map<string, bigint>;

interface Sunk {
  readonly ruleset: FakeRuleset;
  readonly sink: GroupsSink;
  readonly tree: Tree;
}

function sunk(groups: readonly MarkedGroup[], { shared = true, known = ['owner'] as const } = {}): Sunk {
  const ruleset = new FakeRuleset();
  ruleset.known = new Set(known);
  const tree: Tree = new Map([
    ['a.slice', 1n],
    ['a.slice/x.service', 2n],
    ['a.slice/y.service', 3n],
  ]);
  ruleset.cgroup = (path) => tree.get(path);
  const nft = ruleset.open();
  const kernel = new FakeKernelRuleset(ruleset);
  if (shared) kernel.changeOver(nft.portId);
  const exists = (path: string): boolean => tree.has(path);
  return { ruleset, tree, sink: new GroupsSink({ nft, kernel, shared, exists }, 'own', groups) };
}

const members = (tree: Tree, group: string, ...paths: readonly string[]) =>
  new Map([[group, new Map(paths.map((path) => [path, tree.get(path) ?? 99n]))]]);

test('the table is this text, one transaction', async () => {
  const { ruleset, sink, tree } = sunk([vpn, web]);
  const both = new Map([...members(tree, 'vpn', 'a.slice/x.service'), ...members(tree, 'web', 'a.slice')]);
  await sink.make(both);
  assert.deepEqual(ruleset.applied, [
    `add table inet own { flags owner; }
add chain inet own output { type route hook output priority mangle; policy accept; }
add chain inet own input { type filter hook input priority mangle; policy accept; }
add set inet own vpn.level2 { type cgroupsv2; counter; }
add rule inet own output socket cgroupv2 level 2 @vpn.level2 meta mark set meta mark & 0xff00ffff | 0x00010000
add element inet own vpn.level2 { "a.slice/x.service" }
add set inet own web.level1 { type cgroupsv2; counter; }
add rule inet own output meta l4proto { tcp } th dport { 80, 6000-6063 } socket cgroupv2 level 1 @web.level1 meta mark set meta mark & 0xfffffffe | 0x00000001
add rule inet own input meta l4proto { tcp } th dport { 80, 6000-6063 } socket cgroupv2 level 1 @web.level1 meta mark set meta mark & 0xfffffffe | 0x00000001
add element inet own web.level1 { "a.slice" }
`,
  ]);
  assert.equal(sink.kind, 'owner');
  assert.equal(sink.openToOthers, false);
});

for (const shared of [true, false]) {
  const how = shared ? 'by id' : 'by path';
  test(`members come and go ${how}`, async () => {
    const { ruleset, sink, tree } = sunk([vpn], { shared });
    await sink.make(members(tree, 'vpn', 'a.slice/x.service'));
    await sink.add(members(tree, 'vpn', 'a.slice/y.service', 'a.slice'));
    assert.deepEqual(ruleset.elements(table, 'vpn.level2'), ['2', '3']);
    assert.deepEqual(ruleset.elements(table, 'vpn.level1'), ['1']);
    assert.equal(sink.stands(), true);
    tree.delete('a.slice/x.service');
    await sink.remove(new Map([['vpn.level2', new Set([2n])]]), () =>
      members(tree, 'vpn', 'a.slice/y.service', 'a.slice'),
    );
    assert.deepEqual(ruleset.elements(table, 'vpn.level2'), ['3']);
    assert.equal(sink.stands(), true);
    await sink.add(new Map());
    assert.equal(ruleset.applied.filter((text) => text.includes('flush')).length, shared ? 0 : 1);
  });
}

test('cgroups that are gone by now are left out, and do not keep the others out', async () => {
  const { ruleset, sink, tree } = sunk([vpn], { shared: false });
  tree.delete('a.slice/x.service');
  await sink.make(members(tree, 'vpn', 'a.slice/x.service', 'a.slice/y.service'));
  assert.deepEqual(ruleset.elements(table, 'vpn.level2'), ['3']);
  await sink.add(members(tree, 'vpn', 'a.slice/x.service', 'a.slice'));
  assert.deepEqual(ruleset.elements(table, 'vpn.level1'), ['1']);
});

test('a cgroup that was made anew while nft looked it up has the id in the set that is known here', async () => {
  const { ruleset, sink, tree } = sunk([vpn]);
  const before = members(tree, 'vpn', 'a.slice/x.service');
  tree.set('a.slice/x.service', 20n);
  await sink.make(before);
  assert.deepEqual(ruleset.elements(table, 'vpn.level2'), ['2'], 'its own notification brings the new one');
});

test('paths that nft cannot say, and deeper ones than the kernel compares, are passed over', async () => {
  const { ruleset, sink, tree } = sunk([vpn]);
  const deep = Array.from({ length: 256 }, () => 'd').join('/');
  await sink.make(
    members(tree, 'vpn', 'a.slice/x"; flush ruleset; "', 'a.slice/line\nend', deep, 'a.slice/y.service', ''),
  );
  assert.deepEqual([...(ruleset.tables.get('inet own')?.sets.keys() ?? [])], ['vpn.level2']);
  assert.deepEqual(ruleset.elements(table, 'vpn.level2'), ['3']);
});

test('the rest of an earlier run is replaced in the same transaction', async () => {
  const { ruleset, sink, tree } = sunk([vpn], { known: [] as unknown as ['owner'] });
  await sink.make(members(tree, 'vpn', 'a.slice/x.service'));
  const again = sunk([web]);
  again.ruleset.tables = ruleset.tables;
  await again.sink.make(members(tree, 'web', 'a.slice'));
  assert.match(again.ruleset.applied[0] ?? '', /^delete table inet own\nadd table inet own \{ flags owner; \}/);
  assert.deepEqual([...(again.ruleset.tables.get('inet own')?.sets.keys() ?? [])], ['web.level1']);
});

test('a table of somebody else’s is not touched', async () => {
  const { ruleset, sink, tree } = sunk([vpn]);
  await ruleset
    .open()
    .apply(nftScript({ op: 'add-table', table }, { op: 'add-plain-chain', table, chain: 'his', comment: '' }));
  await assert.rejects(sink.make(members(tree, 'vpn', 'a.slice')), { code: 'table-foreign', message: /the chain his/ });
  assert.equal(ruleset.applied.length, 1);
  assert.throws(() => restOfOwnTable(new FakeKernelRuleset(ruleset), table), { code: 'table-foreign' });
  assert.deepEqual(restOfOwnTable(new FakeKernelRuleset(ruleset), { ...table, name: 'nowhere' }), []);
});

test('a table of another netsteward’s that runs is named as such', async () => {
  const { ruleset, sink, tree } = sunk([vpn]);
  await ruleset.open().apply(nftScript({ op: 'add-table', table, flags: ['owner'] }));
  await assert.rejects(sink.make(members(tree, 'vpn', 'a.slice')), { code: 'table-owned' });
});

test('what one message cannot carry goes in several', async () => {
  const { ruleset, sink, tree } = sunk([vpn]);
  ruleset.mostElements = 7;
  for (let at = 0; at < 100; at++) tree.set(`a.slice/u${at}.service`, BigInt(1000 + at));
  const paths = [...tree.keys()].filter((path) => path.startsWith('a.slice/u'));
  await sink.make(members(tree, 'vpn', ...paths));
  assert.equal(ruleset.elements(table, 'vpn.level2').length, 100);
  assert.ok(ruleset.applied.length > 14);
});

test('what others have done to a table without owner is seen', async () => {
  const { ruleset, sink, tree } = sunk([vpn, web], { known: [] as unknown as ['owner'] });
  const both = new Map([...members(tree, 'vpn', 'a.slice/x.service'), ...members(tree, 'web', 'a.slice')]);
  const other = ruleset.open();
  const harm = [
    { op: 'flush-set', table, set: 'vpn.level2' },
    { op: 'flush-chain', table, chain: 'input' },
    { op: 'delete-table', table },
    { op: 'add-cgroups', table, set: 'vpn.level2', paths: ['a.slice/y.service'] },
  ] as const;
  for (const operation of harm) {
    await sink.make(both);
    assert.equal(sink.stands(), true);
    await other.apply(nftScript(operation));
    assert.equal(sink.stands(), false, operation.op);
  }
});

test('release deletes the table once, and not where it should stay', async () => {
  const { ruleset, sink, tree } = sunk([vpn]);
  await sink.release('flush');
  await sink.make(members(tree, 'vpn', 'a.slice'));
  await sink.release('keep');
  assert.equal(ruleset.tables.size, 1);
  await sink.release('flush');
  await sink.release('flush');
  assert.equal(ruleset.tables.size, 0);
  assert.equal(sink.kind, undefined);
});
