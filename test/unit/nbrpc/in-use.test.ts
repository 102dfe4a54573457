/** Which addresses count as in use, after what the kernel has told. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { changedUse, inUseLimits, type LastPackets, nowInUse } from '../../../src/nbrpc/in-use.ts';

const none: LastPackets = new Map();
const limits = { most: 3, seconds: 600 };
const seen = (ago: Record<string, number>): ReadonlyMap<string, number> => new Map(Object.entries(ago));
const names = (used: LastPackets): readonly string[] => [...used.keys()].sort();

describe('an address is in use', () => {
  test('from its first packet until ten minutes after its last', () => {
    const first = nowInUse(none, seen({ a: 4 }), 1000);
    assert.deepEqual(names(first), ['a']);
    assert.deepEqual(names(nowInUse(first, seen({}), 1596)), ['a']);
    assert.deepEqual(names(nowInUse(first, seen({}), 1597)), []);
    const again = nowInUse(first, seen({ a: 0 }), 1500);
    assert.deepEqual(names(nowInUse(again, seen({}), 2100)), ['a']);
  });

  test('not for a packet that is older than that, however long the kernel keeps it', () => {
    assert.deepEqual(names(nowInUse(none, seen({ a: 601, b: 600 }), 1000)), ['b']);
  });

  test('as long as it keeps its place: one that came first does not make way for one that was used later', () => {
    const full = nowInUse(none, seen({ a: 30, b: 20, c: 10 }), 1000, limits);
    const later = nowInUse(full, seen({ a: 60, b: 50, c: 40, d: 0, e: 1 }), 1030, limits);
    assert.deepEqual(names(later), ['a', 'b', 'c']);
    const gone = nowInUse(full, seen({ d: 0, e: 1 }), 1580, limits);
    assert.deepEqual(names(gone), ['b', 'c', 'd'], 'the place of a goes to the one that was used last');
  });

  test('and what changed is told in both directions', () => {
    const before = nowInUse(none, seen({ a: 0, b: 0 }), 1000);
    const after = nowInUse(before, seen({ b: 0, c: 0 }), 1700);
    assert.deepEqual(changedUse(before, after), ['a', 'c']);
    assert.deepEqual(changedUse(after, after), []);
  });
});

const address = fc.integer({ min: 0, max: 400 }).map((n) => `192.0.${n >> 8}.${n & 255}`);
const sightings = fc
  .array(fc.tuple(address, fc.integer({ min: 0, max: 900 })), { maxLength: 400 })
  .map((all) => new Map(all));
const story = fc.array(fc.tuple(fc.integer({ min: 1, max: 700 }), sightings), { minLength: 1, maxLength: 12 });

test('whatever the kernel tells, the number of addresses in use is bounded, and each was really used lately', () => {
  fc.assert(
    fc.property(story, (turns) => {
      let used: LastPackets = none;
      let at = 0;
      for (const [passed, told] of turns) {
        at += passed;
        used = nowInUse(used, told, at);
        assert.ok(used.size <= inUseLimits.most);
        for (const when of used.values()) assert.ok(at - when <= inUseLimits.seconds && when <= at);
        const recent = [...told.values()].filter((ago) => ago <= inUseLimits.seconds).length;
        assert.ok(used.size >= Math.min(recent, inUseLimits.most), 'no place stays free while something is used');
      }
    }),
  );
});

test('one that is in use stays so while packets go to it, whatever else is used', () => {
  fc.assert(
    fc.property(story, (turns) => {
      let used: LastPackets = none;
      let at = 0;
      for (const [passed, told] of turns) {
        at += passed;
        const next = nowInUse(used, told, at);
        for (const name of used.keys()) {
          if ((told.get(name) ?? Number.POSITIVE_INFINITY) <= inUseLimits.seconds) assert.ok(next.has(name), name);
        }
        used = next;
      }
    }),
  );
});
