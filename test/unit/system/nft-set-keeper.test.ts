/** The agent's core on a fake ruleset: deltas, refills, failures, retries, and the ladder of table ownership. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AgentEvent, ForeignSetsConfig, OwnTableConfig } from '../../../src/system/linux/nft-agent-protocol.ts';
import { ForeignSets } from '../../../src/system/linux/nft-foreign-sets.ts';
import { OwnTable, ownTableOperations } from '../../../src/system/linux/nft-own-table.ts';
import { SetKeeper } from '../../../src/system/linux/nft-set-keeper.ts';
import { NftError } from '../../../src/system/nft-error.ts';
import { nftScript, type TableFlag } from '../../../src/system/nft-script.ts';
import { foreignSetsConfig, ownTableConfig } from '../../fakes/agent-configs.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { type FakeNft, FakeRuleset } from '../../fakes/fake-nft.ts';

const foreign = foreignSetsConfig;
const own: OwnTableConfig = { ...ownTableConfig, exemptUid: 998, never: ['9.9.9.9'] };
const filter = { family: 'inet', name: 'filter' } as const;
const ownTable = { family: 'inet', name: own.name } as const;

interface Bench {
  readonly ruleset: FakeRuleset;
  readonly clock: FakeClock;
  readonly nft: FakeNft;
  readonly keeper: SetKeeper;
  readonly told: AgentEvent[];
}

function bench(config: OwnTableConfig | ForeignSetsConfig, known: readonly TableFlag[] = ['owner', 'persist']): Bench {
  const [ruleset, clock, told] = [new FakeRuleset(), new FakeClock(), [] as AgentEvent[]];
  ruleset.known = new Set(known);
  const nft = ruleset.open();
  const home = config.kind === 'own' ? new OwnTable(nft, config) : new ForeignSets(nft, config);
  const never = new Set(config.kind === 'own' ? config.never : []);
  const events = ruleset.events();
  const keeper = new SetKeeper({ home, nft, events, clock, never, tell: (event) => told.push(event) });
  return { ruleset, clock, nft, keeper, told };
}

/** What the administrator's reload does. */
async function load(ruleset: FakeRuleset, types: readonly string[] = ['ipv4_addr', 'ipv6_addr']): Promise<void> {
  const nft = ruleset.open();
  await nft.apply(
    nftScript(
      { op: 'add-table', table: filter },
      ...types.map((type, i) => ({
        op: 'add-set' as const,
        table: filter,
        set: `blocked${i === 0 ? 4 : 6}`,
        type: type === 'ipv4_addr' ? ('ipv4_addr' as const) : ('ipv6_addr' as const),
      })),
    ),
  );
}

const sets = (...four: readonly string[]): ReadonlyMap<string, readonly string[]> => new Map([['blocked4', four]]);
const delta = (add: readonly string[], surplus: readonly string[] = []) =>
  new Map([['blocked4', { add, delete: surplus }]]);

test('a table of our own is made and filled in one transaction, and its chains except our own traffic first', async () => {
  const { ruleset, keeper, told } = bench(own);
  await keeper.replace(
    new Map([
      ['blocked4', ['192.0.2.1', '9.9.9.9']],
      ['blocked6', ['2001:db8::1']],
    ]),
  );
  const exceptions = [
    'add rule inet netsteward-nbrpc output tcp sport 61000-64999 return',
    'add rule inet netsteward-nbrpc output udp sport 61000-64999 return',
    'add rule inet netsteward-nbrpc output meta skuid 998 return',
  ];
  const marks = (chain: string): readonly string[] =>
    ['ip daddr @blocked4', 'ip6 daddr @blocked6'].map(
      (match) => `add rule inet netsteward-nbrpc ${chain} ${match} meta mark set meta mark & 0xfffeffff | 0x00010000`,
    );
  assert.deepEqual(ruleset.applied, [
    [
      'add table inet netsteward-nbrpc { flags owner, persist; }',
      'add set inet netsteward-nbrpc blocked4 { type ipv4_addr; }',
      'add set inet netsteward-nbrpc blocked6 { type ipv6_addr; }',
      'add chain inet netsteward-nbrpc prerouting { type filter hook prerouting priority mangle; policy accept; }',
      ...marks('prerouting'),
      'add chain inet netsteward-nbrpc output { type route hook output priority mangle; policy accept; }',
      ...exceptions,
      ...marks('output'),
      'add element inet netsteward-nbrpc blocked4 { 192.0.2.1 }',
      'add element inet netsteward-nbrpc blocked6 { 2001:db8::1 }',
      '',
    ].join('\n'),
  ]);
  assert.deepEqual(told, [{ event: 'table', table: 'owner-persist' }]);
});

test('several exits have sets and marks of their own under one mask, and what is dropped is dropped before', () => {
  const config = {
    ...own,
    mask: 0x30000,
    exits: [
      { name: 'wg0', mark: 0x10000 },
      { name: 'wg1', mark: 0x20000 },
    ],
    drops: true,
  };
  const lines = nftScript(...ownTableOperations(config, []))
    .text.trimEnd()
    .split('\n');
  const rules = (chain: string): readonly string[] =>
    lines.flatMap((line) => line.split(`add rule inet netsteward-nbrpc ${chain} `).slice(1));
  const marks = [
    'ip daddr @blocked4-wg0 meta mark set meta mark & 0xfffcffff | 0x00010000',
    'ip6 daddr @blocked6-wg0 meta mark set meta mark & 0xfffcffff | 0x00010000',
    'ip daddr @blocked4-wg1 meta mark set meta mark & 0xfffcffff | 0x00020000',
    'ip6 daddr @blocked6-wg1 meta mark set meta mark & 0xfffcffff | 0x00020000',
  ];
  const drops = ['ip daddr @drop4 counter drop', 'ip6 daddr @drop6 counter drop'];
  assert.deepEqual(rules('prerouting'), [...drops, ...marks]);
  // Netsteward's own checks are let out before, or nobody would ever know that a service works again.
  const returns = ['tcp sport 61000-64999 return', 'udp sport 61000-64999 return', 'meta skuid 998 return'];
  assert.deepEqual(rules('output'), [...returns, ...drops, ...marks]);
  assert.deepEqual(
    lines.flatMap((line) => /add set \S+ \S+ (\S+)/.exec(line)?.[1] ?? []),
    ['blocked4-wg0', 'blocked6-wg0', 'blocked4-wg1', 'blocked6-wg1', 'drop4', 'drop6'],
  );
  const unmarked = { ...config, markForwarded: false, markOwn: false };
  const text = nftScript(...ownTableOperations(unmarked, [])).text;
  assert.ok(!text.includes('mark set'));
  assert.equal(text.match(/counter drop/g)?.length, 4);
});

test('an address that changes its exit does so in one transaction', async () => {
  const exits = ['wg0', 'wg1'].map((name, index) => ({ name, mark: 0x10000 << index }));
  const { ruleset, keeper } = bench({ ...own, mask: 0x30000, exits }, ['owner']);
  await keeper.replace(new Map([['blocked4-wg0', ['192.0.2.1']]]));
  const before = ruleset.applied.length;
  await keeper.update(
    new Map([
      ['blocked4-wg0', { add: [], delete: ['192.0.2.1'] }],
      ['blocked4-wg1', { add: ['192.0.2.1'], delete: [] }],
    ]),
  );
  assert.deepEqual(ruleset.applied.slice(before), [
    'delete element inet netsteward-nbrpc blocked4-wg0 { 192.0.2.1 }\nadd element inet netsteward-nbrpc blocked4-wg1 { 192.0.2.1 }\n',
  ]);
});

test('chains and exceptions that are not asked for are not there', () => {
  const bare = { ...own, markForwarded: false, markOwn: true, exemptSourcePorts: undefined, exemptUid: undefined };
  const text = nftScript(...ownTableOperations(bare, [])).text;
  assert.ok(!text.includes('prerouting') && !text.includes('return') && text.includes('route hook output'));
  const forwarded = nftScript(...ownTableOperations({ ...own, markOwn: false }, ['owner'])).text;
  assert.ok(!forwarded.includes('output') && !forwarded.includes('sport'));
});

for (const [known, table, reason] of [
  [['owner', 'persist'], 'owner-persist', undefined],
  [['owner'], 'owner', /persist/],
  [[], 'plain', /owner/],
] as const) {
  test(`with the flags ${known.join(' and ') || 'unknown'} the own table is ${table}, and it says why not more`, async () => {
    const { ruleset, keeper, told, nft } = bench(own, known);
    await keeper.replace(sets('192.0.2.1'));
    const [event] = told;
    assert.ok(event?.event === 'table');
    assert.equal(event.table, table);
    if (reason === undefined) assert.equal(event.reason, undefined);
    else assert.match(event.reason ?? '', reason);
    assert.equal(ruleset.watchers, table === 'plain' ? 1 : 0);
    ruleset.flush();
    await settle();
    assert.deepEqual(ruleset.elements(ownTable, 'blocked4'), ['192.0.2.1']);
    await keeper.close('keep');
    await nft.close();
    assert.equal(ruleset.tables.has(`inet ${own.name}`), table !== 'owner');
  });
}

test('a rest of an earlier run is replaced in the same transaction; that of a living owner is refused by name', async () => {
  const { ruleset, keeper, clock, told } = bench(own);
  const earlier = ruleset.open();
  await earlier.apply(nftScript({ op: 'add-table', table: ownTable, flags: ['owner'] }));
  await assert.rejects(keeper.replace(sets('192.0.2.1')), { code: 'table-owned', message: /inet netsteward-nbrpc/ });
  assert.equal(told.at(-1)?.event, 'problem');
  await earlier.close();
  await clock.advance(200);
  assert.deepEqual(ruleset.elements(ownTable, 'blocked4'), ['192.0.2.1']);
  assert.equal(told.at(-1)?.event, 'recovered');
  const plain = bench(own);
  await plain.ruleset.open().apply(nftScript({ op: 'add-table', table: ownTable }));
  await plain.keeper.replace(sets('192.0.2.1'));
  assert.match(plain.ruleset.applied.at(-1) ?? '', /^delete table inet netsteward-nbrpc\nadd table .*owner/);
});

test('what went with a lost socket is made again', async () => {
  const { ruleset, keeper, nft, told } = bench(own, ['owner']);
  await keeper.replace(sets('192.0.2.1'));
  nft.die();
  await settle();
  assert.deepEqual(ruleset.elements(ownTable, 'blocked4'), ['192.0.2.1']);
  assert.deepEqual(told.at(-1), { event: 'refilled', elements: 1 });
});

test('a change costs one transaction with just what changes', async () => {
  const { ruleset, keeper } = bench(own);
  await keeper.replace(sets('192.0.2.1', '192.0.2.2'));
  const count = ruleset.applied.length;
  await keeper.update(delta(['192.0.2.3', '192.0.2.2', '9.9.9.9'], ['192.0.2.1', '192.0.2.77']));
  assert.deepEqual(ruleset.applied.slice(count), [
    'delete element inet netsteward-nbrpc blocked4 { 192.0.2.1 }\nadd element inet netsteward-nbrpc blocked4 { 192.0.2.3 }\n',
  ]);
  await keeper.update(delta(['192.0.2.3'], ['192.0.2.1']));
  assert.equal(ruleset.applied.length, count + 1);
  assert.deepEqual(ruleset.elements(ownTable, 'blocked4'), ['192.0.2.2', '192.0.2.3']);
});

test('after a refused change everything is written anew and verified', async () => {
  const { ruleset, keeper } = bench(own);
  await keeper.replace(sets('192.0.2.1'));
  ruleset.failNext = new NftError('other', 'Error: a passing trouble');
  await keeper.update(delta(['192.0.2.2']));
  assert.match(
    ruleset.applied.at(-1) ?? '',
    /^flush set .*blocked4\nflush set .*blocked6\nadd element .*192\.0\.2\.1, 192\.0\.2\.2/,
  );
  assert.deepEqual(ruleset.elements(ownTable, 'blocked4'), ['192.0.2.1', '192.0.2.2']);
});

test('what one message cannot carry goes in several', async () => {
  const { ruleset, keeper } = bench(own);
  ruleset.mostElements = 3000;
  const many = Array.from({ length: 10_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  await keeper.replace(sets(...many));
  assert.equal(ruleset.elements(ownTable, 'blocked4').length, 10_000);
  assert.equal(ruleset.applied.length, 5);
});

test("after somebody's flush and reload the administrator's sets are filled again, once for any number of events", async () => {
  const { ruleset, keeper, told, clock } = bench(foreign);
  await load(ruleset);
  await keeper.replace(sets('192.0.2.1', '192.0.2.2'));
  ruleset.flush();
  await settle();
  assert.equal(clock.waiting, 1);
  await load(ruleset);
  await settle();
  assert.deepEqual(ruleset.elements(filter, 'blocked4'), ['192.0.2.1', '192.0.2.2']);
  assert.deepEqual(
    told.filter(({ event }) => event === 'refilled'),
    [{ event: 'refilled', elements: 2 }],
  );
  const count = ruleset.applied.length;
  assert.equal(clock.waiting, 0);
  await settle();
  assert.equal(ruleset.applied.length, count);
});

test('only what others changed is put right, and what they do elsewhere is left alone', async () => {
  const { ruleset, keeper, told } = bench(foreign);
  await load(ruleset);
  await keeper.replace(sets('192.0.2.1', '192.0.2.2'));
  const administrator = ruleset.open();
  await administrator.apply(
    nftScript(
      { op: 'delete-elements', table: filter, set: 'blocked4', addresses: ['192.0.2.1'] },
      { op: 'add-elements', table: filter, set: 'blocked4', addresses: ['192.0.2.9'] },
    ),
  );
  await settle();
  assert.equal(
    ruleset.applied.at(-1),
    'delete element inet filter blocked4 { 192.0.2.9 }\nadd element inet filter blocked4 { 192.0.2.1 }\n',
  );
  const count = told.length;
  const chain = { op: 'add-chain', table: filter, chain: 'c', type: 'filter', hook: 'input' } as const;
  await administrator.apply(nftScript(chain, { op: 'add-set', table: filter, set: 'other', type: 'ipv4_addr' }));
  await settle();
  assert.equal(told.length, count);
});

test('missing tables and sets and wrong types are named; it goes on when they come, and at the latest after a while', async () => {
  const { ruleset, keeper, told, clock } = bench(foreign);
  await assert.rejects(keeper.replace(sets('192.0.2.1')), { code: 'table-missing' });
  await load(ruleset, ['ipv4_addr']);
  await clock.advance(150);
  assert.deepEqual(
    told.map((one) => (one.event === 'problem' ? one.code : one.event)),
    ['table-missing', 'set-missing'],
  );
  await assert.rejects(keeper.update(delta(['192.0.2.2'])), { code: 'set-missing' });
  ruleset.tables.clear();
  await load(ruleset, ['ipv4_addr', 'ipv4_addr']);
  await assert.rejects(keeper.update(delta(['192.0.2.3'])), { code: 'set-wrong-type' });
  ruleset.tables.clear();
  await load(ruleset);
  assert.deepEqual(ruleset.elements(filter, 'blocked4'), []);
  await clock.advance(30_000);
  assert.deepEqual(ruleset.elements(filter, 'blocked4'), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  assert.deepEqual(told.map((one) => (one.event === 'problem' ? one.code : one.event)).slice(-3), [
    'set-wrong-type',
    'refilled',
    'recovered',
  ]);
  assert.equal(clock.waiting, 0);
});

test('unknown sets and addresses of the other family are refused, and change nothing', async () => {
  const { ruleset, keeper } = bench(own);
  await assert.rejects(keeper.update(delta(['192.0.2.1'])), { code: 'not-filled' });
  await keeper.replace(sets('192.0.2.1'));
  await assert.rejects(keeper.replace(new Map([['nowhere', []]])), { code: 'set-unknown' });
  await assert.rejects(keeper.replace(sets('2001:db8::1')), { code: 'set-wrong-family' });
  await assert.rejects(keeper.update(delta([], ['2001:db8::1'])), { code: 'set-wrong-family' });
  await keeper.update(delta(['192.0.2.2']));
  assert.deepEqual(ruleset.elements(ownTable, 'blocked4'), ['192.0.2.1', '192.0.2.2']);
});

test('whatever is asked, flushed and refused in between, in the end the sets hold what was last asked', async () => {
  const element = fc.integer({ min: 0, max: 7 }).map((n) => `192.0.2.${n}`);
  const some = fc.array(element, { maxLength: 5 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('replace' as const), add: some, surplus: some }),
    fc.record({ kind: fc.constant('update' as const), add: some, surplus: some }),
    fc.record({ kind: fc.constantFrom('flush' as const, 'refuse' as const), add: some, surplus: some }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(own, foreign), fc.array(step, { maxLength: 12 }), async (config, steps) => {
      const { ruleset, keeper, clock } = bench(config, []);
      await load(ruleset);
      await keeper.replace(sets());
      let wanted = new Set<string>();
      for (const { kind, add, surplus } of steps) {
        if (kind === 'replace') {
          wanted = new Set(add);
          await keeper.replace(sets(...add)).catch(() => {});
        } else if (kind === 'update') {
          wanted = new Set([...[...wanted].filter((address) => !surplus.includes(address)), ...add]);
          await keeper.update(delta(add, surplus)).catch(() => {});
        } else if (kind === 'flush') {
          const { failNext } = ruleset;
          ruleset.failNext = undefined;
          ruleset.flush();
          await load(ruleset);
          ruleset.failNext = failNext;
        } else ruleset.failNext = new NftError('other', 'Error: refused');
      }
      ruleset.failNext = undefined;
      await clock.advance(60_000);
      assert.deepEqual(ruleset.elements(config === own ? ownTable : filter, 'blocked4'), [...wanted].sort());
      await keeper.close('flush');
      assert.deepEqual(ruleset.elements(config === own ? ownTable : filter, 'blocked4'), []);
      assert.equal(clock.waiting, 0);
      assert.equal(ruleset.watchers, 0);
    }),
    { numRuns: 150 },
  );
});
