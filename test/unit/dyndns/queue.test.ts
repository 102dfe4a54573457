/** The queue before the signature checks: fair by source, bounded, newest first of each sender. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { familiarPlaces, type Queued, SourceQueue, sourceGroup } from '../../../src/dyndns/queue.ts';

interface Item extends Queued {
  readonly number: number;
}

const item = (source: string, number: number, { keyId = 'k', familiar = false } = {}): Item => ({
  keyId,
  source,
  familiar,
  number,
});

function drain(queue: SourceQueue<Item>): number[] {
  const taken: number[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(next.number);
  return taken;
}

test('of one source the newest packet is kept, at the place of its first', () => {
  const queue = new SourceQueue<Item>();
  queue.put(item('192.0.2.1', 1));
  queue.put(item('192.0.2.2', 2));
  queue.put(item('192.0.2.1', 3));
  assert.deepEqual(drain(queue), [3, 2]);
  assert.equal(queue.replaced, 1);
});

test('a source that floods delays another one by a single check', () => {
  const queue = new SourceQueue<Item>();
  for (let number = 0; number < 10_000; number += 1) queue.put(item('192.0.2.1', number));
  queue.put(item('198.51.100.1', -1));
  assert.equal(queue.size, 2);
  assert.deepEqual(drain(queue), [9999, -1]);
});

test('machines behind one address, or in one /64, each have a place by their key', () => {
  const queue = new SourceQueue<Item>();
  queue.put(item('2001:db8::1', 1, { keyId: 'a' }));
  queue.put(item('2001:db8::2', 2, { keyId: 'b' }));
  queue.put(item('2001:db8::3', 3, { keyId: 'b' }));
  assert.deepEqual(drain(queue), [1, 3]);
});

test('a flood of strangers takes every other turn from the known sources, and no more', () => {
  const queue = new SourceQueue<Item>();
  for (let number = 0; number < 100; number += 1) queue.put(item(`10.0.0.${number}`, number));
  queue.put(item('192.0.2.1', 1000, { familiar: true }));
  queue.put(item('192.0.2.2', 1001, { familiar: true }));
  assert.deepEqual(drain(queue).slice(0, 4), [1000, 0, 1001, 1]);
});

test('a full queue drops what it cannot take, and counts it; known sources have room of their own', () => {
  const queue = new SourceQueue<Item>(3);
  for (let number = 0; number < 5; number += 1) queue.put(item(`10.0.0.${number}`, number));
  queue.put(item('192.0.2.1', 9, { familiar: true }));
  assert.equal(queue.size, 4);
  assert.equal(queue.dropped, 2);
  assert.deepEqual(drain(queue), [9, 0, 1, 2]);
  assert.equal(queue.take(), undefined);
});

test('a packet from a familiar address can be taken alone, and costs strangers no turn', () => {
  const queue = new SourceQueue<Item>();
  queue.put(item('10.0.0.1', 1));
  queue.put(item('192.0.2.1', 2, { familiar: true }));
  queue.put(item('192.0.2.2', 3, { familiar: true }));
  assert.equal(queue.takeFamiliar()?.number, 2);
  assert.deepEqual(drain(queue), [3, 1]);
  assert.equal(queue.takeFamiliar(), undefined);
});

test('forgeries with the address of a familiar source do not put out its genuine packet at once', () => {
  const queue = new SourceQueue<Item>();
  const familiar = { familiar: true };
  queue.put(item('192.0.2.1', -1, familiar));
  for (let number = 1; number < familiarPlaces; number += 1) queue.put(item('192.0.2.1', number, familiar));
  assert.deepEqual([queue.size, queue.replaced], [familiarPlaces, 0]);
  queue.put(item('192.0.2.2', 1000, familiar));
  // Each source has its turn, however much another one has sent.
  assert.deepEqual([queue.takeFamiliar()?.number, queue.takeFamiliar()?.number], [-1, 1000]);
  for (let number = 0; number < 100; number += 1) queue.put(item('192.0.2.1', 100 + number, familiar));
  assert.equal(queue.size, familiarPlaces);
  assert.equal(queue.replaced, 99);
  assert.equal(drain(queue)[0], 184);
  assert.equal(queue.hasFamiliar, false);
});

test('a source is an IPv4 address, or the /64 of an IPv6 one', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:1::5:6', '2001:db8:1:0'],
    ['::1', '0:0:0:0'],
    ['1:2:3:4::', '1:2:3:4'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ];
  for (const [source, group] of cases) assert.equal(sourceGroup(source), group, source);
});
