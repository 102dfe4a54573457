/** Runs one piece of work again and again: on request, not too often, sooner after a failure, and at the latest after a while. */
import { type Backoff, backoffDelay } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';

export interface ReconcilerOptions {
  readonly clock: Clock;
  /** The work; runs never overlap. A rejection is a failure and leads to a retry. The signal aborts on stop(). */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Milliseconds from the end of a run to the start of the next one, however many requests there are. */
  readonly minInterval: number;
  /** Milliseconds from the end of a good run to the next one when nobody asks; never, where absent. */
  readonly maxInterval?: number;
  /** Delays after failures in a row. A request does not shorten them below `minInterval`. */
  readonly retry: Backoff;
  /** Told of each failure, with the milliseconds until the next try. */
  readonly onError: (error: unknown, retryIn: number) => void;
}

/**
 * Modules say "my desired state changed" with request(); when the work runs is decided here. Requests that come while
 * a run is under way lead to exactly one more run after it, since the run may have read the state before the change.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;
  /** When the waiting timer fires, by the monotonic clock. */
  #due = Number.POSITIVE_INFINITY;
  #lastEnd = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #requested = false;
  #running: Promise<void> | undefined;
  #waiters: { resolve: () => void; reject: (reason: unknown) => void }[] = [];

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Asks for a run as soon as `minInterval` allows. Silent after stop(). */
  request(): void {
    if (this.#abort.signal.aborted) return;
    this.#requested = true;
    if (this.#running === undefined) this.#schedule(this.#lastEnd + this.#options.minInterval);
  }

  /** Like request(); settles with the first run that starts after this call. */
  requestAndWait(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.reject(this.#abort.signal.reason);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.request();
    });
  }

  /** No run starts after this; resolves when the one under way has ended. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#abort.signal.aborted) {
      this.#abort.abort(new Error('the reconciler was stopped'));
      this.#timer?.cancel();
      this.#timer = undefined;
      const waiters = this.#waiters;
      this.#waiters = [];
      for (const waiter of waiters) waiter.reject(this.#abort.signal.reason);
    }
    await this.#running;
  }

  /** Arms the timer for `at` unless it fires sooner anyway. */
  #schedule(at: number): void {
    if (this.#timer !== undefined && this.#due <= at) return;
    this.#timer?.cancel();
    this.#due = at;
    const delay = Math.max(0, at - this.#options.clock.monotonic());
    this.#timer = this.#options.clock.after(delay, () => {
      this.#timer = undefined;
      this.#running = this.#runOnce();
    });
  }

  async #runOnce(): Promise<void> {
    const { clock, run, maxInterval, retry, onError, minInterval } = this.#options;
    this.#requested = false;
    const waiters = this.#waiters;
    this.#waiters = [];
    let next: number | undefined;
    try {
      await run(this.#abort.signal);
      this.#failures = 0;
      next = maxInterval;
      for (const waiter of waiters) waiter.resolve();
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
      if (!this.#abort.signal.aborted) {
        this.#failures += 1;
        next = Math.max(minInterval, backoffDelay(this.#failures, retry));
        onError(error, next);
      }
    }
    this.#running = undefined;
    this.#lastEnd = clock.monotonic();
    if (this.#abort.signal.aborted) return;
    if (this.#requested) this.#schedule(this.#lastEnd + minInterval);
    else if (next !== undefined) this.#schedule(this.#lastEnd + next);
  }
}
