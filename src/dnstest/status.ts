/** The module's own picture for `netsteward status`: each resolver, how it answers, what was done to it (pure). */
import type { Clock } from '../core/clock.ts';
import { nameOf } from './cures.ts';
import type { Happening } from './history.ts';
import type { ResolverWatch } from './resolver-watch.ts';
import { latencyBounds } from './tally.ts';

/** Happenings that the picture has. */
const mostShown = 20;

export type ResolverPhase = 'unknown' | 'well' | 'doubtful' | 'failing' | 'not judged';

export interface ResolverEntry {
  readonly resolver: string;
  readonly phase: ResolverPhase;
  /** Wall clock, milliseconds: since when it fails. */
  readonly failingSince: number | null;
  /** Why it fails, or why it is not judged. */
  readonly reason: string | null;
  /** Of the last check: milliseconds. */
  readonly latency: number | null;
  readonly checks: number;
  /** Right answers by `bounds`, with one more for those above all. */
  readonly histogram: readonly number[];
  /** Milliseconds that right answers took, all together. */
  readonly sum: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly cures: readonly string[];
  /** How many of the cures were tried since it was calm. */
  readonly tried: number;
  /** Wall clock, milliseconds: no cure before this. */
  readonly restUntil: number | null;
  /** Files that lead to a fallback. */
  readonly switched: readonly string[];
}

export interface ServeEntry {
  readonly zones: readonly string[];
  /** Where it listens. */
  readonly at: readonly string[];
  /** Queries that were answered, by transport, and messages that were not. */
  readonly answered: Readonly<Record<'udp' | 'tcp', number>>;
  readonly silent: number;
}

/** JSON values only. */
export interface DnstestDetail {
  /** What is asked for; null: there are no resolvers. */
  readonly name: string | null;
  /** The test zone's server; null: there is none here. */
  readonly serve: ServeEntry | null;
  /** Upper bounds of the histogram's buckets, milliseconds. */
  readonly bounds: readonly number[];
  readonly resolvers: readonly ResolverEntry[];
  /** Newest last. */
  readonly history: readonly Happening[];
}

export function dnstestDetail(
  name: string | undefined,
  serve: ServeEntry | null,
  watches: readonly ResolverWatch[],
  history: readonly Happening[],
  clock: Clock,
): DnstestDetail {
  const wall = (monotonic: number | undefined): number | null =>
    monotonic === undefined ? null : Math.round(clock.now() - clock.monotonic() + monotonic);
  const resolvers = watches.map((watch): ResolverEntry => {
    const { label, state, tally, last, cures, switched } = watch;
    const { failing, excused, ladder } = state;
    return {
      resolver: label,
      phase: phaseOf(watch),
      failingSince: wall(failing?.since),
      reason: excused?.text ?? failing?.failure.text ?? null,
      latency: last === undefined ? null : Math.round(last.elapsed * 10) / 10,
      checks: tally.checks,
      histogram: tally.latency,
      sum: Math.round(tally.sum * 10) / 10,
      failures: tally.failures,
      cures: cures.map(nameOf),
      tried: ladder.next,
      restUntil: failing === undefined ? null : wall(ladder.restUntil),
      switched,
    };
  });
  return { name: name ?? null, serve, bounds: latencyBounds, resolvers, history: history.slice(-mostShown) };
}

function phaseOf({ state: { failing, excused, rhythm }, last }: ResolverWatch): ResolverPhase {
  if (excused !== undefined) return 'not judged';
  if (failing !== undefined) return 'failing';
  if (rhythm.phase === 'doubt') return 'doubtful';
  return last === undefined ? 'unknown' : 'well';
}
