/** When the agent says that an address has another route: after the kernel holds it, once, and not for what others did. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForeignSets } from '../../../src/system/linux/nft-foreign-sets.ts';
import { SetKeeper } from '../../../src/system/linux/nft-set-keeper.ts';
import { nftScript } from '../../../src/system/nft-script.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';

const table = { family: 'inet', name: 'filter' } as const;
const names = ['blocked4', 'direct4'] as const;

async function bench() {
  const [ruleset, clock] = [new FakeRuleset(), new FakeClock()];
  const load = (): Promise<void> =>
    ruleset
      .open()
      .apply(
        nftScript(
          { op: 'add-table', table },
          ...names.map((set) => ({ op: 'add-set', table, set, type: 'ipv4_addr' }) as const),
        ),
      );
  await load();
  const nft = ruleset.open();
  const sets = names.map((name) => ({ name, type: 'ipv4_addr' }) as const);
  /** With what the kernel held at that moment. */
  const moved: (readonly [addresses: readonly string[], held: readonly string[]])[] = [];
  const keeper = new SetKeeper({
    home: new ForeignSets(nft, { kind: 'foreign', family: 'inet', table: 'filter', sets }),
    nft,
    events: ruleset.events(),
    clock,
    never: new Set(),
    tell: () => {},
    moves: {
      sets: ['blocked4'],
      moved: (addresses) => moved.push([[...addresses].sort(), ruleset.elements(table, 'blocked4')]),
    },
  });
  return { ruleset, clock, keeper, moved, load };
}

const sets = (blocked4: readonly string[], direct4: readonly string[] = []) =>
  new Map<string, readonly string[]>([
    ['blocked4', blocked4],
    ['direct4', direct4],
  ]);
const blocked = (add: readonly string[], gone: readonly string[] = []) =>
  new Map([['blocked4', { add, delete: gone }]]);

test('nothing has moved when the first contents come: nobody knows how it was before', async () => {
  const { keeper, moved } = await bench();
  await keeper.replace(sets(['192.0.2.1']));
  assert.deepEqual(moved, []);
});

test('an address has moved when the kernel holds it in a set of a route, or no more', async () => {
  const { keeper, moved } = await bench();
  await keeper.replace(sets(['192.0.2.1']));
  await keeper.update(blocked(['192.0.2.2'], ['192.0.2.1']));
  await keeper.replace(sets(['192.0.2.2', '192.0.2.3'], ['192.0.2.9']));
  await keeper.update(blocked(['192.0.2.2']));
  assert.deepEqual(moved, [
    [['192.0.2.1', '192.0.2.2'], ['192.0.2.2']],
    [['192.0.2.3'], ['192.0.2.2', '192.0.2.3']],
  ]);
});

test('of changes that wait for each other, each is told with its own, and never before', async () => {
  const { keeper, moved } = await bench();
  await keeper.replace(sets([]));
  await Promise.all([
    keeper.update(blocked(['192.0.2.1'])),
    keeper.update(blocked(['192.0.2.2'])),
    keeper.replace(sets(['192.0.2.2'])),
  ]);
  assert.deepEqual(moved, [
    [['192.0.2.1'], ['192.0.2.1']],
    [['192.0.2.2'], ['192.0.2.1', '192.0.2.2']],
    [['192.0.2.1'], ['192.0.2.2']],
  ]);
});

test('what the kernel has refused is told when it was taken in the end', async () => {
  const { keeper, moved, ruleset, clock, load } = await bench();
  await keeper.replace(sets([]));
  ruleset.tables.clear();
  await assert.rejects(keeper.update(blocked(['192.0.2.1'])), { code: 'table-missing' });
  assert.deepEqual(moved, []);
  await load();
  await clock.advance(60_000);
  assert.deepEqual(moved, [[['192.0.2.1'], ['192.0.2.1']]]);
});

test('contents that others have flushed and the agent has put back have not moved', async () => {
  const { keeper, moved, ruleset, clock } = await bench();
  await keeper.replace(sets(['192.0.2.1']));
  await ruleset.open().apply(nftScript({ op: 'flush-set', table, set: 'blocked4' }));
  await clock.advance(60_000);
  assert.deepEqual(ruleset.elements(table, 'blocked4'), ['192.0.2.1']);
  assert.deepEqual(moved, []);
});
