/** A client that goes on: a round now and then, one when the machine's own addresses change, and again after a failure. */
import { type Backoff, backoffDelay } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { AddressEvents } from '../system/address-ports.ts';
import type { RoundOutcome } from './client-round.ts';

export interface WatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds between rounds; undefined: a change of addresses alone is a reason. */
  readonly interval: number | undefined;
  /** Absent: the interval alone is a reason. */
  readonly events: AddressEvents | undefined;
  /** One round; rejects when the signal aborts it. */
  readonly round: (signal: AbortSignal) => Promise<RoundOutcome>;
}

/** Milliseconds: a line that comes up brings its address, route and IPv6 address one after the other. */
const quiet = 2000;
/** Milliseconds after the first of many events, however little quiet there is. */
const mostDelay = 10_000;
const again: Backoff = { first: 5000, most: 300_000 };

export class ClientWatch {
  readonly #options: WatchOptions;
  readonly #follow: { close(): Promise<void> } | undefined;
  /** What `events.current()` said last. */
  #known: readonly string[] | undefined;
  #debounce: Timer | undefined;
  /** Monotonic milliseconds of the first event that waits. */
  #firstEvent: number | undefined;
  #round = new AbortController();
  #asked = false;
  #wake: () => void = () => {};

  constructor(options: WatchOptions) {
    this.#options = options;
    const { log } = options;
    this.#follow = options.events?.follow({
      touched: () => this.#touched(),
      lost: (reason) => log.warn('address-changes-not-seen', { reason }),
      found: () => log.debug('address-changes-seen'),
    });
  }

  /** A round as soon as can be; one that is under way ends. */
  sendNow(): void {
    this.#asked = true;
    this.#round.abort(new Error('a newer round'));
    this.#wake();
  }

  /** Resolves when the signal aborts; rejects with what a round rejects with. */
  async run(stop: AbortSignal): Promise<void> {
    const onStop = (): void => this.sendNow();
    stop.addEventListener('abort', onStop, { once: true });
    try {
      this.#known ??= await this.#current();
      let failures = 0;
      while (!stop.aborted) {
        failures = (await this.#send(stop)) ? 0 : failures + 1;
        await this.#wait(stop, failures);
      }
    } finally {
      stop.removeEventListener('abort', onStop);
      this.#debounce?.cancel();
      await this.#follow?.close();
    }
  }

  /** False where something could not be sent. */
  async #send(stop: AbortSignal): Promise<boolean> {
    this.#asked = false;
    this.#round = new AbortController();
    const { signal } = this.#round;
    const { log } = this.#options;
    try {
      const { sent, failures } = await this.#options.round(signal);
      for (const failure of failures) log.warn('destination-not-reached', failure);
      if (failures.length === 0) log.info('round-sent', { packets: sent });
      return failures.length === 0;
    } catch (error) {
      if (signal.aborted || stop.aborted) return true;
      throw error;
    }
  }

  async #wait(stop: AbortSignal, failures: number): Promise<void> {
    if (this.#asked || stop.aborted) return;
    const { clock, interval = Number.POSITIVE_INFINITY } = this.#options;
    const ms = failures === 0 ? interval : Math.min(interval, backoffDelay(failures, again));
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (ms !== Number.POSITIVE_INFINITY) timer = clock.after(ms, resolve);
    });
    timer?.cancel();
  }

  #touched(): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    this.#firstEvent ??= now;
    const left = Math.min(quiet, this.#firstEvent + mostDelay - now);
    this.#debounce?.cancel();
    this.#debounce = clock.after(Math.max(0, left), () => {
      this.#firstEvent = undefined;
      void this.#compare();
    });
  }

  /** Never rejects. */
  async #compare(): Promise<void> {
    const before = this.#known;
    const now = await this.#current();
    if (now === undefined) return;
    this.#known = now;
    // What was before is not known: perhaps this is a change.
    const gone = before?.filter((each) => !now.includes(each)) ?? [];
    const come = now.filter((each) => before?.includes(each) !== true);
    if (before !== undefined && gone.length === 0 && come.length === 0) return;
    this.#options.log.info('addresses-changed', { gone, come });
    this.sendNow();
  }

  async #current(): Promise<readonly string[] | undefined> {
    try {
      return await this.#options.events?.current();
    } catch (error) {
      this.#options.log.warn('address-changes-not-seen', { reason: describeError(error) });
      return undefined;
    }
  }
}
