/** When it began, that what an address says now is otherwise: the moments that reaction times are counted from (pure). */
import type { ExitViews } from '../exit-choice.ts';
import type { Flip } from '../flips.ts';
import type { AddressMove } from '../updates.ts';
import { verdictOf } from './address.ts';
import type { ExitWatch } from './exit-watch.ts';
import type { Live, LiveStates } from './live.ts';

/** Moments are seconds of the monotonic clock, at which a check's result was known; null: there was none, or it does not count. */
export interface Onset {
  /** The first failed check over the direct route; kept while it is blocked. */
  readonly failing: number | null;
  /** The first good one of the recovery that is under way, or that was the last thing to happen. */
  readonly well: number | null;
  /** By exit: the first check that failed through it, since it last worked there. */
  readonly exits: Readonly<Record<string, number>>;
}

export const noOnset: Onset = { failing: null, well: null, exits: {} };

/** `before`: what was known; undefined: nothing. */
export function onsetAfter(onset: Onset, before: Live | undefined, after: Live): Onset {
  const [was, is] = [before?.state, after.state];
  const moved = was !== undefined && verdictOf(was) !== verdictOf(is);
  return {
    failing: failingAfter(onset, after),
    well: wellAfter(onset, before, after, moved),
    exits: exitsAfter(onset.exits, after.exits),
  };
}

function failingAfter({ failing }: Onset, { state: { now } }: Live): number | null {
  const { suspicion, verdict, at } = now;
  if (suspicion === null) return verdict === 'blocked' ? failing : null;
  // After a void it is asked again soon, and no failure is held against it yet.
  const failed = suspicion.tries > 0 || suspicion.direct === 'fail';
  return failing ?? (failed ? at : null);
}

function wellAfter({ well }: Onset, before: Live | undefined, { state }: Live, moved: boolean): number | null {
  const { verdict, recovery, suspicion } = state.now;
  if (verdict === 'blocked') return recovery?.since ?? null;
  if (suspicion !== null) return null;
  return moved ? (before?.state.now.recovery?.since ?? null) : well;
}

function exitsAfter(known: Onset['exits'], views: ExitViews): Onset['exits'] {
  const failing = Object.entries(views).filter(([, { results }]) => results.at(-1) === false);
  if (failing.length === 0) return noOnset.exits;
  return Object.fromEntries(failing.map(([name, { at }]) => [name, known[name] ?? at]));
}

/** No failure before counts any more. */
export function voidedOnset(onset: Onset, after: Live): Onset {
  const blocked = verdictOf(after.state) === 'blocked';
  return {
    ...onset,
    failing: blocked ? onset.failing : null,
    well: after.state.now.recovery?.since ?? null,
    exits: noOnset.exits,
  };
}

export interface Beginnings {
  readonly live: Pick<LiveStates, 'onset'>;
  readonly watch: Pick<ExitWatch, 'diedFrom'>;
  /** What changed its verdict at the same time as the flip was decided. */
  readonly moves: readonly AddressMove[];
}

/**
 * With the moment that its reaction time is counted from, where what made it is a check: a changed list or policy is not, nor
 * that an exit is there again for what had none.
 */
export function timed(flip: Flip, { live, watch, moves }: Beginnings): Flip {
  const { host, addresses, from, to, left } = flip;
  const onsets = addresses.map((address) => live.onset(host, address));
  const began = (kind: NonNullable<Flip['began']>['kind'], moments: readonly (number | null | undefined)[]): Flip => {
    const known = moments.filter((moment) => typeof moment === 'number');
    return known.length === 0 ? flip : { ...flip, began: { kind, at: Math.min(...known) } };
  };
  const decided = (works: boolean): boolean =>
    moves.some((move) => move.host === host && move.to === works && addresses.includes(move.address));
  if (from === 'tunnel' && to === 'tunnel') {
    if (left === undefined || left === '') return flip;
    const died = watch.diedFrom(left);
    return began('fail-over', died === null ? onsets.map(({ exits }) => exits[left]) : [died]);
  }
  if (to === 'tunnel' && left === undefined && decided(false)) {
    return began(
      'reroute',
      onsets.map(({ failing }) => failing),
    );
  }
  if (from === 'tunnel' && to === 'direct' && decided(true)) {
    return began(
      'release',
      onsets.map(({ well }) => well),
    );
  }
  return flip;
}
