/** Events as they happen: made from the lines of the log, counted, and given to the history and to those who follow. */
import type { Clock } from '../core/clock.ts';
import { type EventCode, type EventSource, eventOf, type NetstewardEvent } from '../core/events.ts';
import type { LogFields } from '../core/log.ts';

/** One answer of a resolver, which the history folds per minute (history-latency.ts). */
export interface ResolverSample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly resolver: string;
  /** `ok`, or the kind of failure. */
  readonly outcome: string;
  /** Until the answer, or until it was given up. */
  readonly ms: number;
}

export interface EventSink {
  event(event: NetstewardEvent): void;
  sample(sample: ResolverSample): void;
}

export interface EventCount {
  readonly module: EventSource;
  readonly code: EventCode;
  readonly count: number;
}

/** Line of dnstest, one for each answer: `resolver`, `outcome` (`ok` or a kind of failure), `ms`. */
export const sampleLine = 'resolver-checked';

export class EventFeed {
  readonly #clock: Clock;
  readonly #sink: EventSink;
  readonly #followers = new Set<(event: NetstewardEvent) => void>();
  readonly #counts = new Map<string, EventCount>();

  constructor(clock: Clock, sink: EventSink) {
    this.#clock = clock;
    this.#sink = sink;
  }

  /** A line of the log: netsteward's own, or a module's. */
  readonly hear = (line: string, fields: LogFields): void => {
    const at = this.#clock.now();
    if (line === sampleLine) this.#sample(at, fields);
    const event = eventOf(at, line, fields);
    if (event === undefined) return;
    const { module, code } = event;
    const key = `${module} ${code}`;
    this.#counts.set(key, { module, code, count: (this.#counts.get(key)?.count ?? 0) + 1 });
    this.#sink.event(event);
    for (const follow of this.#followers) follow(event);
  };

  /** Calls `follow` for each event from now on, until the given function is called. */
  follow(follow: (event: NetstewardEvent) => void): () => void {
    this.#followers.add(follow);
    return () => void this.#followers.delete(follow);
  }

  /** Since the start. As many as the catalogue has codes, times modules. */
  counts(): readonly EventCount[] {
    return [...this.#counts.values()];
  }

  #sample(at: number, { resolver, outcome, ms }: LogFields): void {
    if (typeof resolver !== 'string' || typeof outcome !== 'string' || typeof ms !== 'number') return;
    if (Number.isFinite(ms) && ms >= 0) this.#sink.sample({ at, resolver, outcome, ms });
  }
}
