/** What is known of an address that fails, but is not blocked yet: rounds of asking it on both routes (pure). */
import type { PromptSettings } from './settings.ts';

/** What a check brought. Unsure: no result, or this machine could not even try. */
export type Outcome = 'ok' | 'fail' | 'unsure';

/** A round is one result of each route, in any order; `direct` is null or a failure, as a success ends the round at once. */
export interface Suspicion {
  /** Failures in a row over the direct route, until there are enough for rounds to count. */
  readonly tries: number;
  /** The newest rounds that counted, the newest last: whether each confirmed the block. */
  readonly window: readonly boolean[];
  /** Rounds that ended, for the pace. */
  readonly ended: number;
  /** Rounds in a row in which the direct route worked. */
  readonly oks: number;
  /** Rounds in a row in which both routes failed, and when the first of them ended. */
  readonly downs: number;
  readonly downSince: number | null;
  /** Of the round under way. */
  readonly direct: 'fail' | null;
  readonly exit: Outcome | null;
}

/** Successes in a row after which chance explains the failures. */
const enoughOks = 2;
/** Rounds in a row on which both routes fail before the service itself is taken to be down. */
const enoughDowns = 2;

/** After the first failure. */
export const firstFailure: Suspicion = {
  tries: 1,
  window: [],
  ended: 0,
  oks: 0,
  downs: 0,
  downSince: null,
  direct: null,
  exit: null,
};

/** Where nothing counts that came before: asked again soon, no failure held against it. */
export const freshStart: Suspicion = { ...firstFailure, tries: 0 };

export type Progress =
  /** The round is not over. */
  | { readonly kind: 'open'; readonly suspicion: Suspicion }
  /** It is, and the next one follows. */
  | { readonly kind: 'ended'; readonly suspicion: Suspicion }
  | { readonly kind: 'cleared' }
  | { readonly kind: 'blocked' };

/** The results of one instant, null where a route has none. */
export function progress(
  before: Suspicion,
  direct: Outcome | null,
  exit: Outcome | null,
  at: number,
  settings: PromptSettings,
): Progress {
  const now = {
    ...before,
    exit: exit ?? before.exit,
    direct: direct === 'fail' ? ('fail' as const) : before.direct,
  };
  if (direct === 'ok') return refuted(now, settings);
  if (direct === 'unsure') return { kind: 'ended', suspicion: { ...before, direct: null, exit: null } };
  if (now.direct === null || (now.exit === null && settings.exit)) return { kind: 'open', suspicion: now };
  return failed(now, at, settings);
}

function refuted(now: Suspicion, settings: PromptSettings): Progress {
  const oks = now.oks + 1;
  if (now.tries < settings.tries || oks >= enoughOks) return { kind: 'cleared' };
  const window = [...now.window, false].slice(-settings.rounds);
  return { kind: 'ended', suspicion: { ...next(now), window, oks, downs: 0, downSince: null } };
}

function failed(now: Suspicion, at: number, settings: PromptSettings): Progress {
  const exit = settings.exit ? now.exit : 'ok';
  const counts = now.tries >= settings.tries;
  const after = { ...next(now), oks: 0, tries: Math.min(settings.tries, now.tries + 1) };
  if (exit === 'unsure') return { kind: 'ended', suspicion: after };
  if (exit === 'fail') {
    const window = counts ? [...now.window, false].slice(-settings.rounds) : now.window;
    return {
      kind: 'ended',
      suspicion: { ...after, window, downs: now.downs + 1, downSince: now.downSince ?? at },
    };
  }
  // A service that comes back may come back for one route a moment sooner: that is no block, so all begins anew.
  if (now.downs >= enoughDowns) return { kind: 'ended', suspicion: { ...firstFailure, ended: after.ended } };
  const up = { ...after, downs: 0, downSince: null };
  if (!counts) return { kind: 'ended', suspicion: up };
  const window = [...now.window, true].slice(-settings.rounds);
  if (window.filter(Boolean).length >= settings.confirmations) return { kind: 'blocked' };
  return { kind: 'ended', suspicion: { ...up, window } };
}

function next(now: Suspicion): Suspicion {
  return { ...now, ended: now.ended + 1, direct: null, exit: null };
}

/** It fails on both routes: down for everybody, and no reason to reroute. */
export function isDown({ downs }: Suspicion): boolean {
  return downs >= enoughDowns;
}

/**
 * Seconds from one round to the next. Within a minute, but what has been down for more than an hour is asked less and less,
 * up to the longest interval.
 */
export function gapOf(suspicion: Suspicion, at: number, place: number, settings: PromptSettings): number {
  const { again, slowly, quickRounds, most } = settings;
  const spread = 1 + place / 4;
  if (isDown(suspicion)) {
    const down = at - (suspicion.downSince ?? at);
    return Math.min(most, Math.max(slowly * spread, down / 60));
  }
  return (suspicion.ended < quickRounds ? again : slowly) * spread;
}
