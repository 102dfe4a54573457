/** What happens to the hosts of bench/reaction: blocks, outages of their own, and checks that fail by chance, all by a seed. */

export interface Span {
  /** Seconds from the start. */
  readonly from: number;
  readonly to: number;
  /** No answer, until the check's time-out; else a refusal at once. */
  readonly silent: boolean;
}

export interface Block extends Span {
  /** Indexes of the host's addresses. */
  readonly addresses: ReadonlySet<number>;
}

export interface Story {
  readonly blocks: readonly Block[];
  readonly outages: readonly Span[];
}

export const day = 86_400;
/** Stories happen within this; the days after it are for what follows from them. */
export const month = 30 * day;
export const end = month + 5 * day;
export const addressesOfHost = 4;

/** In [0, 1): mulberry32. */
export type Chance = () => number;

export function chance(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Between the ends of one story and the start of another: the reaction to each is told apart. */
const apart = 2 * 3600;

export function stories(hosts: number, seed: number): readonly Story[] {
  const random = chance(seed);
  return Array.from({ length: hosts }, () => {
    const blocks: Block[] = [];
    // One in ten days or so, from two hours to a week: as many short ones as long ones by their order of magnitude.
    for (let from = apart - 10 * day * Math.log(1 - random()); ; ) {
      const to = from + 2 * 3600 * 84 ** random();
      if (to > month) break;
      blocks.push({ from, to, silent: random() < 0.5, addresses: hit(random) });
      from = to + 4 * day - 6 * day * Math.log(1 - random());
    }
    const outages: Span[] = [];
    while (outages.length < 3) {
      const from = apart + random() * (month - 2 * apart);
      const to = from + 60 + random() * 3540;
      const near = (span: Span): boolean => from < span.to + apart && to > span.from - apart;
      if (![...blocks, ...outages].some(near)) outages.push({ from, to, silent: random() < 0.5 });
    }
    return { blocks, outages: outages.sort((a, b) => a.from - b.from) };
  });
}

/** Most blocks are by name, and hit every address; some hit a single one, or half of them. */
function hit(random: Chance): ReadonlySet<number> {
  const kind = random();
  const count = kind < 0.6 ? addressesOfHost : kind < 0.8 ? 2 : 1;
  const first = Math.floor(random() * addressesOfHost);
  return new Set(Array.from({ length: count }, (_, i) => (first + i) % addressesOfHost));
}

/** What one check finds, and how long it takes. */
export interface Found {
  readonly ok: boolean;
  /** Seconds. */
  readonly took: number;
}

const fine: Found = { ok: true, took: 0.3 };
const refused: Found = { ok: false, took: 0.1 };
/** The default time-out of a check. */
const silent: Found = { ok: false, took: 30 };
const chanceOfFailure = 0.01;

/** The hosts as checks see them. */
export class World {
  readonly #stories: readonly Story[];
  readonly #random: Chance;

  constructor(told: readonly Story[], seed: number) {
    this.#stories = told;
    this.#random = chance(seed);
  }

  /** One check that starts at `at`. */
  check(host: number, address: number, route: 'direct' | 'exit', at: number): Found {
    const story = this.#stories[host];
    if (story === undefined) return fine;
    for (const span of story.outages) if (span.from <= at && at < span.to) return span.silent ? silent : refused;
    if (route === 'direct') {
      for (const block of story.blocks) {
        if (block.from <= at && at < block.to && block.addresses.has(address)) return block.silent ? silent : refused;
      }
    }
    if (this.#random() >= chanceOfFailure) return fine;
    return this.#random() < 0.5 ? silent : refused;
  }
}
