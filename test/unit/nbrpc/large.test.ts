/** Ten thousand hosts: everything still works, and bounded work is done in a pass. (How fast it is, is told by bench/.) */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { runPass } from '../../../src/nbrpc/pass.ts';
import { policyLines } from '../../../src/nbrpc/policy.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { policy } from './build-state.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-large-'));
after(() => rm(folder, { recursive: true }));

describe('ten thousand hosts with four addresses each', () => {
  it('are taken in, scheduled, saved and read again', async (t) => {
    const files = new FakeFiles();
    const resolver = new FakeResolver();
    const names = Array.from({ length: 10_000 }, (_, i) => `host${i}.example`);
    for (const [i, name] of names.entries()) {
      const [x, y] = [i >> 8, i & 255];
      resolver.answer(name, `9.${x}.${y}.1`, `9.${x}.${y}.2`, `2606:4700::${x}:${y}:1`, `2606:4700::${x}:${y}:2`);
    }
    files.put('/a.list', names.join('\n'));
    const path = join(folder, 'large.db');
    const checks = { check: () => Promise.resolve({ kind: 'ok' } as const) };
    const ports = { files, resolver, checks };
    const settings = {
      lists: ['/a.list'],
      timers: contractTimers,
      limits: contractLimits,
      defaultPolicy: policy('af-all'),
      resolveTimeout: 1000,
      filterAddresses: true,
    };
    const { signal } = new AbortController();
    const timed = async <Result>(what: string, work: () => Promise<Result> | Result): Promise<Result> => {
      const start = process.cpuUsage();
      const result = await work();
      const { user, system } = process.cpuUsage(start);
      t.diagnostic(`${what}: ${Math.round((user + system) / 1000)} ms of CPU`);
      return result;
    };
    const store = StateStore.open({ store: new SqliteStore(), path, clock: systemClock });
    const all = { now: 1_000_000, forced: true, limits: { iterHosts: 2 ** 32, iterAddrs: 2 ** 32 } };
    const first = await timed('first pass, all forced', () => runPass(ports, store, settings, all, signal));
    assert.deepEqual([first.resolved.length, first.checked.length, first.updates.length], [10_000, 40_000, 40_000]);
    const next = { now: 1_000_500, forced: false };
    const second = await timed('scheduling pass', () => runPass(ports, store, settings, next, signal));
    assert.deepEqual([second.resolved.length, second.checked.length], [9, 0]);
    store.close();
    const again = await timed('start', () => StateStore.open({ store: new SqliteStore(), path, clock: systemClock }));
    const lines = await timed('policy', () => policyLines(again.state, settings.defaultPolicy));
    assert.equal(lines.length, 40_000);
    again.close();
  });
});
