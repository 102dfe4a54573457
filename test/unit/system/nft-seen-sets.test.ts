/** Which listed addresses packets went to: the rules and sets that note it, and what is read of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inUseRules, inUseSets } from '../../../src/system/in-use-table.ts';
import { mostSightings, readSeenSets, sightingsOf } from '../../../src/system/linux/nft-seen-sets.ts';
import { nftScript } from '../../../src/system/nft-script.ts';
import { isOwnSet } from '../../../src/system/own-exits.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';

const table = { family: 'inet', name: 'netsteward-nbrpc' } as const;

describe('the own table notes use', () => {
  test('by sets of listed addresses and sets that packets fill, which are bounded and forget', () => {
    assert.deepEqual(nftScript(...inUseSets(table)).text.split('\n'), [
      'add set inet netsteward-nbrpc listed4 { type ipv4_addr; }',
      'add set inet netsteward-nbrpc listed6 { type ipv6_addr; }',
      'add set inet netsteward-nbrpc seen4 { type ipv4_addr; flags dynamic, timeout; timeout 600s; size 4096; }',
      'add set inet netsteward-nbrpc seen6 { type ipv6_addr; flags dynamic, timeout; timeout 600s; size 4096; }',
      '',
    ]);
  });

  test('by rules that look for a listed address first', () => {
    assert.deepEqual(nftScript(...inUseRules(table, 'prerouting')).text.split('\n'), [
      'add rule inet netsteward-nbrpc prerouting ip daddr @listed4 update @seen4 { ip daddr }',
      'add rule inet netsteward-nbrpc prerouting ip6 daddr @listed6 update @seen6 { ip6 daddr }',
      '',
    ]);
  });

  test('and these sets are told from those of others in the rest of an earlier run', () => {
    for (const name of ['listed4', 'listed6', 'seen4', 'seen6']) assert.ok(isOwnSet(name), name);
    for (const name of ['listed', 'seen5', 'unseen4']) assert.ok(!isOwnSet(name), name);
  });
});

const listing = (set: Record<string, unknown>): readonly unknown[] => [{ metainfo: {} }, { set }];

describe('a set that packets fill', () => {
  test('tells of each address how long ago its last packet was', () => {
    const elem = [
      { elem: { val: '192.0.2.1', expires: 600 } },
      { elem: { val: '192.0.2.2', expires: 13 } },
      { elem: { val: '192.0.2.3', timeout: 300, expires: 298 } },
    ];
    assert.deepEqual(sightingsOf(listing({ timeout: 600, flags: ['timeout'], elem })), [
      ['192.0.2.1', 0],
      ['192.0.2.2', 587],
      ['192.0.2.3', 2],
    ]);
    assert.deepEqual(sightingsOf(listing({ timeout: 600 })), []);
  });

  test('tells nothing of what is no single address, or stays for ever', () => {
    const elem = ['192.0.2.1', { elem: { val: { prefix: { addr: '192.0.2.0', len: 24 } }, expires: 5 } }];
    assert.deepEqual(sightingsOf(listing({ timeout: 600, elem })), []);
    assert.equal(sightingsOf(listing({ elem: ['192.0.2.1'] })), undefined);
    assert.equal(sightingsOf([]), undefined);
  });

  test('is read with others as one answer, of the last packets where there are more than it may have', async () => {
    const ruleset = new FakeRuleset();
    const nft = ruleset.open();
    await nft.apply(nftScript({ op: 'add-table', table }, ...inUseSets(table)));
    ruleset.packet(table, 'seen4', '192.0.2.1', 30);
    ruleset.packet(table, 'seen6', '2001:db8::1', 0);
    assert.deepEqual(
      await readSeenSets(nft, table, ['seen4', 'seen6']),
      new Map([
        ['192.0.2.1', 30],
        ['2001:db8::1', 0],
      ]),
    );
    for (let index = 0; index < mostSightings; index += 1) {
      ruleset.packet(table, 'seen4', `10.0.${index >> 8}.${index & 255}`, 20);
    }
    const many = await readSeenSets(nft, table, ['seen4', 'seen6']);
    assert.equal(many.size, mostSightings);
    assert.equal(many.get('2001:db8::1'), 0);
    assert.equal(many.has('192.0.2.1'), false, 'the oldest is left out');
  });

  test('is refused by name where it is missing or has no time-out', async () => {
    const nft = new FakeRuleset().open();
    await nft.apply(nftScript({ op: 'add-table', table }, { op: 'add-set', table, set: 'seen4', type: 'ipv4_addr' }));
    await assert.rejects(readSeenSets(nft, table, ['seen6']), { code: 'seen-set-missing' });
    await assert.rejects(readSeenSets(nft, table, ['seen4']), { code: 'seen-set-lasting' });
  });
});
