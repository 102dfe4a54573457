/** One address under the prompt schedule in virtual time: asked when it is due, answered by a function of the time. */
import {
  dueTimes,
  type PromptState,
  promptState,
  type Route,
  step,
  type Verdict,
  verdictOf,
} from '../../../src/nbrpc/prompt/address.ts';
import type { PromptSettings } from '../../../src/nbrpc/prompt/settings.ts';
import type { Outcome } from '../../../src/nbrpc/prompt/suspicion.ts';

export interface Rehearsed {
  readonly state: PromptState;
  /** Each change of the verdict. */
  readonly moves: readonly { readonly at: number; readonly verdict: Verdict }[];
  readonly asked: readonly { readonly at: number; readonly route: Route }[];
}

/** Seconds. `took`: how long each check takes that brings this; no other one begins meanwhile. */
export function rehearse(
  settings: PromptSettings,
  truth: (route: Route, at: number) => Outcome,
  until: number,
  place = 0.5,
  took: (outcome: Outcome) => number = () => 0,
): Rehearsed {
  let state = promptState(place, 0);
  const moves: { at: number; verdict: Verdict }[] = [];
  const asked: { at: number; route: Route }[] = [];
  let free = 0;
  for (;;) {
    const due = dueTimes(state, settings);
    const at = Math.max(free, Math.min(due.direct, due.exit ?? Number.POSITIVE_INFINITY));
    if (at > until) return { state, moves, asked };
    const routes: Route[] = [];
    if (due.direct <= at) routes.push('direct');
    if (due.exit !== null && due.exit <= at) routes.push('exit');
    for (const route of routes) {
      asked.push({ at, route });
      const before = verdictOf(state);
      const outcome = truth(route, at);
      const known = at + took(outcome);
      free = Math.max(free, known);
      state = step(state, { kind: 'checked', route, outcome, at: known }, settings);
      if (verdictOf(state) !== before) moves.push({ at: known, verdict: verdictOf(state) });
    }
  }
}
