/** Names in their turn: new ones at once, of all others never more than an even share at a time (pure). */
import { needsProbe } from '../no-probe.ts';
import { dueHosts } from '../schedule.ts';
import type { HostEntry, State } from '../state.ts';
import { part } from '../state-part.ts';

/** Milliseconds between two turns of names that are due. */
export const nameGap = 15_000;
/** New names that are asked for in one turn, so that the first of a long list need not wait for the last. */
const mostFresh = 256;

export interface NameTurn {
  readonly due: readonly HostEntry[];
  /** There are more new ones: another turn should follow at once. */
  readonly more: boolean;
}

/**
 * `now`: seconds since the epoch; `interval`: seconds from one answer for a name to the next question. `working`: the own side does;
 * without it those alone are due that need no check.
 */
export function nameTurn(state: State, now: number, interval: number, working: boolean): NameTurn {
  const view = part(state, ({ record }) => working || !needsProbe(record.check));
  const due = dueHosts(view, { now, forced: false, rewound: true, interval, limit: state.size });
  const known = due.filter(({ record }) => record.checked !== 0);
  const fresh = due.filter(({ record }) => record.checked === 0);
  const share = 1 + Math.ceil((1.5 * state.size * nameGap) / Math.max(nameGap, interval * 1000));
  return { due: [...fresh.slice(0, mostFresh), ...known.slice(0, share)], more: fresh.length > mostFresh };
}
