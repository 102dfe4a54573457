/** The stories of bench/reaction under the original's timers: the passes' own decisions, every four minutes of virtual time. */
import { type DecideSettings, decide } from '../src/nbrpc/decide.ts';
import type { ListReading } from '../src/nbrpc/lists.ts';
import type { Policy } from '../src/nbrpc/policy-spec.ts';
import { dueAddresses, dueHosts } from '../src/nbrpc/schedule.ts';
import { contractLimits, contractTimers } from '../src/nbrpc/settings.ts';
import { State } from '../src/nbrpc/state.ts';
import type { Record } from './_reaction-record.ts';
import { addressesOfHost, end, type World } from './_reaction-stories.ts';

/** `-i checks`, the contract's default. */
const passInterval = 240;
/** Wall clock of the start: times before a day after 1970 would look as if never. */
const epoch = 1_000_000_000;
const check = { type: 'https', path: '/', result: '' };
const names = Array.from({ length: addressesOfHost }, (_, i) => `192.0.2.${i}`);

export function runOriginal(hosts: number, world: World, record: Record, policy: Policy): void {
  const settings: DecideSettings = { timers: contractTimers, limits: contractLimits, defaultPolicy: policy };
  const state = new State();
  const number = (name: string): number => Number(name.slice(4));
  const entries = new Map(
    Array.from({ length: hosts }, (_, i) => [`host${i}`, { host: `host${i}`, check, policy: '' }] as const),
  );
  let list: ListReading = { path: '/a.list', kind: 'version', mtime: 1, entries, remarks: [] };
  for (let at = 0; at < end; at += passInterval) {
    const now = epoch + at;
    const due = { now, forced: false };
    const resolved = dueHosts(state, {
      ...due,
      interval: contractTimers.hostAddrs,
      limit: contractLimits.iterHosts,
    }).map(({ record: { name } }) => ({ host: name, addresses: names }));
    const checked = dueAddresses(state, {
      ...due,
      interval: contractTimers.addrState,
      limit: contractLimits.iterAddrs,
    }).map(({ entry, address: { address } }) => {
      record.request(at, false);
      const { ok } = world.check(number(entry.record.name), names.indexOf(address), 'direct', at);
      const result = ok ? ({ kind: 'ok' } as const) : ({ kind: 'fail', reason: 'timeout on connect' } as const);
      return { host: entry.record.name, address, check, result };
    });
    const inputs = { now, counted: now, lists: [list], resolved, checked, graceless: false };
    const decision = decide(state, settings, inputs);
    list = { path: '/a.list', kind: 'unchanged' };
    state.adopt(decision.changes);
    for (const { host, to } of decision.hostMoves) record.route(number(host), to === 'na', at);
  }
}
