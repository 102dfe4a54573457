/** The prompt schedule's state machine of one address: what results make of it, and when it is to be asked again (pure). */
import type { Tri } from '../model.ts';
import { type Activity, changed, intervalOf, onGrid } from './interval.ts';
import type { PromptSettings } from './settings.ts';
import { firstFailure, freshStart, gapOf, isDown, type Outcome, progress, type Suspicion } from './suspicion.ts';

export type Route = 'direct' | 'exit';
export type Verdict = 'unknown' | 'works' | 'blocked';

/** `at`: seconds of a clock that neither jumps nor goes back. Of one that did, an earlier moment counts as the newest known. */
export type PromptEvent =
  | { readonly kind: 'checked'; readonly route: Route; readonly outcome: Outcome; readonly at: number }
  /**
   * The own side did not work, or this process was frozen, up to this moment: no failure before it counts any more, nor does
   * the time, and nothing that was asked before is to be told afterwards.
   */
  | { readonly kind: 'void'; readonly at: number };

/** A blocked address that works again. */
interface Recovery {
  readonly since: number;
  readonly oks: number;
  /** Failures since then. */
  readonly doubts: number;
  /** The newest check failed: it is asked again soon. */
  readonly doubted: boolean;
}

interface Known {
  readonly verdict: Verdict;
  /** The newest event. */
  readonly at: number;
  /** What intervals are counted from: when it was last asked over the direct route, or a round ended. */
  readonly from: number;
  /** Never asked over the direct route, or not since a void: due at its place of the grid, however soon that is. */
  readonly fresh: boolean;
  /** Of an address that is not blocked. */
  readonly suspicion: Suspicion | null;
  /** Of one that is. */
  readonly recovery: Recovery | null;
  readonly activity: Activity;
}

/** All results of one moment, as their order says nothing. */
interface Instant {
  readonly at: number;
  readonly direct: Outcome | null;
  readonly exit: Outcome | null;
  readonly isVoid: boolean;
}

/** Plain values. */
export interface PromptState {
  /** The address's place in each interval, in [0, 1): placeOf(). */
  readonly place: number;
  /** Before the newest instant, the instant, and what is known with it. */
  readonly before: Known;
  readonly instant: Instant;
  readonly now: Known;
}

/** What another run can go on with. */
export type SavedPromptState = Pick<PromptState, 'place' | 'now'>;

/** An address that is not known yet, or just by what others have said of it. `at`: seconds. */
export function promptState(place: number, at: number, verdict: Verdict = 'unknown'): PromptState {
  const now: Known = {
    verdict,
    at,
    from: at,
    fresh: true,
    suspicion: null,
    recovery: null,
    activity: { count: 0, at },
  };
  return { place, before: now, instant: empty(at), now };
}

function empty(at: number): Instant {
  return { at, direct: null, exit: null, isVoid: false };
}

/** The order of events of one moment does not matter; before all of them were told, what they decide may be taken back. */
export function step(state: PromptState, event: PromptEvent, settings: PromptSettings): PromptState {
  const { place } = state;
  const later = event.at > state.instant.at;
  const before = later ? state.now : state.before;
  const instant = merged(later ? empty(event.at) : state.instant, event);
  return { place, before, instant, now: known(before, instant, settings) };
}

function merged(instant: Instant, event: PromptEvent): Instant {
  if (event.kind === 'void') return { ...instant, isVoid: true };
  const { route, outcome } = event;
  if (route === 'exit') return { ...instant, exit: better(instant.exit, outcome) };
  return { ...instant, direct: better(instant.direct, outcome) };
}

/** Of two results of a moment, the one that works says that it works. */
function better(a: Outcome | null, b: Outcome): Outcome {
  if (a === 'ok' || b === 'ok') return 'ok';
  return a === 'fail' || b === 'fail' ? 'fail' : 'unsure';
}

function known(before: Known, instant: Instant, settings: PromptSettings): Known {
  const { at, direct, exit } = instant;
  if (instant.isVoid) return voided(before, at);
  const heard: Known = direct === null ? { ...before, at } : { ...before, at, from: at, fresh: false };
  if (before.verdict === 'blocked') return direct === null ? heard : recovered(heard, direct, settings);
  if (before.suspicion === null) {
    if (direct === 'ok') return { ...heard, verdict: 'works' };
    return direct === 'fail' ? { ...heard, suspicion: firstFailure } : heard;
  }
  const result = progress(before.suspicion, direct, exit, at, settings);
  switch (result.kind) {
    case 'open':
      return { ...heard, from: before.from, suspicion: result.suspicion };
    case 'ended':
      return { ...heard, from: at, suspicion: result.suspicion };
    case 'cleared':
      return { ...heard, verdict: 'works', suspicion: null };
    case 'blocked':
      return moved({ ...heard, from: at, suspicion: null }, 'blocked', settings);
  }
}

function moved(now: Known, verdict: Verdict, { memory }: PromptSettings): Known {
  return { ...now, verdict, activity: changed(now.activity, now.at, memory) };
}

function voided(before: Known, at: number): Known {
  const { suspicion, recovery } = before;
  const lost = at - before.at;
  return {
    ...before,
    at,
    from: at,
    fresh: true,
    suspicion: suspicion === null ? null : freshStart,
    recovery: recovery === null ? null : { ...recovery, since: recovery.since + lost, doubted: false },
  };
}

function recovered(now: Known, direct: Outcome, settings: PromptSettings): Known {
  const { recovery, at } = now;
  if (direct === 'unsure') return now;
  if (direct === 'fail') {
    if (recovery === null) return now;
    const doubts = recovery.doubts + 1;
    return { ...now, recovery: doubts > settings.releaseDoubts ? null : { ...recovery, doubts, doubted: true } };
  }
  const { since = at, oks = 0, doubts = 0 } = recovery ?? {};
  if (at - since >= settings.releaseAfter && oks + 1 >= settings.releaseChecks) {
    return moved({ ...now, recovery: null }, 'works', settings);
  }
  return { ...now, recovery: { since, oks: oks + 1, doubts, doubted: false } };
}

export function verdictOf({ now }: PromptState): Verdict {
  return now.verdict;
}

/** As a vote for a policy: null as long as it was never decided. */
export function triOfPrompt({ now }: SavedPromptState): Tri {
  return now.verdict === 'unknown' ? null : now.verdict === 'works';
}

/**
 * For a state of another run: `at` is a moment of this run's clock, and what lies between the two runs is void. What was
 * changed so long ago, or works again for so long, keeps its age.
 */
export function resumed({ place, now }: SavedPromptState, at: number, settings: PromptSettings): PromptState {
  const shift = at - now.at;
  const { recovery, activity } = now;
  const moved: Known = {
    ...now,
    at,
    from: now.from + shift,
    recovery: recovery === null ? null : { ...recovery, since: recovery.since + shift },
    activity: { ...activity, at: activity.at + shift },
  };
  return step({ place, before: moved, instant: empty(at), now: moved }, { kind: 'void', at }, settings);
}

/** It fails on both routes, and says nothing about either. */
export function isDownEverywhere({ now }: PromptState): boolean {
  return now.suspicion !== null && isDown(now.suspicion);
}

/** It has failed more often than chance makes likely, and is asked again within a minute. */
export function isSuspected({ now }: PromptState, settings: PromptSettings): boolean {
  return now.suspicion !== null && now.suspicion.tries >= settings.tries;
}

/** It was asked over the direct route since it is known, or since the last void. */
export function wasAsked({ now }: PromptState): boolean {
  return !now.fresh;
}

/** It works, and nothing speaks against it. */
export function isWell({ now }: PromptState): boolean {
  return now.verdict === 'works' && now.suspicion === null;
}

/** Whether a failure would change nothing: it is blocked, and does not seem to work again. */
export function failureExpected({ now }: PromptState): boolean {
  return now.verdict === 'blocked' && now.recovery === null;
}

/** Seconds from one regular check to the next, between `least` and `most`. */
export function regularInterval({ now }: PromptState, settings: PromptSettings): number {
  return intervalNow(now, settings);
}

function intervalNow(now: Known, settings: PromptSettings): number {
  if (now.verdict !== 'blocked') return intervalOf(now.activity, now.at, settings);
  return Math.max(
    settings.least,
    Math.min(settings.most, now.recovery === null ? settings.blocked : settings.recovering),
  );
}

/** When each route is to be asked next, in seconds; exit null: not until something fails. */
export interface DueTimes {
  readonly direct: number;
  readonly exit: number | null;
  /** It fails, or seems to: asked within a minute, ahead of all regular checks. */
  readonly pressing: boolean;
}

/** Whoever asks takes care to ask no route of an address while an earlier check of it is under way. */
export function dueTimes({ now, place }: PromptState, settings: PromptSettings): DueTimes {
  const { from, suspicion, recovery } = now;
  if (suspicion !== null) {
    const next = from + gapOf(suspicion, now.at, place, settings);
    // The other route's result is awaited; should it be lost, there is another round a minute later.
    const later = next + 60;
    return {
      direct: suspicion.direct === null ? next : later,
      exit: !settings.exit ? null : suspicion.exit === null ? next : later,
      pressing: true,
    };
  }
  if (recovery?.doubted) return { direct: from + settings.again * (1 + place / 4), exit: null, pressing: true };
  return { direct: regular(now, place, settings), exit: null, pressing: false };
}

function regular(now: Known, place: number, settings: PromptSettings): number {
  const { from, fresh, verdict, recovery } = now;
  const interval = intervalNow(now, settings);
  if (fresh) return onGrid(from, interval, place);
  const wish = onGrid(from + interval / 2, interval, place);
  const most = verdict === 'blocked' ? Math.min(settings.most, settings.blocked) : settings.most;
  const released = recovery === null ? Number.POSITIVE_INFINITY : recovery.since + settings.releaseAfter;
  return Math.max(from + settings.least, Math.min(from + most, wish, released));
}
