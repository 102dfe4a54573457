/** The kernel's notifications, byte by byte: who wrote, which table, which set, where a transaction ends. */
import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { MonitorReader } from '../../../src/system/linux/nft-monitor.ts';
import { parseNotifications } from '../../../src/system/linux/nft-netlink-messages.ts';
import { Transaction } from '../../../src/system/linux/ruleset-events.ts';

const little = endianness() === 'LE';

function uint(bytes: 2 | 4, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  new DataView(buffer.buffer, buffer.byteOffset)[bytes === 2 ? 'setUint16' : 'setUint32'](0, value, little);
  return buffer;
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
const attribute = (type: number, text: string): Buffer =>
  padded(Buffer.concat([uint(2, 4 + text.length + 1), uint(2, type), Buffer.from(`${text}\0`)]));

/** struct nlmsghdr, struct nfgenmsg, attributes. */
function message(type: number, portId: number, ...attributes: Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([1, 0, 0, 0]), ...attributes]);
  const header = [uint(4, 16 + body.length), uint(2, (10 << 8) | type), uint(2, 0), uint(4, 1), uint(4, portId)];
  return padded(Buffer.concat([...header, body]));
}

const [newTable, deleteSet, newElement, newGeneration] = [0, 11, 12, 15];

test('a datagram is read message by message up to the end of the transaction', () => {
  const datagram = Buffer.concat([
    message(newTable, 7, attribute(1, 'filter'), attribute(2, 'not-a-set')),
    message(deleteSet, 7, attribute(1, 'filter'), attribute(2, 'blocked4')),
    message(newElement, 7, attribute(1, 'filter'), attribute(0x8002, 'blocked6')),
    message(newGeneration, 7),
  ]);
  assert.deepEqual(parseNotifications(datagram), [
    { kind: 'change', portId: 7, table: 'filter', set: undefined },
    { kind: 'change', portId: 7, table: 'filter', set: 'blocked4' },
    { kind: 'change', portId: 7, table: 'filter', set: 'blocked6' },
    { kind: 'end', portId: 7, table: undefined, set: undefined },
  ]);
});

test('any bytes are read without harm', () => {
  const good = message(newElement, 7, attribute(1, 'filter'), attribute(2, 'blocked4'));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(good.length), (noise, at) => {
      const bytes = Buffer.concat([good.subarray(0, at), Buffer.from(noise), good]);
      assert.ok(parseNotifications(bytes).length <= bytes.length / 16);
    }),
  );
});

test('a transaction is told once, without what the ignored port did', () => {
  const transaction = new Transaction(() => new Set([7]));
  const change = (portId: number, table: string, set?: string) =>
    transaction.add({ kind: 'change', portId, table, set });
  const end = (portId: number) => transaction.add({ kind: 'end', portId, table: undefined, set: undefined });
  change(7, 'filter', 'blocked4');
  assert.equal(end(7), undefined);
  assert.equal(change(8, 'filter', 'blocked4'), undefined);
  change(8, 'nat');
  assert.deepEqual(end(8), { portIds: new Set([8]), tables: new Set(['filter', 'nat']), sets: new Set(['blocked4']) });
  assert.equal(end(8), undefined);
});

test('the lines of nft monitor give the same, over any cuts between them', () => {
  const text = [
    'add table inet filter',
    'add set inet filter blocked4 { type ipv4_addr; }',
    'add chain inet filter forward { type filter hook forward priority 0; policy accept; }',
    'add element inet filter blocked6 { 2001:db8::1 }',
    '# new generation 7 by process 42 (nft)',
    'delete table ip nat',
    '# new generation 8 by process 43 (nft)',
    '',
  ].join('\n');
  const wanted = [
    { portIds: new Set(), tables: new Set(['filter']), sets: new Set(['blocked4', 'blocked6']) },
    { portIds: new Set(), tables: new Set(['nat']), sets: new Set() },
  ];
  fc.assert(
    fc.property(fc.nat(text.length), (cut) => {
      const reader = new MonitorReader();
      assert.deepEqual([...reader.read(text.slice(0, cut)), ...reader.read(text.slice(cut))], wanted);
    }),
  );
});
