/** Listings of nft: plain sets, wrapped elements, intervals, and tables as text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listedSet } from '../../../src/system/linux/nft-listed-set.ts';
import { parseListing, tablesOfText } from '../../../src/system/linux/nft-listing.ts';
import { hasTable } from '../../../src/system/nft-names.ts';

const listing = (set: Record<string, unknown>): readonly unknown[] =>
  parseListing(
    JSON.stringify({
      nftables: [{ metainfo: { version: '1.0.6' } }, { set: { name: 's', type: 'ipv4_addr', ...set } }],
    }),
  );

test('a plain set lists its addresses in canonical text', async () => {
  const found = await listedSet(listing({ type: 'ipv6_addr', elem: ['2001:db8::1', '::ffff:192.0.2.1'] }));
  assert.deepEqual(found, {
    type: 'ipv6_addr',
    interval: false,
    volatile: false,
    addresses: new Set(['2001:db8::1', '::ffff:c000:201']),
  });
  assert.deepEqual((await listedSet(listing({})))?.addresses, new Set());
});

test('an element with a timeout, counter or comment counts as its address', async () => {
  const elem = ['192.0.2.1', { elem: { val: '192.0.2.2', timeout: 60, comment: 'x' } }];
  assert.deepEqual((await listedSet(listing({ elem })))?.addresses, new Set(['192.0.2.1', '192.0.2.2']));
});

test('intervals count as the addresses they cover, as long as those can be counted', async () => {
  const elem = [{ prefix: { addr: '192.0.2.4', len: 31 } }, { range: ['192.0.2.255', '192.0.3.1'] }];
  assert.deepEqual(await listedSet(listing({ flags: ['interval'], elem })), {
    type: 'ipv4_addr',
    interval: true,
    volatile: false,
    addresses: new Set(['192.0.2.4', '192.0.2.5', '192.0.2.255', '192.0.3.0', '192.0.3.1']),
  });
  for (const huge of [
    { prefix: { addr: '0.0.0.0', len: 0 } },
    { range: ['::', 'ffff::'] },
    { concat: ['192.0.2.1', 80] },
  ]) {
    assert.equal((await listedSet(listing({ elem: [huge] })))?.addresses, 'uncountable');
  }
});

test('a concatenation has no single type, and a map is no set', async () => {
  assert.equal((await listedSet(listing({ type: ['ipv4_addr', 'inet_service'] })))?.type, undefined);
  assert.equal(await listedSet([{ map: { name: 's', type: 'ipv4_addr', map: 'mark' } }]), undefined);
});

test('tables are found by family and name in the text of "list tables"', () => {
  const tables = tablesOfText('table inet filter\ntable ip6 netsteward-nbrpc\n');
  assert.equal(hasTable(tables, { family: 'inet', name: 'filter' }), true);
  assert.equal(hasTable(tables, { family: 'ip6', name: 'netsteward-nbrpc' }), true);
  assert.equal(hasTable(tables, { family: 'ip', name: 'filter' }), false);
  assert.deepEqual(tablesOfText(''), []);
});

test('what is not a listing is an error, nothing at all is an empty one', () => {
  assert.deepEqual(parseListing(''), []);
  assert.throws(() => parseListing('{"nftables": 1}'), { code: 'nft-refused' });
});
