/** The guard's table on a fake ruleset: back after a flush by others, and tried again while it cannot be loaded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OwnTableConfig } from '../../../src/system/linux/nft-agent-protocol.ts';
import { GuardKeeper } from '../../../src/system/linux/nft-guard-keeper.ts';
import { OwnTable } from '../../../src/system/linux/nft-own-table.ts';
import { NftError } from '../../../src/system/nft-error.ts';
import { plainTableConfig } from '../../fakes/agent-configs.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';

const spec = { interfaces: ['lan0'], mark: 0x40000000 };
const own: OwnTableConfig = { ...plainTableConfig, name: 'around', mark: 1, mask: 1 };

async function bench() {
  const [ruleset, clock, problems] = [new FakeRuleset(), new FakeClock(), [] as string[]];
  const nft = ruleset.open();
  await new OwnTable(nft, { ...own, guard: spec }).fill(new Map());
  const options = { spec, nft, events: ruleset.events(), clock, problem: (code: string) => problems.push(code) };
  const keeper = new GuardKeeper(options);
  const guarded = (): boolean => [...ruleset.tables.values()].some(({ name }) => name === 'netsteward-guard');
  assert.ok(guarded());
  return { ruleset, clock, keeper, problems, guarded };
}

test('the table is made with the own one, in one transaction, and is back after a flush by others', async () => {
  const { ruleset, problems, guarded } = await bench();
  assert.equal(ruleset.applied.length, 1);
  ruleset.flush();
  assert.ok(!guarded());
  await settle();
  assert.ok(guarded());
  assert.deepEqual(problems, []);
});

test('what cannot be loaded is told and tried again', async () => {
  const { ruleset, clock, problems, guarded } = await bench();
  ruleset.failNext = new NftError('other', 'no memory');
  ruleset.flush();
  await settle();
  assert.deepEqual([problems, guarded()], [['guard-not-loaded'], false]);
  await clock.advance(100);
  await settle();
  assert.ok(guarded());
});

test('after its end it loads nothing, and the table stays', async () => {
  const { ruleset, keeper, guarded } = await bench();
  await keeper.close();
  assert.ok(guarded());
  ruleset.flush();
  await settle();
  assert.ok(!guarded());
});

test('a configuration without a guard takes an old one away with the table that lifted it', async () => {
  const { ruleset, guarded } = await bench();
  const other = ruleset.open();
  await new OwnTable(other, { ...own, name: 'other' }).fill(new Map());
  assert.ok(!guarded());
  assert.match(ruleset.applied.at(-1) ?? '', /delete table inet netsteward-guard/);
});
