/** A service's past: from events to intervals with the exit that was taken, and totals (pure). */
import type { NetstewardEvent } from '../core/events.ts';
import {
  type Period,
  presenceCodes,
  type ServiceInterval,
  type ServiceState,
  serviceIntervals,
  serviceStateCodes,
} from '../supervisor/history-strips.ts';

export type HistoryState = ServiceState;

export interface HistoryRow {
  /** Milliseconds since the epoch; `until` is not included. */
  readonly since: number;
  readonly until: number;
  readonly state: HistoryState;
  /** The exit that it took; empty where it took none, or there was but one, without a name. */
  readonly exit: string;
  readonly reason: string;
}

export interface HostHistory {
  readonly host: string;
  readonly since: number;
  readonly until: number;
  /** One after the other, without a gap. */
  readonly rows: readonly HistoryRow[];
  /** Those that it was in, the longest first. `part`: of the whole period, 0 to 1. */
  readonly totals: readonly { readonly state: HistoryState; readonly ms: number; readonly part: number }[];
  /** Changes of its route within the period. */
  readonly flips: number;
}

const routeCodes: readonly string[] = ['service-rerouted', 'service-direct', 'service-dropped'];

/** All that hostHistory() needs. */
export const historyCodes: readonly string[] = [...serviceStateCodes, ...presenceCodes];

/** `events`: of the host, and of netsteward's own coming and going; the oldest first, those before the period too. */
export function hostHistory(host: string, events: readonly NetstewardEvent[], period: Period): HostHistory {
  const { since, until } = period;
  const own = events.filter(({ subject, code }) => subject === host || presenceCodes.includes(code));
  const strip: readonly ServiceInterval[] = serviceIntervals(own, period).get(host) ?? [
    { from: since, to: until, state: 'unknown', reason: '' },
  ];
  const routes = own.filter(({ code, at }) => routeCodes.includes(code) && at < until);
  const rows = merged(strip.flatMap((interval) => cut(interval, routes)));
  const spent = new Map<HistoryState, number>();
  for (const row of rows) spent.set(row.state, (spent.get(row.state) ?? 0) + row.until - row.since);
  const whole = Math.max(1, until - since);
  const totals = [...spent].map(([state, ms]) => ({ state, ms, part: ms / whole })).sort((a, b) => b.ms - a.ms);
  return { host, since, until, rows, totals, flips: routes.filter(({ at }) => at >= since).length };
}

/** Strips know the exit not. */
function cut({ from, to, state, reason }: ServiceInterval, routes: readonly NetstewardEvent[]): readonly HistoryRow[] {
  const times = [from, ...routes.map(({ at }) => at).filter((at) => at > from && at < to), to];
  return times.slice(0, -1).map((since, index) => {
    const until = times[index + 1] ?? to;
    const route = routes.findLast(({ at }) => at <= since);
    const exit = state === 'tunnelled' ? (route?.fields.exit ?? '') : '';
    return { since, until, state, exit, reason };
  });
}

function merged(rows: readonly HistoryRow[]): readonly HistoryRow[] {
  const all: HistoryRow[] = [];
  for (const row of rows) {
    const last = all.at(-1);
    const same =
      last !== undefined && [last.state, last.exit, last.reason].join() === [row.state, row.exit, row.reason].join();
    if (row.until <= row.since) continue;
    if (same) all[all.length - 1] = { ...last, until: row.until };
    else all.push(row);
  }
  return all;
}
