/** Counts what was refused, by kind, and tells the log at a bounded rate: strangers decide how much there is. */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import { noRefusals, type Refusal, type RefusalCounts } from './accept.ts';

/** Milliseconds between two summaries, and how many single packets are told a second at level debug. */
const pause = 60_000;
const mostDetails = 10;

export class RefusedLog {
  readonly counts: RefusalCounts = noRefusals();
  readonly #clock: Clock;
  readonly #log: Logger;
  #told: RefusalCounts = noRefusals();
  #toldAt = Number.NEGATIVE_INFINITY;
  #second = 0;
  #details = 0;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  add(refusal: Refusal, source: string, keyId?: string): void {
    this.counts[refusal] += 1;
    const now = this.#clock.monotonic();
    this.#detail(now, refusal, source, keyId);
    if (now - this.#toldAt < pause) return;
    const since = Object.entries(this.counts).flatMap(([kind, count]) => {
      const more = count - this.#told[kind as Refusal];
      return more > 0 ? [[kind, more] as const] : [];
    });
    this.#toldAt = now;
    this.#told = { ...this.counts };
    this.#log.info('packets-refused', { ...Object.fromEntries(since), last: source });
  }

  #detail(now: number, refusal: Refusal, source: string, keyId: string | undefined): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#details = 0;
    this.#second = second;
    this.#details += 1;
    if (this.#details > mostDetails) return;
    this.#log.debug('packet-refused', { refusal, source, ...(keyId === undefined ? {} : { keyId }) });
  }
}
