/** A process that the tests kill: it decides and saves passes as fast as it can, telling each one that is saved. */

import { systemClock } from '../../../src/core/clock.ts';
import { decide } from '../../../src/nbrpc/decide.ts';
import type { ListEntry } from '../../../src/nbrpc/model.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import { policy } from './build-state.ts';

const [, , path = '', first = '1'] = process.argv;
const store = StateStore.open({ store: new SqliteStore(), path, clock: systemClock });
const check = { type: 'https', path: '/', result: '' };
const settings = { timers: contractTimers, limits: contractLimits, defaultPolicy: policy('af-all') };
for (let now = Number(first); ; now++) {
  // Each pass replaces the one host by another, with one address of the same number.
  const host = `h${now}`;
  const entries = new Map<string, ListEntry>([[host, { host, check, policy: '' }]]);
  const address = `1.${(now >> 16) & 255}.${(now >> 8) & 255}.${now & 255}`;
  await store.commit((state) =>
    decide(state, settings, {
      now,
      counted: now,
      lists: [{ path: '/a.list', kind: 'version', mtime: now, entries, remarks: [] }],
      resolved: [{ host, addresses: [address] }],
      checked: [{ host, address, check, result: { kind: 'fail', reason: 'x'.repeat(3000) } }],
      graceless: false,
    }),
  );
  process.stdout.write(`${now}\n`);
}
