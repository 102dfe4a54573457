/** The watchdog of one resolver: from what a check came to, to what is done next (pure). */
import { blameOf, type CheckFailure, type CheckResult } from './check-result.ts';
import { type CheckTimes, type Continuous, type FailedHow, type Rhythm, steady, step } from './continuous.ts';
import { foot, type Ladder, type Patience, turn, well } from './ladder.ts';

export interface WatchSettings extends Rhythm, Patience {
  /** How many cures there are. */
  readonly cures: number;
  /**
   * Milliseconds after the network or the test zone was down in which silence and SERVFAIL say nothing: resolvers remember for a
   * while which servers were dead (unbound.conf(5), infra-host-ttl).
   */
  readonly grace: number;
}

/**
 * What a check says of the resolver. `excused`: nothing, because something else is broken: the network, the zone's own server
 * (or one of them was until a moment ago: `memory`), or this machine.
 */
export type Verdict =
  | { readonly kind: 'good' }
  | { readonly kind: 'bad'; readonly failure: CheckFailure }
  | { readonly kind: 'excused'; readonly cause: Excuse; readonly text: string };

export type Excuse = 'network' | 'zone' | 'memory' | 'local';

const mayBeMemory = ({ kind }: CheckFailure): boolean => kind === 'timeout' || kind === 'servfail';

export interface WatchState {
  readonly rhythm: Continuous;
  readonly ladder: Ladder;
  /** Undefined: the resolver is not held to be broken. */
  readonly failing: { readonly since: number; readonly how: FailedHow; readonly failure: CheckFailure } | undefined;
  /** Why the last check says nothing. */
  readonly excused: { readonly cause: Excuse; readonly text: string } | undefined;
  /** When a check last said that the network or the test zone is down, with none that was good since. */
  readonly downAt: number | undefined;
  /** Good checks in a row. */
  readonly goodInARow: number;
  /** The cure that was tried since the last check, which that check verifies. */
  readonly trying: number | undefined;
}

/** `event`: what has changed with it. */
export interface Decision {
  readonly state: WatchState;
  readonly event: 'failed' | 'recovered' | 'cured' | undefined;
  /** `rest`: the resolver fails, and no cure is due before `until`; it is checked on all the same. */
  readonly next:
    | { readonly kind: 'check'; readonly at: number }
    | { readonly kind: 'cure'; readonly index: number }
    | { readonly kind: 'rest'; readonly until: number; readonly at: number };
}

export const newWatch: WatchState = {
  rhythm: steady,
  ladder: foot,
  failing: undefined,
  excused: undefined,
  downAt: undefined,
  goodInARow: 0,
  trying: undefined,
};

/** After a check that was begun at `begun` and ended at `now`. */
export function afterCheck(
  state: WatchState,
  verdict: Verdict,
  now: number,
  settings: WatchSettings,
  begun: number = now,
): Decision {
  const before = { ...state, trying: undefined };
  if (verdict.kind === 'excused') {
    const downAt = verdict.cause === 'local' ? before.downAt : now;
    return afterNothing({ ...before, downAt }, verdict, now, settings);
  }
  const { downAt } = before;
  if (verdict.kind === 'bad' && mayBeMemory(verdict.failure) && downAt !== undefined && now - downAt < settings.grace) {
    const text = `it may still remember what was down a moment ago (${verdict.failure.text})`;
    return afterNothing(before, { kind: 'excused', cause: 'memory', text }, now, settings);
  }
  const good = verdict.kind === 'good';
  const goodInARow = good ? before.goodInARow + 1 : 0;
  const ladder = good ? well(before.ladder, now) : before.ladder;
  const next: WatchState = { ...before, excused: undefined, downAt: good ? undefined : downAt, goodInARow, ladder };
  if (verdict.kind === 'bad') return afterBad(next, verdict.failure, { begun, now }, settings);
  if (next.failing !== undefined) {
    // The check that verifies a cure, or one during a rest: a relapse goes on in the ladder where it is.
    const event = state.trying === undefined ? 'recovered' : 'cured';
    const mended = { ...next, failing: undefined, rhythm: steady };
    return { state: mended, event, next: { kind: 'check', at: now + settings.interval } };
  }
  const { state: rhythm, next: due } = step(next.rhythm, true, { begun, now }, settings);
  if ('failed' in due) throw new Error('a good check is no failure');
  return { state: { ...next, rhythm }, event: undefined, next: { kind: 'check', at: due.checkAt } };
}

/** A cure ended, whatever came of it; the check that verifies it is due after `settle` (milliseconds). */
export function afterCure(state: WatchState, index: number, now: number, settle: number): Decision {
  return { state: { ...state, trying: index }, event: undefined, next: { kind: 'check', at: now + settle } };
}

function afterBad(state: WatchState, failure: CheckFailure, at: CheckTimes, settings: WatchSettings): Decision {
  const { failing } = state;
  const { now } = at;
  if (failing !== undefined) return act({ ...state, failing: { ...failing, failure } }, undefined, now, settings);
  const { state: rhythm, next } = step(state.rhythm, false, at, settings);
  if ('checkAt' in next) {
    return { state: { ...state, rhythm }, event: undefined, next: { kind: 'check', at: next.checkAt } };
  }
  return act({ ...state, rhythm, failing: { since: now, how: next.failed, failure } }, 'failed', now, settings);
}

function act(state: WatchState, event: Decision['event'], now: number, settings: WatchSettings): Decision {
  const { ladder, turn: due } = turn(state.ladder, settings.cures, now, settings);
  const next = { ...state, ladder };
  if ('cure' in due) return { state: next, event, next: { kind: 'cure', index: due.cure } };
  const at = Math.min(now + settings.interval, Math.max(now, due.rest));
  return { state: next, event, next: { kind: 'rest', until: due.rest, at } };
}

/** What was in doubt begins anew when checks say something again: what came before may have had the same cause. */
function afterNothing(
  state: WatchState,
  { cause, text }: Extract<Verdict, { kind: 'excused' }>,
  now: number,
  { interval }: WatchSettings,
): Decision {
  const next = { ...state, rhythm: steady, excused: { cause, text }, goodInARow: 0 };
  return { state: next, event: undefined, next: { kind: 'check', at: now + interval } };
}

/** What a check says, as far as it can be told without asking the guard; `ask`: only if the network is up. */
export function firstVerdict(result: CheckResult): Verdict | { readonly kind: 'ask'; readonly failure: CheckFailure } {
  const { failure } = result;
  if (failure === undefined) return { kind: 'good' };
  const blame = blameOf(result);
  if (blame === 'local') return { kind: 'excused', cause: 'local', text: failure.text };
  if (blame === 'zone') {
    const text = `the zone’s own server does not give the right answer either (${failure.text})`;
    return { kind: 'excused', cause: 'zone', text };
  }
  return { kind: 'ask', failure };
}
