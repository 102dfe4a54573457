/** The port Nft, and RulesetEvents beside it: one suite for the fake, for libnftables and for a kept-open `nft -i`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refusalOf } from '../../src/system/nft-error.ts';
import { hasTable } from '../../src/system/nft-names.ts';
import type { NftOperation, NftTable } from '../../src/system/nft-script.ts';
import { nftScript } from '../../src/system/nft-script.ts';
import type { Nft, RulesetChange, RulesetEvents } from '../../src/system/ports.ts';
import { FakeRuleset } from '../fakes/fake-nft.ts';
import { insideNamespace, repeatInNamespace } from '../kernel/nft-namespace.ts';
import { eventually } from '../system/eventually.ts';

interface Adapter {
  open(): Promise<Nft>;
  readonly events: RulesetEvents;
  /** Whether `ignore` is obeyed (nft monitor tells no port ids). */
  readonly knowsWriters: boolean;
}

let tables = 0;

/** Names that no other test uses: all real adapters share one kernel. */
function freshTable(): NftTable {
  tables += 1;
  return { family: 'inet', name: `t${tables}` };
}

const layout = (table: NftTable, flags: readonly 'owner'[] = []): readonly NftOperation[] => [
  { op: 'add-table', table, flags },
  { op: 'add-set', table, set: 's4', type: 'ipv4_addr' },
  { op: 'add-set', table, set: 's6', type: 'ipv6_addr' },
];

const add = (table: NftTable, ...addresses: string[]): NftOperation => ({
  op: 'add-elements',
  table,
  set: addresses[0]?.includes(':') === true ? 's6' : 's4',
  addresses,
});

async function elements(nft: Nft, table: NftTable, set = 's4'): Promise<readonly unknown[]> {
  const listing = await nft.list(nftScript({ op: 'list-set', table, set }));
  const sets = listing.flatMap((entry) => (typeof entry === 'object' && entry && 'set' in entry ? [entry.set] : []));
  return [...((sets[0] as { elem?: string[] }).elem ?? [])].sort();
}

async function refused(work: Promise<unknown>, refusal: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.equal(refusalOf(error), refusal, String(error));
    return true;
  });
}

async function withTwo(adapter: Adapter, body: (one: Nft, other: Nft) => Promise<void>): Promise<void> {
  const [one, other] = [await adapter.open(), await adapter.open()];
  try {
    await body(one, other);
  } finally {
    await one.close();
    await other.close();
  }
}

function suite(name: string, adapter: Adapter): void {
  describe(name, () => {
    test('a script is one transaction: when its last operation is refused, nothing of it stays', () =>
      withTwo(adapter, async (nft, other) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table), add(table, '192.0.2.1')));
        const nowhere = { ...table, name: 'nowhere' };
        await refused(nft.apply(nftScript(add(table, '192.0.2.2'), add(nowhere, '192.0.2.3'))), 'missing');
        assert.deepEqual(await elements(other, table), ['192.0.2.1']);
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('adding an element twice is fine, deleting one that is not there is refused', () =>
      withTwo(adapter, async (nft) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table), add(table, '192.0.2.1'), add(table, '2001:db8::1')));
        await nft.apply(nftScript(add(table, '192.0.2.1', '192.0.2.9')));
        const surplus = { op: 'delete-elements', table, set: 's4', addresses: ['192.0.2.77'] } as const;
        await refused(nft.apply(nftScript(surplus)), 'missing');
        await nft.apply(nftScript({ ...surplus, addresses: ['192.0.2.9'] }));
        assert.deepEqual(await elements(nft, table), ['192.0.2.1']);
        assert.deepEqual(await elements(nft, table, 's6'), ['2001:db8::1']);
        await nft.apply(nftScript({ op: 'flush-set', table, set: 's6' }));
        assert.deepEqual(await elements(nft, table, 's6'), []);
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('a check tells what apply would say, and changes nothing', () =>
      withTwo(adapter, async (nft) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table)));
        await nft.check(nftScript(add(table, '192.0.2.1')));
        await refused(nft.check(nftScript(add({ ...table, name: 'nowhere' }, '192.0.2.1'))), 'missing');
        assert.deepEqual(await elements(nft, table), []);
        await nft.apply(nftScript(add(table, '192.0.2.1')));
        assert.deepEqual(await elements(nft, table), ['192.0.2.1']);
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('a table with an owner is closed to others and ends with its owner', () =>
      withTwo(adapter, async (nft, other) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table, ['owner']), add(table, '192.0.2.1')));
        await refused(other.apply(nftScript(add(table, '192.0.2.2'))), 'not-permitted');
        await refused(other.apply(nftScript({ op: 'delete-table', table })), 'not-permitted');
        assert.deepEqual(await elements(other, table), ['192.0.2.1']);
        await nft.apply(nftScript(add(table, '192.0.2.3')));
        await nft.close();
        await refused(elements(other, table), 'missing');
      }));

    test('tables are listed whoever owns them', () =>
      withTwo(adapter, async (nft, other) => {
        const [mine, plain] = [freshTable(), freshTable()];
        await nft.apply(
          nftScript({ op: 'add-table', table: mine, flags: ['owner'] }, { op: 'add-table', table: plain }),
        );
        for (const reader of [nft, other]) {
          const listing = await reader.list(nftScript({ op: 'list-tables' }));
          for (const table of [mine, plain]) assert.ok(hasTable(listing, table), JSON.stringify(listing));
          assert.ok(!hasTable(listing, { family: 'ip', name: mine.name }));
        }
        await nft.apply(nftScript({ op: 'delete-table', table: plain }));
      }));

    test('a table without owner is replaced by an owned one in a single transaction', () =>
      withTwo(adapter, async (nft, other) => {
        const table = freshTable();
        await other.apply(nftScript(...layout(table), add(table, '192.0.2.1')));
        await refused(nft.apply(nftScript({ op: 'add-table', table, flags: ['owner'] })), 'unsupported');
        const replaced = [{ op: 'delete-table', table } as const, ...layout(table, ['owner']), add(table, '192.0.2.2')];
        await nft.apply(nftScript(...replaced));
        await refused(other.apply(nftScript(add(table, '192.0.2.3'))), 'not-permitted');
        assert.deepEqual(await elements(other, table), ['192.0.2.2']);
      }));

    test('four thousand elements go in with one script, and calls at the same time do not mix', () =>
      withTwo(adapter, async (nft) => {
        const table = freshTable();
        const many = Array.from({ length: 4000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
        await nft.apply(nftScript(...layout(table)));
        const outcomes = await Promise.allSettled([
          nft.apply(nftScript(add(table, ...many))),
          nft.apply(nftScript(add({ ...table, name: 'nowhere' }, '192.0.2.1'))),
          nft.apply(nftScript(add(table, '192.0.2.1'))),
        ]);
        assert.deepEqual(
          outcomes.map(({ status }) => status),
          ['fulfilled', 'rejected', 'fulfilled'],
        );
        assert.equal((await elements(nft, table)).length, 4001);
        await nft.apply(nftScript({ op: 'delete-table', table }));
      }));

    test('a script without anything to do succeeds; a closed adapter refuses', () =>
      withTwo(adapter, async (nft) => {
        const table = freshTable();
        await nft.apply(nftScript());
        await nft.apply(nftScript({ op: 'add-elements', table, set: 's4', addresses: [] }));
        await nft.close();
        await refused(nft.apply(nftScript({ op: 'add-table', table })), 'died');
      }));

    test('changes by others are told with their tables and sets, own ones are not', () =>
      withTwo(adapter, async (nft, other) => {
        const table = freshTable();
        await nft.apply(nftScript(...layout(table)));
        await other.list(nftScript({ op: 'list-tables' }));
        const changes: RulesetChange[] = [];
        const own = (): ReadonlySet<number> => new Set(nft.portId === undefined ? [] : [nft.portId]);
        const watch = adapter.events.watch(
          own,
          (change) => changes.push(change),
          (error) => assert.fail(error),
        );
        const toldOf = (name: string): readonly string[] =>
          changes.flatMap(({ tables: names, sets }) => (names !== '*' && names.has(name) ? Array.from(sets) : []));
        // `nft monitor` needs a moment until it listens; what comes before is not told by anyone.
        const trial = freshTable();
        await other.apply(nftScript(...layout(trial)));
        let trials = 0;
        await eventually('it listens', async () => {
          trials += 1;
          await other.apply(nftScript(add(trial, `192.0.2.${trials}`)));
          return toldOf(trial.name).length > 0;
        });
        await nft.apply(nftScript(add(table, '192.0.2.1')));
        await other.apply(nftScript(add(table, '192.0.2.2')));
        await other.apply(nftScript(add(table, '2001:db8::2')));
        const told = (): readonly string[] => toldOf(table.name);
        const wanted = adapter.knowsWriters ? ['s4', 's6'] : ['s4', 's4', 's6'];
        await eventually('all are told', () => told().length >= wanted.length, { details: () => told().join() });
        await watch.close();
        assert.deepEqual(told(), wanted);
        if (adapter.knowsWriters) {
          for (const { portIds } of changes) assert.deepEqual([...portIds], [other.portId]);
        }
        for (const each of [table, trial]) await nft.apply(nftScript({ op: 'delete-table', table: each }));
      }));
  });
}

if (insideNamespace) {
  const { openNft } = await import('../../src/system/linux/nft-open.ts');
  const { netlinkEvents, openRulesetEvents } = await import('../../src/system/linux/ruleset-events.ts');
  const { monitorEvents } = await import('../../src/system/linux/nft-monitor.ts');
  assert.equal(await openRulesetEvents(), netlinkEvents);
  suite('libnftables, netlink events', {
    open: () => openNft('libnftables'),
    events: netlinkEvents,
    knowsWriters: true,
  });
  suite('nft -i, netlink events', { open: () => openNft('nft -i'), events: netlinkEvents, knowsWriters: true });
  suite('nft -i, nft monitor', { open: () => openNft('nft -i'), events: monitorEvents, knowsWriters: false });
} else {
  const ruleset = new FakeRuleset();
  suite('fake', { open: async () => ruleset.open(), events: ruleset.events(), knowsWriters: true });
  test('libnftables and nft -i keep the contract in a namespace', (t) => repeatInNamespace(t, import.meta.url));
}
