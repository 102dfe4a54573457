/** Connections that the kernel tracks, dropped by where they go. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { TrackedConnections } from '../../src/system/linux/tracked-connections.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';
import { type Entry, trackEntries } from './tracked-entries.ts';

const entries = (from: string, to: string, count: number): readonly Entry[] =>
  Array.from({ length: count }, (_, index) => ({ from, to, port: 1024 + index }));

/** How many there are to each of these addresses, as /proc/net/nf_conntrack shows them. */
function tracked(...addresses: readonly string[]): readonly number[] {
  const lines = readFileSync('/proc/net/nf_conntrack', 'utf8').split('\n');
  const [first, second] = ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:0db8:0000:0000:0000:0000:0000:0002'];
  const shown: Readonly<Record<string, string>> = { '2001:db8::1': first, '2001:db8::2': second };
  return addresses.map((address) => {
    const words = new RegExp(`^[^[]*? dst=${shown[address] ?? address} `);
    return lines.filter((line) => words.test(line)).length;
  });
}

if (insideNamespace) {
  describe('tracked connections', () => {
    let connections: TrackedConnections;
    before(async () => {
      connections = await TrackedConnections.open();
    });
    after(() => connections.close());

    test('those to an address go, of either family, and those to others and from it stay', async () => {
      await trackEntries([
        ...entries('192.0.2.10', '203.0.113.1', 250),
        ...entries('192.0.2.10', '203.0.113.2', 3),
        ...entries('203.0.113.1', '192.0.2.77', 2),
        ...entries('2001:db8::9', '2001:db8::1', 5),
        ...entries('2001:db8::9', '2001:db8::2', 4),
      ]);
      assert.equal(await connections.drop(new Set(['203.0.113.1', '2001:db8::1'])), 255);
      assert.deepEqual(
        tracked('203.0.113.1', '203.0.113.2', '192.0.2.77', '2001:db8::1', '2001:db8::2'),
        [0, 3, 2, 0, 4],
      );
      assert.equal(await connections.drop(new Set(['203.0.113.1', '2001:db8::1'])), 0);
    });

    test('many addresses at once are looked for in one go', async () => {
      const many = Array.from({ length: 40 }, (_, index) => `198.51.100.${index + 1}`);
      await trackEntries([...many, '198.51.100.200'].flatMap((to) => entries('192.0.2.10', to, 5)));
      assert.equal(await connections.drop(new Set(many)), 200);
      assert.deepEqual(tracked('198.51.100.1', '198.51.100.40', '198.51.100.200'), [0, 0, 5]);
    });

    test('two that are asked for at the same time are both answered', async () => {
      await trackEntries([...entries('192.0.2.10', '203.0.113.5', 120), ...entries('192.0.2.10', '203.0.113.6', 7)]);
      const dropped = await Promise.all([
        connections.drop(new Set(['203.0.113.5'])),
        connections.drop(new Set(['203.0.113.6'])),
      ]);
      assert.deepEqual(dropped, [120, 7]);
    });

    test('of a table that holds 30 000, a few are found', async () => {
      const others = Array.from({ length: 30_000 }, (_, index) => ({
        from: `10.0.${(index >> 8) & 255}.${index & 255}`,
        to: `100.64.${index % 250}.1`,
        port: 2000,
      }));
      await trackEntries([...others, ...entries('192.0.2.10', '203.0.113.9', 3)]);
      const asked = new Set(Array.from({ length: 20 }, (_, index) => `203.0.113.${index}`));
      assert.equal(await connections.drop(asked), 6, 'three of this test, three that the first one left');
      assert.deepEqual(tracked('203.0.113.9', '100.64.7.1'), [0, 120]);
    });
  });
} else {
  test('tracked connections are dropped in a namespace', (t) => repeatInNamespace(t, import.meta.url));
}
