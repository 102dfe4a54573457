/** The port KernelRuleset: one suite for the one in memory and for nf_tables itself over netlink. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refusalOf } from '../../src/system/nft-error.ts';
import type { NftOperation, NftTable } from '../../src/system/nft-script.ts';
import { nftScript } from '../../src/system/nft-script.ts';
import type { Nft } from '../../src/system/ports.ts';
import type { KernelRuleset } from '../../src/system/unit-ports.ts';
import { FakeKernelRuleset } from '../fakes/fake-kernel-ruleset.ts';
import { FakeRuleset } from '../fakes/fake-nft.ts';
import { insideCgroups, makeUnit, removeUnit, repeatInCgroups } from '../kernel/cgroup-namespace.ts';
import { eventually } from '../system/eventually.ts';

interface Adapter {
  open(): Promise<KernelRuleset>;
  nft(): Promise<Nft>;
  /** Makes a cgroup and gives its id; undefined removes it. */
  mkdir(path: string): void;
  rmdir(path: string): void;
  id(path: string): bigint;
}

let tables = 0;

function freshTable(): NftTable {
  tables += 1;
  return { family: 'inet', name: `t${tables}` };
}

const layout = (table: NftTable, flags: readonly 'owner'[] = []): readonly NftOperation[] => [
  { op: 'add-table', table, flags },
  { op: 'add-set', table, set: 's', type: 'cgroupsv2' },
  { op: 'add-set', table, set: 'addresses', type: 'ipv4_addr' },
  { op: 'add-plain-chain', table, chain: 'a', comment: 'rules of a' },
  { op: 'add-plain-chain', table, chain: 'b', comment: 'rules of b' },
  { op: 'add-rule', table, chain: 'a', when: [], action: { kind: 'jump', chain: 'b' } },
  { op: 'add-statement', table, chain: 'a', statement: 'tcp dport 25 accept' },
];

async function with_(adapter: Adapter, body: (kernel: KernelRuleset, nft: Nft) => Promise<void>): Promise<void> {
  const [kernel, nft] = [await adapter.open(), await adapter.nft()];
  try {
    await body(kernel, nft);
  } finally {
    kernel.close();
    await nft.close();
  }
}

function refused(work: () => unknown, refusal: string): void {
  assert.throws(work, (error) => refusalOf(error) === refusal);
}

function suite(name: string, adapter: Adapter): void {
  describe(name, () => {
    test('what is not there is undefined or empty, and no error', () =>
      with_(adapter, async (kernel) => {
        const nowhere = freshTable();
        assert.equal(kernel.hasTable(nowhere), false);
        assert.equal(kernel.rules(nowhere, 'c'), undefined);
        assert.equal(kernel.rulesOf(nowhere).size, 0);
        assert.equal(kernel.cgroups(nowhere, 's'), undefined);
        assert.equal(kernel.elements(nowhere, 's'), undefined);
        refused(() => kernel.addCgroups(nowhere, 's', [1n]), 'missing');
      }));

    test('tables, chains with their comments, sets and rules are seen as nft made them', () =>
      with_(adapter, async (kernel, nft) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table)));
        assert.equal(kernel.hasTable(table), true);
        assert.equal(kernel.hasTable({ ...table, family: 'ip' }), false);
        const mine = (one: { readonly table: NftTable }): boolean => one.table.name === table.name;
        assert.deepEqual(
          kernel
            .chains()
            .filter(mine)
            .map(({ name, comment }) => [name, comment]),
          [
            ['a', 'rules of a'],
            ['b', 'rules of b'],
          ],
        );
        assert.deepEqual(
          kernel
            .sets()
            .filter(mine)
            .map(({ name, cgroups }) => [name, cgroups]),
          [
            ['s', true],
            ['addresses', false],
          ],
        );
        assert.deepEqual(
          kernel.rules(table, 'a')?.map(({ jump }) => jump),
          ['b', undefined],
        );
        assert.deepEqual(kernel.rules(table, 'b'), []);
        assert.deepEqual(
          [...kernel.rulesOf(table)].map(([chain, rules]) => [chain, rules.length]),
          [['a', 2]],
        );
        assert.equal(kernel.rules(table, 'c'), undefined);
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('ids are added and removed, twice is once, and the dead go like the living', () =>
      with_(adapter, async (kernel, nft) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table)));
        adapter.mkdir('x.slice');
        const id = adapter.id('x.slice');
        kernel.addCgroups(table, 's', [id, id + 1_000_000n]);
        kernel.addCgroups(table, 's', [id]);
        assert.deepEqual([...(kernel.cgroups(table, 's')?.keys() ?? [])].sort(), [id, id + 1_000_000n]);
        adapter.rmdir('x.slice');
        kernel.removeCgroups(table, 's', [id, id + 2_000_000n]);
        kernel.removeCgroups(table, 's', []);
        assert.deepEqual([...(kernel.cgroups(table, 's')?.keys() ?? [])], [id + 1_000_000n]);
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('what nft adds by path has the id of the tree; its comment is seen, and its key removes it', () =>
      with_(adapter, async (kernel, nft) => {
        const table = freshTable();
        adapter.mkdir('y.slice');
        const members = ['"y.slice" comment "netsteward 0123456789ab"'];
        await nft.apply(nftScript(...layout(table), { op: 'add-members', table, set: 's', members }));
        const [element] = kernel.elements(table, 's') ?? [];
        assert.ok(element !== undefined);
        assert.equal(element.id, adapter.id('y.slice'));
        assert.equal(element.comment, 'netsteward 0123456789ab');
        kernel.removeElements(table, 's', [element]);
        kernel.removeElements(table, 's', [element]);
        assert.deepEqual(kernel.elements(table, 's'), []);
        adapter.rmdir('y.slice');
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('ten thousand ids go in and out', () =>
      with_(adapter, async (kernel, nft) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table)));
        const ids = Array.from({ length: 10_000 }, (_, at) => BigInt(at + 1) << 20n);
        kernel.addCgroups(table, 's', ids);
        // The kernel grows its hash table a moment later, and a dump that runs meanwhile passes over some (lib/rhashtable.c).
        await eventually('all are there', () => kernel.cgroups(table, 's')?.size === 10_000);
        // One of them is gone already.
        kernel.removeCgroups(table, 's', ids.slice(77, 78));
        kernel.removeCgroups(table, 's', ids);
        assert.equal(kernel.cgroups(table, 's')?.size, 0);
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('rules are removed by handle as long as nobody has changed anything, and not after', () =>
      with_(adapter, async (kernel, nft) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table)));
        const places = (): { chain: string; handle: number }[] =>
          (kernel.rules(table, 'a') ?? []).map(({ handle }) => ({ chain: 'a', handle }));
        const before = kernel.generation();
        const found = places();
        await nft.apply(nftScript({ op: 'add-statement', table, chain: 'b', statement: 'tcp dport 1 accept' }));
        assert.notEqual(kernel.generation(), before);
        assert.equal(kernel.removeRules(table, found, before), false);
        assert.equal(places().length, 2);
        assert.equal(kernel.removeRules(table, found.slice(0, 1), kernel.generation()), true);
        assert.equal(kernel.removeRules(table, [], before), true);
        assert.deepEqual(
          kernel.rules(table, 'a')?.map(({ jump }) => jump),
          [undefined],
        );
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('a table with an owner can be read by all, and changed over its owner’s socket alone', () =>
      with_(adapter, async (kernel, nft) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table, ['owner'])));
        refused(() => kernel.addCgroups(table, 's', [7n]), 'not-permitted');
        const own = kernel.portId;
        assert.equal(kernel.changeOver(undefined), false);
        assert.equal(kernel.changeOver(4_000_000_000), false);
        assert.equal(kernel.portId, own);
        assert.equal(kernel.changeOver(nft.portId), true);
        assert.equal(kernel.portId, nft.portId);
        kernel.addCgroups(table, 's', [7n]);
        // nft finds nothing on its socket that is not for it.
        await nft.apply(nftScript({ op: 'flush-chain', table, chain: 'b' }));
        assert.deepEqual([...(kernel.cgroups(table, 's')?.keys() ?? [])], [7n]);
        kernel.removeCgroups(table, 's', [7n, 8n]);
        refused(() => kernel.addCgroups(table, 'nowhere', [7n]), 'missing');
        await nft.apply(nftScript({ op: 'flush-set', table, set: 's' }));
        assert.deepEqual(kernel.elements(table, 's'), []);
      }));

    test('closed, it refuses', () =>
      with_(adapter, async (kernel) => {
        kernel.close();
        kernel.close();
        refused(() => kernel.hasTable({ family: 'inet', name: 'x' }), 'died');
      }));
  });
}

if (insideCgroups) {
  const { openNft } = await import('../../src/system/linux/nft-open.ts');
  const { NetlinkKernelSets } = await import('../../src/system/linux/kernel-sets.ts');
  const { openCgroupTree } = await import('../../src/system/linux/cgroupfs.ts');
  const tree = await openCgroupTree();
  const real = {
    open: () => NetlinkKernelSets.open(),
    nft: () => openNft('libnftables'),
    mkdir: makeUnit,
    rmdir: removeUnit,
    id: (path: string) => tree.id(path) ?? 0n,
  };
  suite('nf_tables', real);

  test('elements of concatenations, ranges and maps are seen with their ids, and taken out one by one', async () => {
    await with_(real, async (kernel, nft) => {
      const { execFileSync } = await import('node:child_process');
      makeUnit('z.slice');
      const path = '"z.slice"';
      const text = `table inet k {
        set c { type cgroupsv2 . inet_service; flags interval; }
        map m { type cgroupsv2 : verdict; counter; }
        set s { type cgroupsv2; counter; }
        set i { type inet_service . cgroupsv2; }
      }
      add element inet k c { ${path} . 25 comment "netsteward 0123456789ab", ${path} . 30-40 }
      add element inet k m { ${path} counter comment "netsteward 0123456789ab" : accept }
      add element inet k s { ${path} counter }
      add element inet k i { 25 . ${path} }`;
      execFileSync('nft', ['-f', '-'], { input: text });
      const table = { family: 'inet', name: 'k' } as const;
      const id = tree.id('z.slice');
      const found = kernel.elements(table, 'c') ?? [];
      assert.deepEqual(
        found.map((one) => [one.id, one.comment, one.key.length]).sort(),
        [
          [id, undefined, 12],
          [id, 'netsteward 0123456789ab', 12],
        ].sort(),
      );
      kernel.removeElements(
        table,
        'c',
        found.filter(({ comment }) => comment === undefined),
      );
      assert.deepEqual(
        kernel.elements(table, 'c')?.map(({ comment }) => comment),
        ['netsteward 0123456789ab'],
      );
      assert.deepEqual(kernel.cgroups(table, 'm'), new Map([[id, { packets: 0, bytes: 0 }]]));
      assert.deepEqual(kernel.cgroups(table, 's'), new Map([[id, { packets: 0, bytes: 0 }]]));
      const kinds = kernel.sets().map(({ name, cgroups }) => `${name} ${cgroups}`);
      assert.deepEqual(kinds.sort(), ['c true', 'i false', 'm true', 's true']);
      removeUnit('z.slice');
      await nft.apply(nftScript({ op: 'delete-table', table }));
    });
  });
} else {
  const ruleset = new FakeRuleset();
  const ids = new Map<string, bigint>();
  let last = 0n;
  ruleset.cgroup = (path) => ids.get(path);
  suite('fake', {
    open: () => Promise.resolve(new FakeKernelRuleset(ruleset)),
    nft: () => Promise.resolve(ruleset.open()),
    mkdir: (path) => {
      last += 1n;
      ids.set(path, last);
    },
    rmdir: (path) => void ids.delete(path),
    id: (path) => ids.get(path) ?? 0n,
  });
  test('nf_tables keeps the contract in a namespace', (t) => repeatInCgroups(t, import.meta.url));
}
