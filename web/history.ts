/** The strips' data: intervals by host as the server sends them, led on by what is heard live (pure). */
import type { StripState, Strips } from '../src/supervisor/page/shapes.ts';
import { type Kind, kindOf } from './words.ts';

export interface Interval {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly state: StripState;
  readonly reason: string;
  readonly kind: Kind;
}

const minute = 60_000;

export class HistoryOfHosts {
  readonly problem: string;
  /** Of the time that is shown, up to now. */
  readonly hours: number;
  readonly #since: number;
  readonly #states: StripState[];
  readonly #reasons: string[];
  readonly #kinds: Kind[] = [];
  /** Three numbers for each interval: minutes from `since`, state, reason. */
  readonly #flat = new Map<string, number[]>();

  /** `hours`: what is shown of it; the server's begin at a midnight of UTC. */
  constructor({ since, problem, states, reasons, strips }: Strips, hours: number) {
    this.#since = since;
    this.hours = hours;
    this.problem = problem;
    this.#states = [...states];
    this.#reasons = [...reasons];
    for (const { host, intervals } of strips) this.#flat.set(host, [...intervals]);
  }

  get hosts(): Iterable<string> {
    return this.#flat.keys();
  }

  /** Where the strips begin on the screen. */
  begin(now: number): number {
    return Math.max(this.#since, now - this.hours * 60 * minute);
  }

  /** Index of the first interval that is still to be seen. */
  first(host: string, now: number): number {
    const begin = (this.begin(now) - this.#since) / minute;
    const flat = this.#flat.get(host) ?? [];
    let index = 0;
    while ((flat[index * 3 + 3] ?? Number.POSITIVE_INFINITY) <= begin) index += 1;
    return index;
  }

  /** How many intervals there are, seen or not; 0: nothing is known. */
  count(host: string): number {
    return (this.#flat.get(host)?.length ?? 0) / 3;
  }

  /** `now`: where the last one ends. */
  interval(host: string, index: number, now: number): Interval | undefined {
    const flat = this.#flat.get(host);
    const [start, state, reason] = flat?.slice(index * 3, index * 3 + 3) ?? [];
    if (flat === undefined || start === undefined || state === undefined || reason === undefined) return undefined;
    const end = flat[index * 3 + 3];
    return {
      from: this.#since + start * minute,
      to: end === undefined ? now : this.#since + end * minute,
      state: this.#states[state] ?? 'unknown',
      reason: this.#reasons[reason] ?? '',
      kind: this.#kind(reason),
    };
  }

  last(host: string, now: number): Interval | undefined {
    return this.interval(host, this.count(host) - 1, now);
  }

  /**
   * Heard live: from `at` on it is so. A reason alone that changes begins nothing: the history has those that count, and an
   * unknown state of now (not checked yet) is no change of what the service was.
   */
  become(host: string, at: number, state: StripState, reason: string): void {
    if (state === 'unknown' || this.last(host, at)?.state === state) return;
    const flat = this.#flat.get(host) ?? [];
    this.#flat.set(host, flat);
    if (flat.length === 0) flat.push(0, indexIn(this.#states, 'unknown'), indexIn(this.#reasons, ''));
    const start = Math.max(0, Math.floor((at - this.#since) / minute));
    if (flat.at(-3) === start) flat.splice(-3);
    flat.push(start, indexIn(this.#states, state), indexIn(this.#reasons, reason));
  }

  /** Calls with what a picture needs, minutes after begin(), from the oldest on; without making an object for each. */
  each(
    host: string,
    draw: (startMinute: number, endMinute: number, state: StripState, kind: Kind) => void,
    now: number,
  ) {
    const flat = this.#flat.get(host) ?? [];
    const begin = (this.begin(now) - this.#since) / minute;
    const end = (now - this.#since) / minute;
    for (let i = this.first(host, now) * 3; i < flat.length; i += 3) {
      const state = this.#states[flat[i + 1] ?? 0] ?? 'unknown';
      draw(Math.max(0, (flat[i] ?? 0) - begin), (flat[i + 3] ?? end) - begin, state, this.#kind(flat[i + 2] ?? 0));
    }
  }

  #kind(reason: number): Kind {
    const known = this.#kinds[reason] ?? kindOf(this.#reasons[reason] ?? '');
    this.#kinds[reason] = known;
    return known;
  }
}

function indexIn<Value>(list: Value[], value: Value): number {
  const found = list.lastIndexOf(value);
  return found < 0 ? list.push(value) - 1 : found;
}
