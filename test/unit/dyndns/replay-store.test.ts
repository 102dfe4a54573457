/** The saved replay state: every bit of a timestamp, over restarts, between processes, and when the disk refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pendingUpdates, settled, withAccepted } from '../../../src/dyndns/replay.ts';
import { ReplayStore } from '../../../src/dyndns/replay-store.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

const commitSync = { sync: () => Promise.resolve() };
const path = '/state/dyndns.sqlite';
const keyId = 'QlH0RDCxXrI2OvL2OUA4DBeDY79X';
const timestamp = 1405421540.0300002;
const acceptance = { keyId, family: 4, timestamp, address: '192.0.2.1', now: 1405421541.5, writes: true } as const;

test('what is accepted is there after a restart, with all bits of its timestamp', () => {
  const store = new MemoryStore();
  const first = new ReplayStore(store, commitSync, path);
  first.update((state) => withAccepted(state, acceptance));
  first.update((state) =>
    withAccepted(state, { ...acceptance, family: 6, address: '2001:db8::1', writes: false, now: 2 }),
  );
  first.close();
  const second = new ReplayStore(store, commitSync, path);
  assert.deepEqual(second.state, first.state);
  assert.deepEqual(second.state.get(keyId), {
    4: {
      timestamp,
      address: '192.0.2.1',
      acceptedAt: 1405421541.5,
      written: { timestamp, at: 1405421541.5 },
      pending: true,
    },
    6: { timestamp, address: '2001:db8::1', acceptedAt: 2 },
  });
  second.update((state) => settled(state, keyId, 4, timestamp));
  second.close();
  const third = new ReplayStore(store, commitSync, path);
  assert.deepEqual(pendingUpdates(third.state), []);
  third.close();
});

test('what cannot be saved is not accepted', () => {
  const store = new MemoryStore();
  const replay = new ReplayStore(store, commitSync, path);
  store.failWrites({ errcode: 13, message: 'database or disk is full' });
  assert.throws(() => replay.update((state) => withAccepted(state, acceptance)), {
    code: 'replay-state-not-saved',
    message: /dyndns\.sqlite cannot be written: .*full/,
  });
  assert.equal(replay.state.size, 0);
  store.failWrites(undefined);
  replay.update((state) => withAccepted(state, acceptance));
  assert.equal(replay.state.size, 1);
  replay.close();
});

test('the database of another program is left alone', () => {
  const store = new MemoryStore();
  const other = store.open(path);
  other.exec('PRAGMA application_id = 7; CREATE TABLE theirs (x)');
  other.close();
  assert.throws(() => new ReplayStore(store, commitSync, path), { code: 'state-file-foreign' });
});

test('a file of a later version is left alone', () => {
  const store = new MemoryStore();
  new ReplayStore(store, commitSync, path).close();
  const later = store.open(path);
  later.exec('PRAGMA user_version = 2');
  later.close();
  assert.throws(() => new ReplayStore(store, commitSync, path), { code: 'replay-state-newer' });
});
