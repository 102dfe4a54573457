/** When an address is to be asked next, over the direct route and through exits (pure). */
import { type ExitView, isDoubted, viewTri } from '../exit-choice.ts';
import { dueTimes, regularInterval, verdictOf, wasAsked } from './address.ts';
import type { Live } from './live.ts';
import type { PromptSettings } from './settings.ts';

/** Seconds of the monotonic clock. */
export interface Plan {
  readonly direct: number;
  readonly exits: { readonly at: number; readonly names: readonly string[] } | null;
  /** Ahead of all regular checks. */
  readonly pressing: boolean;
  /** Seconds from one regular check to the next, on whatever route. */
  readonly interval: number;
}

export interface Surroundings {
  /** Exits that can be asked for it. */
  readonly exits: readonly string[];
  /** The one that its service takes; undefined or empty: none. */
  readonly current: string | undefined;
  /** How many addresses of the service are blocked, with this one. */
  readonly blocked: number;
  /** When exits were last asked, whatever came of it. */
  readonly exitsAsked: number;
  /** How many addresses wait for their very first check, with this one. */
  readonly newcomers: number;
}

export function planOf({ state, exits }: Live, around: Surroundings, settings: PromptSettings): Plan {
  const due = dueTimes(state, settings);
  const interval = regularInterval(state, settings);
  const verdict = verdictOf(state);
  if (due.exit !== null) {
    return { direct: due.direct, exits: { at: due.exit, names: around.exits }, pressing: due.pressing, interval };
  }
  if (verdict === 'unknown' && !wasAsked(state)) {
    // A list that is new is asked within minutes, a host that is new at once.
    const spread = Math.min(settings.most / 2, around.newcomers / 4);
    return { direct: state.now.from + state.place * spread, exits: null, pressing: true, interval };
  }
  const way = verdict === 'blocked' ? exitPlan(state.place, exits, around, settings) : null;
  if (way === null) return { direct: due.direct, exits: null, pressing: due.pressing, interval };
  const { pressing, interval: through, ...asked } = way;
  const both = 1 / (1 / interval + 1 / through);
  return { direct: due.direct, exits: asked, pressing: due.pressing || pressing, interval: both };
}

/**
 * A blocked address is asked through its exit as often as one that works is asked directly, or half as often where others of the
 * service are asked too; where that fails, through all of them, and soon.
 */
function exitPlan(
  place: number,
  views: Live['exits'],
  { exits, current, blocked, exitsAsked }: Surroundings,
  { again, slowly, most }: PromptSettings,
) {
  if (exits.length === 0) return null;
  const interval = most * Math.min(2, blocked);
  const view = current === undefined ? undefined : views[current];
  const last = (of: readonly (ExitView | undefined)[]): number =>
    of.reduce((latest, each) => Math.max(latest, each?.at ?? exitsAsked), exitsAsked);
  if (current === undefined || !exits.includes(current) || viewTri(view) === false) {
    const all = exits.map((name) => views[name]);
    const latest = last(all);
    // Less and less, as of what is down everywhere.
    const since = all.reduce((sum, each) => Math.max(sum, each?.since ?? 0), 0);
    const gap = Math.min(most, Math.max(slowly * (1 + place / 4), (latest - since) / 60));
    return { at: latest + gap, names: exits, pressing: true, interval };
  }
  if (isDoubted(view)) return { at: last([view]) + again * (1 + place / 4), names: exits, pressing: true, interval };
  return { at: last([view]) + interval, names: [current], pressing: false, interval };
}
