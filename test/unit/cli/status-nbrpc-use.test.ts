/** How status and metrics show what is in use and which connections were dropped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderNbrpc } from '../../../src/cli/nbrpc-view.ts';
import type { RunningDetail } from '../../../src/nbrpc/index.ts';
import { metricsOf } from '../../../src/nbrpc/metrics.ts';

const none = { dropped: 0, rerouted: 0, failing: 0, unchecked: 0, unresolved: 0, waiting: 0, ok: 2 };
const plain: RunningDetail = {
  hosts: [],
  moreHosts: 0,
  total: 2,
  byStanding: none,
  byState: { ok: 2, failing: 0, unstable: 0, na: 0, unknown: 0 },
  byCause: { name: 0, connect: 0, tls: 0, http: 0, transfer: 0 },
  rerouted: 0,
  blocked: 0,
  lastPass: null,
  nextPass: null,
  exits: [],
  firstPass: null,
  sets: { connected: true, table: 'owner', lastError: undefined, refills: 0 },
};
const flowing: RunningDetail = { ...plain, inUse: 3, sets: { ...plain.sets, connections: { dropped: 1 } } };
const value = (detail: RunningDetail, name: string): readonly number[] =>
  metricsOf(detail)
    .filter((metric) => metric.name === name)
    .flatMap(({ samples }) => samples.map((sample) => sample.value));

test('nothing is said of what was not asked for', () => {
  assert.deepEqual(renderNbrpc(plain, 0), ['own table (flag owner): 0 addresses go around', 'everything goes direct']);
  assert.deepEqual(value(plain, 'netsteward_nbrpc_addresses_in_use'), []);
  assert.deepEqual(value(plain, 'netsteward_nbrpc_connections_dropped_total'), []);
});

test('addresses in use and dropped connections are counted', () => {
  assert.deepEqual(renderNbrpc(flowing, 0), [
    'own table (flag owner): 0 addresses go around',
    '3 listed addresses are in use',
    '1 connection was dropped at a change of route',
    'everything goes direct',
  ]);
  assert.deepEqual(value(flowing, 'netsteward_nbrpc_addresses_in_use'), [3]);
  assert.deepEqual(value(flowing, 'netsteward_nbrpc_connections_dropped_total'), [1]);
});
