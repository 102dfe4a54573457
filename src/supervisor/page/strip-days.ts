/** Strips by the day: what one UTC day makes of how things stood at its beginning and of its events (pure). */
import type { EventCode, NetstewardEvent } from '../../core/events.ts';
import {
  presenceCodes,
  type ServiceInterval,
  serviceIntervals,
  serviceRouteCodes,
  serviceStateCodes,
} from '../history-strips.ts';
import type { StripState } from './shapes.ts';

export const day = 86_400_000;
export const minutesOfDay = 1440;

export const states: readonly StripState[] = ['direct', 'failing', 'tunnelled', 'down', 'unknown', 'dropped'];
const stateIndex = new Map(states.map((state, index) => [state, index]));

/** Flat: minute, state, reason, of one host and one day; empty for a host that nothing was known of. */
export type Intervals = number[];

/** Hosts of one answer, and of what is kept of a day: the first ones by name. */
export const mostStrips = 5000;
/** Services whose standing is known, the ones that changed last: each has two events. */
const mostStandings = 4 * mostStrips;
/** Different texts: reasons that never come twice must not fill the memory. */
const mostReasons = 20_000;
const tooManyReasons = 'one of too many different reasons to keep';
/** Days that look alike: hardly any host changes on a day, or all do at the same minute, when netsteward is restarted. */
const mostAlike = 20_000;
const longestAlike = 12;

/** The texts of reasons by number: the same few thousands again and again. */
export class Reasons {
  readonly texts: string[] = [''];
  readonly #numbers = new Map([['', 0]]);

  get full(): boolean {
    return this.texts.length >= mostReasons;
  }

  numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    if (this.full && text !== tooManyReasons) return this.numberOf(tooManyReasons);
    this.texts.push(text);
    this.#numbers.set(text, this.texts.length - 1);
    return this.texts.length - 1;
  }
}

/** The events that say how things stand: of each service its last change of route and of health, and whether netsteward runs. */
export class Standings {
  readonly #last = new Map<string, NetstewardEvent>();
  /** By service, what a day is on which nothing happens. */
  readonly #quiet = new Map<string, Intervals>();

  take(event: NetstewardEvent): void {
    const { code, subject } = event;
    const kind = kinds.get(code) ?? 'health';
    const key = kind === 'presence' ? kind : `${kind} ${subject}`;
    if (kind === 'presence') this.#quiet.clear();
    else this.#quiet.delete(subject);
    // The newest last.
    this.#last.delete(key);
    this.#last.set(key, event);
    if (this.#last.size <= mostStandings) return;
    for (const [oldest, { subject: host }] of this.#last) {
      if (oldest === 'presence') continue;
      this.#last.delete(oldest);
      this.#quiet.delete(host);
      return;
    }
  }

  quietDay(host: string): Intervals | undefined {
    return this.#quiet.get(host);
  }

  keepQuietDay(host: string, intervals: Intervals): void {
    this.#quiet.set(host, intervals);
  }

  /** How many services it knows. */
  get hosts(): number {
    return new Set([...this.#last.values()].map(({ subject }) => subject)).size - (this.#last.has('presence') ? 1 : 0);
  }

  /** The oldest first. */
  events(): Iterable<NetstewardEvent> {
    return this.#last.values();
  }

  copy(): Standings {
    const copy = new Standings();
    for (const [key, event] of this.#last) copy.#last.set(key, event);
    for (const [host, intervals] of this.#quiet) copy.#quiet.set(host, intervals);
    return copy;
  }
}

const kinds = new Map<EventCode, 'presence' | 'route' | 'health'>([
  ...serviceStateCodes.map((code) => [code, 'health'] as const),
  ...serviceRouteCodes.map((code) => [code, 'route'] as const),
  ...presenceCodes.map((code) => [code, 'presence'] as const),
]);

/**
 * `since`: a midnight; the day may not be over. `events`: of the day, the oldest first; `before` says afterwards what it said, and
 * knows the days of those to whom nothing happened: on most days that is most of them, and the next day is the same.
 */
export function stripsOfDay(
  before: Standings,
  events: readonly NetstewardEvent[],
  since: number,
  reasons: Reasons,
  alike: Alike,
): ReadonlyMap<string, Intervals> {
  const moved = new Set(events.map(({ subject }) => subject));
  // A start or an end of netsteward is in the strips of all.
  const presence = events.some(({ code }) => kinds.get(code) === 'presence');
  const quiet = new Map<string, Intervals>();
  const standing: NetstewardEvent[] = [];
  for (const event of before.events()) {
    const { code, subject } = event;
    const known = presence || moved.has(subject) ? undefined : before.quietDay(subject);
    if (known === undefined || kinds.get(code) === 'presence') standing.push(event);
    else quiet.set(subject, known);
  }
  const found = serviceIntervals([...standing, ...events], { since, until: since + day });
  const all = [...quiet.keys(), ...found.keys()];
  const hosts = all.length <= mostStrips ? all : all.sort().slice(0, mostStrips);
  const strips = new Map<string, Intervals>();
  for (const host of hosts) {
    const own = quiet.get(host) ?? alike.one(inMinutes(found.get(host) ?? [], since, reasons));
    strips.set(host, own);
    if (!presence && !moved.has(host)) before.keepQuietDay(host, own);
  }
  return strips;
}

/** One array for all days that look the same: most do, and a month of 10 000 hosts has 300 000 of them. */
export class Alike {
  readonly #known = new Map<string, Intervals>();

  /** Whoever gets it leaves it as it is. */
  one(intervals: Intervals): Intervals {
    if (intervals.length > longestAlike) return intervals;
    const key = intervals.join(' ');
    const known = this.#known.get(key);
    if (known === undefined && this.#known.size < mostAlike) this.#known.set(key, intervals);
    return known ?? intervals;
  }
}

/** To the minute: of what begins within the same one, the last counts. */
export function inMinutes(intervals: readonly ServiceInterval[], since: number, reasons: Reasons): Intervals {
  const result: Intervals = [];
  for (const { from, state, reason } of intervals) {
    append(result, Math.floor((from - since) / 60_000), stateIndex.get(state) ?? 0, reasons.numberOf(reason));
  }
  return result;
}

/** Adds an interval behind the others: in place of one that begins in the same minute, and not where nothing changes by it. */
export function append(to: Intervals, minute: number, state: number, reason: number): void {
  if (to.at(-3) === minute) to.length -= 3;
  if (to.at(-2) === state && to.at(-1) === reason) return;
  to.push(minute, state, reason);
}

export const unknownState: number = stateIndex.get('unknown') ?? 0;
export const stripCodes: readonly EventCode[] = [...serviceStateCodes, ...presenceCodes];
