/** What came of the stories of bench/reaction: when each block was worked around, and when it was let go again. */
import { addressesOfHost, end, month, type Story } from './_reaction-stories.ts';

/** A result that arrives now is of a check that began up to this much earlier. */
const underWay = 60;
/** Requests are counted by the minute. */
const minute = 60;

export interface Figures {
  readonly blocks: number;
  /** Blocks that began while their host was rerouted already. */
  readonly already: number;
  /** Seconds from a block's start, of those that were worked around while they lasted. */
  readonly reroutes: readonly number[];
  /** The same of blocks of every address, and of one address. */
  readonly ofAll: readonly number[];
  readonly ofOne: readonly number[];
  /** Seconds from a block's end, of those that were worked around. */
  readonly releases: readonly number[];
  /** Hosts rerouted while nothing was blocked. */
  readonly falsely: number;
  /** Hosts released while something was. */
  readonly early: number;
  /** Per hour and address, both routes. */
  readonly requests: number;
  /** The busiest minute, in times of the mean, and that of the regular checks alone. */
  readonly busiest: number;
  readonly busiestRegular: number;
}

export class Record {
  readonly #stories: readonly Story[];
  /** Of each block: when it was first worked around, and when it was released after its end. */
  readonly #rerouted: (number | undefined)[][];
  readonly #released: (number | undefined)[][];
  readonly #isRerouted: boolean[];
  readonly #minutes = new Uint32Array(Math.ceil(end / minute));
  readonly #regular = new Uint32Array(Math.ceil(end / minute));
  /** When each host was rerouted. */
  readonly #spans: { from: number; to: number }[][];
  #falsely = 0;
  #early = 0;

  constructor(stories: readonly Story[]) {
    this.#stories = stories;
    this.#rerouted = stories.map(() => []);
    this.#released = stories.map(() => []);
    this.#isRerouted = stories.map(() => false);
    this.#spans = stories.map(() => []);
  }

  /** `pressing`: because something fails. */
  request(at: number, pressing: boolean): void {
    const index = Math.floor(at / minute);
    this.#minutes[index] = (this.#minutes[index] ?? 0) + 1;
    if (!pressing) this.#regular[index] = (this.#regular[index] ?? 0) + 1;
  }

  /** The host's routing from now on. */
  route(host: number, rerouted: boolean, at: number): void {
    if (this.#isRerouted[host] === rerouted) return;
    this.#isRerouted[host] = rerouted;
    const spans = this.#spans[host];
    const open = spans?.at(-1);
    if (rerouted) spans?.push({ from: at, to: end });
    else if (open !== undefined) open.to = at;
    const { blocks = [] } = this.#stories[host] ?? {};
    const active = blocks.findIndex(({ from, to }) => from <= at && at - underWay < to);
    if (rerouted) {
      if (active < 0) this.#falsely += 1;
      else this.#note(this.#rerouted, host, active, at);
      return;
    }
    if (blocks.some(({ from, to }) => from <= at && at < to)) this.#early += 1;
    const last = blocks.findLastIndex(({ to }) => to <= at);
    if (last >= 0 && this.#rerouted[host]?.[last] !== undefined) this.#note(this.#released, host, last, at);
  }

  #note(of: (number | undefined)[][], host: number, block: number, at: number): void {
    const times = of[host];
    if (times !== undefined && times[block] === undefined) times[block] = at;
  }

  figures(): Figures {
    const all = this.#stories.flatMap(({ blocks }, host) =>
      blocks.map((block, i) => ({
        block,
        reroute: since(block.from, this.#rerouted[host]?.[i]),
        release: since(block.to, this.#released[host]?.[i]),
      })),
    );
    const reroutes = (count?: number): readonly number[] =>
      all
        .filter(({ block }) => count === undefined || block.addresses.size === count)
        .flatMap(({ reroute }) => reroute ?? []);
    // The quiet days at the end would flatter the mean.
    const total = sum(this.#minutes.subarray(0, month / minute));
    const wasRerouted = (host: number, at: number): boolean =>
      this.#spans[host]?.some(({ from, to }) => from < at && at < to) ?? false;
    return {
      blocks: all.length,
      already: this.#stories.flatMap(({ blocks }, host) => blocks.filter(({ from }) => wasRerouted(host, from))).length,
      reroutes: reroutes(),
      ofAll: reroutes(addressesOfHost),
      ofOne: reroutes(1),
      releases: all.flatMap(({ release }) => release ?? []),
      falsely: this.#falsely,
      early: this.#early,
      requests: total / (this.#stories.length * addressesOfHost * (month / 3600)),
      busiest: busiest(this.#minutes),
      busiestRegular: busiest(this.#regular),
    };
  }
}

function since(from: number, at: number | undefined): number | undefined {
  return at === undefined ? undefined : at - from;
}

function sum(counts: Uint32Array): number {
  return counts.reduce((total, count) => total + count, 0);
}

function busiest(counts: Uint32Array): number {
  return (counts.reduce((most, count) => Math.max(most, count), 0) * counts.length) / sum(counts);
}
