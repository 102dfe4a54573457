/** How long netsteward took to change a route, as measured: from the first check that told, to the kernel having it so (pure). */

/**
 * `reroute`: from the first failed check of a service. `release`: from the first good direct check of one that is routed around.
 * `fail-over`: from the first check that failed through the exit that is left. Each until the kernel holds the new route.
 */
export type ReactionKind = 'reroute' | 'release' | 'fail-over';

export const reactionKinds: readonly ReactionKind[] = ['reroute', 'release', 'fail-over'];

/** Upper ends of the classes, seconds. */
export const reactionBounds: readonly number[] = [30, 60, 120, 180, 300, 600, 900, 1800, 3600];

export interface Reaction {
  /** When the kernel had it, milliseconds since the epoch. */
  readonly at: number;
  readonly kind: ReactionKind;
  readonly host: string;
  /** Seconds. */
  readonly took: number;
}

export interface ReactionSummary {
  /** Since the start. */
  readonly count: number;
  /** Seconds, of the newest `mostTimes`; null where there is none. */
  readonly median: number | null;
  readonly worst: number | null;
  /** Since the start: by `reactionBounds`, with one more class for those above all; and seconds of all together. */
  readonly classes: readonly number[];
  readonly sum: number;
}

export interface ReactionsStatus {
  readonly byKind: Readonly<Record<ReactionKind, ReactionSummary>>;
  /** The newest first. */
  readonly last: readonly Reaction[];
}

/** Of each kind: those that median and worst are of. */
export const mostTimes = 100;
/** That are shown one by one. */
const mostLast = 10;

interface Known {
  readonly times: number[];
  readonly classes: number[];
  count: number;
  sum: number;
}

/** Pure but for its own memory. */
export class ReactionTimes {
  readonly #known = new Map<ReactionKind, Known>(
    reactionKinds.map((kind) => [kind, { times: [], classes: [0, ...reactionBounds.map(() => 0)], count: 0, sum: 0 }]),
  );
  #last: readonly Reaction[] = [];

  add(reaction: Reaction): void {
    const { kind, took } = reaction;
    const known = this.#known.get(kind);
    if (known === undefined) return;
    const above = reactionBounds.findIndex((bound) => took <= bound);
    const index = above < 0 ? reactionBounds.length : above;
    known.classes[index] = (known.classes[index] ?? 0) + 1;
    known.count += 1;
    known.sum += took;
    known.times.push(took);
    if (known.times.length > mostTimes) known.times.shift();
    this.#last = [reaction, ...this.#last].slice(0, mostLast);
  }

  get told(): ReactionsStatus {
    return {
      byKind: {
        reroute: this.#summary('reroute'),
        release: this.#summary('release'),
        'fail-over': this.#summary('fail-over'),
      },
      last: this.#last,
    };
  }

  #summary(kind: ReactionKind): ReactionSummary {
    const { times = [], classes = [], count = 0, sum = 0 } = this.#known.get(kind) ?? {};
    const sorted = [...times].sort((a, b) => a - b);
    return {
      count,
      median: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
      worst: sorted.at(-1) ?? null,
      classes: [...classes],
      sum,
    };
  }
}
