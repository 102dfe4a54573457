/** Which of several ways around a service takes: the preferred one at first, kept while it works, another when it dies (pure). */
import type { Tri } from './model.ts';
import { type Cause, noCause } from './reason.ts';
import { causeSentence } from './reason-text.ts';
import type { StateView } from './state.ts';

/** What one exit said of one address. */
export interface ExitView {
  /** The newest results, the newest last. */
  readonly results: readonly boolean[];
  /** Seconds: when the newest result came, and since when they say what they say. */
  readonly at: number;
  readonly since: number;
  /** Why it failed when it was last asked; empty where it did not. */
  readonly reason: string;
  /** How it failed then; absent where it did not, or where nobody knows more than the reason says. */
  readonly cause?: Cause;
}

/** Why it failed when it was last asked, for people; empty where it did not. */
export function viewReason({ reason, cause = noCause }: ExitView): string {
  return causeSentence(cause) || reason;
}

/** So many of the last so many results decide: one or two are chance. */
const rounds = 4;
const confirmations = 3;

export function viewTri(view: ExitView | undefined): Tri {
  if (view === undefined) return null;
  const { results } = view;
  if (results.filter((works) => !works).length >= confirmations) return false;
  return results.includes(true) ? true : null;
}

/** The newest result speaks against what all of them say: it is asked again soon. */
export function isDoubted(view: ExitView | undefined): boolean {
  return view !== undefined && view.results.at(-1) === false && viewTri(view) !== false;
}

/** One more result; `cause`: of a failure. */
export function seen(
  before: ExitView | undefined,
  works: boolean,
  reason: string,
  at: number,
  cause: Cause = noCause,
): ExitView {
  const results = [...(before?.results ?? []), works].slice(-rounds);
  const next = { results, at, since: at, reason, ...(cause.kind === 'none' ? {} : { cause }) };
  return before !== undefined && viewTri(before) === viewTri(next) ? { ...next, since: before.since } : next;
}

/** After a time in which no failure counted; `at`: from now on, by the clock of this run. */
export function unfailed(view: ExitView, at: number): ExitView {
  return { results: view.results.filter((works) => works), at, since: at, reason: '' };
}

/** By exit, of one address. */
export type ExitViews = Readonly<Record<string, ExitView>>;

/**
 * Of one exit for one service. `partly`: some of its addresses fail there that work through another one. What fails through
 * every exit says nothing of any.
 */
export type ExitStanding = 'works' | 'partly' | 'unknown' | 'fails';

export function standingOf(exit: string, addresses: Iterable<ExitViews>): ExitStanding {
  let works = 0;
  let worse = 0;
  let fails = 0;
  for (const views of addresses) {
    const tri = viewTri(views[exit]);
    if (tri === true) works += 1;
    if (tri !== false) continue;
    fails += 1;
    if (Object.values(views).some((other) => viewTri(other) === true)) worse += 1;
  }
  if (works > 0) return worse > 0 ? 'partly' : 'works';
  return fails > 0 ? 'fails' : 'unknown';
}

/**
 * Empty: none works. `exits`: in the preferred order, those alone that are not dead. `current`: the one that it has had; what is
 * not known of it is no reason to leave it, nor is a service that works nowhere.
 */
export function chooseExit(
  exits: readonly string[],
  current: string | undefined,
  standing: (exit: string) => ExitStanding,
): string {
  const known = new Map(exits.map((exit) => [exit, standing(exit)]));
  const first = (wanted: ExitStanding): string | undefined => exits.find((exit) => known.get(exit) === wanted);
  const now = current === undefined ? undefined : known.get(current);
  if (current === undefined || now === undefined) return first('works') ?? first('partly') ?? first('unknown') ?? '';
  if (now === 'works' || now === 'unknown') return current;
  const works = first('works');
  if (works !== undefined || now === 'partly') return works ?? current;
  return first('partly') ?? first('unknown') ?? current;
}

/**
 * Exits that help none of the services that they were asked for, while another one helps at least one of these; by name, with
 * how many services that are. Nothing follows from it but a word: each service leaves such an exit by itself.
 */
export function uselessExits(
  exits: readonly { readonly name: string }[],
  state: StateView,
): ReadonlyMap<string, number> {
  const fails = new Map<string, number>();
  const works = new Set<string>();
  for (const { addresses } of state.hosts()) {
    const views = [...addresses.values()].flatMap(({ prompt }) => (prompt === undefined ? [] : [prompt.exits]));
    const standings = exits.map(({ name }) => ({ name, standing: standingOf(name, views) }));
    const helped = standings.some(({ standing }) => standing === 'works');
    for (const { name, standing } of standings) {
      if (standing === 'works' || standing === 'partly') works.add(name);
      if (standing === 'fails' && helped) fails.set(name, 1 + (fails.get(name) ?? 0));
    }
  }
  for (const name of works) fails.delete(name);
  return fails;
}
