/** Packets that were accepted once are never accepted again: across families, headers, other writers and restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  emptyReplayState,
  isNewer,
  pendingUpdates,
  type ReplayState,
  resumes,
  settled,
  withAccepted,
  withSpent,
} from '../../../src/dyndns/replay.ts';
import { ReplayStore } from '../../../src/dyndns/replay-store.ts';
import { headerValue } from '../../../src/dyndns/timestamp.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { keyA, keyB } from './fixtures.ts';

const commitSync = { sync: () => Promise.resolve() };
const id = keyA.verify.id;
const path = '/state/dyndns.sqlite';
const v4 = '192.0.2.1';
const v6 = '2001:db8::1';

function accept(state: ReplayState, family: 4 | 6, timestamp: number, writes = false, keyId = id): ReplayState {
  const address = family === 4 ? v4 : v6;
  return withAccepted(state, { keyId, family, timestamp, address, now: timestamp + 1, writes });
}

test('without a state the header decides, and a timestamp that it rounded down is not newer', () => {
  const newer = (timestamp: number, header: number): boolean => isNewer(emptyReplayState, id, 4, timestamp, header);
  assert.ok(newer(0.01, 0));
  assert.ok(!newer(0, 0));
  assert.ok(!newer(-1, 0));
  assert.ok(newer(1405421540.03, 1405421540.02));
  assert.ok(!newer(1405421540.03, 1405421540.03));
  assert.ok(!newer(1405421540.034, 1405421540.03));
  assert.ok(newer(1405421540.036, 1405421540.03));
  assert.ok(!newer(1405421540.036, 1405421540.04));
});

test('NaN and infinities are never newer', () => {
  for (const state of [emptyReplayState, accept(emptyReplayState, 4, 100)]) {
    for (const timestamp of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.equal(isNewer(state, id, 4, timestamp, 0), false);
    }
  }
});

test('a packet that changed nothing counts as well', () => {
  const state = accept(emptyReplayState, 4, 100);
  assert.ok(!isNewer(state, id, 4, 100, 0));
  assert.ok(!isNewer(state, id, 4, 99, 0));
  assert.ok(isNewer(state, id, 4, 100.001, 0));
});

test('state decides where it knows key and family, whatever its own header says', () => {
  // IPv6 at 150 wrote the header; an IPv4 packet of 120, late but newer than the last IPv4 one, is taken.
  const state = accept(accept(emptyReplayState, 4, 100, true), 6, 150, true);
  assert.ok(isNewer(state, id, 4, 120, 150));
  assert.ok(!isNewer(state, id, 4, 100, 150));
  // Keep-alives that wrote nothing came after it: the header is still known as our own.
  assert.ok(isNewer(accept(state, 6, 170), id, 4, 120, 150));
});

test('the two families of one client round both count, once each', () => {
  const round = 1405421540.038;
  let state = emptyReplayState;
  assert.ok(isNewer(state, id, 4, round, 0));
  state = accept(state, 4, round, true);
  const header = headerValue(round);
  assert.ok(isNewer(state, id, 6, round, header));
  assert.ok(isNewer(state, id, 6, round + 0.01, header));
  assert.ok(!isNewer(state, id, 6, round - 1, header));
  state = accept(state, 6, round, true);
  for (const family of [4, 6] as const) assert.ok(!isNewer(state, id, family, round, header));
});

test('a header that another writer has raised counts, but for the other family of the round that it took', () => {
  const state = accept(accept(emptyReplayState, 4, 100, true), 6, 100);
  for (const family of [4, 6] as const) {
    assert.ok(!isNewer(state, id, family, 150, 200));
    assert.ok(!isNewer(state, id, family, 199.9, 200));
    assert.ok(isNewer(state, id, family, 199.995, 200));
    assert.ok(isNewer(state, id, family, 200.5, 200));
  }
  // Of a family that was never heard of, nothing tells whether the other writer took just this packet.
  const four = accept(emptyReplayState, 4, 100, true);
  assert.ok(!isNewer(four, id, 6, 200, 200));
  assert.ok(isNewer(four, id, 6, 200.02, 200));
});

test('other keys know nothing of it', () => {
  assert.ok(isNewer(accept(emptyReplayState, 4, 100), keyB.verify.id, 4, 50, 0));
});

test('a packet that writes is pending until it is settled, and comes out as to be written', () => {
  let state = accept(accept(emptyReplayState, 4, 100, true), 6, 100);
  assert.deepEqual(pendingUpdates(state), [
    {
      keyId: id,
      family: 4,
      timestamp: 100,
      address: v4,
      acceptedAt: 101,
      written: { timestamp: 100, at: 101 },
      pending: true,
    },
  ]);
  assert.equal(settled(state, id, 4, 99), state);
  assert.equal(settled(state, id, 6, 100), state);
  assert.equal(settled(state, keyB.verify.id, 4, 100), state);
  state = settled(state, id, 4, 100);
  assert.deepEqual(pendingUpdates(state), []);
  assert.ok(!isNewer(state, id, 4, 100, 0));
});

test('a keep-alive leaves an update pending that was not settled', () => {
  const state = accept(accept(emptyReplayState, 4, 100, true), 4, 110);
  assert.equal(state.get(id)?.[4]?.pending, true);
  assert.deepEqual(state.get(id)?.[4]?.written, { timestamp: 100, at: 101 });
  assert.equal(settled(state, id, 4, 110).get(id)?.[4]?.pending, undefined);
});

test('a spent packet never comes again, and leaves the address and what is pending as they were', () => {
  const before = accept(emptyReplayState, 4, 100, true);
  const packet = { keyId: id, family: 4, timestamp: 110, address: '198.51.100.9', now: 111 } as const;
  const state = withSpent(before, packet);
  assert.deepEqual(state.get(id)?.[4], { ...before.get(id)?.[4], timestamp: 110 });
  assert.ok(!isNewer(state, id, 4, 110, 0));
  assert.deepEqual(withSpent(emptyReplayState, packet).get(id)?.[4], {
    timestamp: 110,
    address: '198.51.100.9',
    acceptedAt: 111,
  });
});

test('a pending update resumes unless another writer has taken a newer one', () => {
  const state = accept(accept(emptyReplayState, 4, 100, true), 6, 110, true);
  const [four] = pendingUpdates(state);
  assert.ok(four !== undefined && four.family === 4);
  for (const header of [0, 99, 100, 110]) assert.ok(resumes(state, four, header), String(header));
  for (const header of [100.5, 120]) assert.ok(!resumes(state, four, header), String(header));
});

const seconds = fc.double({ min: 0.01, max: 4e9, noNaN: true });
const step = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  timestamp: fc.oneof(seconds, fc.constantFrom(1, 1.004, 1.006, 1.01, 2, 2.005, 100, 100.125)),
  changes: fc.boolean(),
  restart: fc.boolean(),
  otherWriter: fc.option(seconds, { nil: undefined }),
});

test('no packet is accepted twice for one family, whatever headers say and however often the server restarts', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const disk = new MemoryStore();
      let store = new ReplayStore(disk, commitSync, path);
      let header = 0;
      const accepted: { family: 4 | 6; timestamp: number }[] = [];
      for (const { family, timestamp, changes, restart, otherWriter } of steps) {
        if (restart) {
          store.close();
          store = new ReplayStore(disk, commitSync, path);
        }
        if (otherWriter !== undefined) header = headerValue(otherWriter);
        const known = accepted.filter((packet) => packet.family === family);
        if (isNewer(store.state, id, family, timestamp, header)) {
          assert.ok(
            known.every((packet) => packet.timestamp < timestamp),
            'accepted what is not newer',
          );
          store.update((state) => accept(state, family, timestamp, changes));
          accepted.push({ family, timestamp });
          if (changes) header = Math.max(header, headerValue(timestamp));
        }
        for (const packet of accepted) {
          for (const any of [0, header, packet.timestamp]) {
            assert.ok(!isNewer(store.state, id, packet.family, packet.timestamp, any), 'accepted again');
          }
        }
      }
      store.close();
    }),
    { numRuns: 200 },
  );
});

test('a captured packet that wrote the zone is refused by the header alone once the state is lost, but for another family', () => {
  fc.assert(
    fc.property(seconds, fc.constantFrom(4 as const, 6 as const), (timestamp, family) => {
      assert.ok(!isNewer(emptyReplayState, id, family, timestamp, headerValue(timestamp)));
    }),
    { numRuns: 1000 },
  );
});

test('any state comes back from the disk with every bit of each timestamp', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      const disk = new MemoryStore();
      const store = new ReplayStore(disk, commitSync, path);
      for (const [index, { family, timestamp, changes }] of steps.entries()) {
        store.update((state) => accept(state, family, timestamp, changes, index % 2 === 0 ? id : keyB.verify.id));
      }
      store.close();
      const again = new ReplayStore(disk, commitSync, path);
      assert.deepEqual(again.state, store.state);
      again.close();
    }),
    { numRuns: 100 },
  );
});
