/** Passes with made-up outcomes, for tests of the state file. */
import { type Decision, decide } from '../../../src/nbrpc/decide.ts';
import type { ListReading } from '../../../src/nbrpc/lists.ts';
import type { CheckResult, ListEntry } from '../../../src/nbrpc/model.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import type { State } from '../../../src/nbrpc/state.ts';
import { policy } from './build-state.ts';

const settings = { timers: contractTimers, limits: contractLimits, defaultPolicy: policy('af-all') };
export const check = { type: 'https', path: '/x', result: '200' };

function list(...names: string[]): ListReading {
  const entries = new Map(names.map((host): [string, ListEntry] => [host, { host, check, policy: 'pick.6' }]));
  return { path: '/etc/my "list"', kind: 'version', mtime: 1767225600.125, entries, remarks: [] };
}

/** For commit(): a list of these hosts, each at two addresses, of which the first one was checked. */
export function pass(now: number, names: readonly string[], result: CheckResult): (state: State) => Decision {
  return (state) =>
    decide(state, settings, {
      now,
      counted: now,
      lists: [list(...names)],
      resolved: names.map((host) => ({ host, addresses: ['1.1.1.1', '2606:4700::1111'] })),
      checked: names.map((host) => ({ host, address: '1.1.1.1', check, result })),
      graceless: false,
    });
}

/** All of it, to be compared. */
export const snapshot = (state: State): unknown => ({
  hosts: [...state.hosts()].map(({ record, addresses }) => [record, [...addresses.values()]]),
  lists: [...state.lists().values()].map((one) => [one, [...one.entries.values()]]),
});
