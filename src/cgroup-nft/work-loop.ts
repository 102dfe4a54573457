/** Does one piece of work after the other as long as some are due; after a failure it waits, longer each time, and tries again. */
import { type Backoff, backoffDelay } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';

export interface WorkLoopOptions {
  readonly clock: Clock;
  readonly retry: Backoff;
  /** Whether there is anything to do now. */
  readonly due: () => boolean;
  /** Milliseconds until something is due that waits for its time; undefined when nothing does. */
  readonly dueIn?: () => number | undefined;
  /** Does the most urgent piece. */
  readonly step: () => Promise<void>;
  /** It failed, and is tried again later; what has to be done then must be due. */
  readonly onFailed: (error: unknown) => void;
  /** Nothing is due any more. */
  readonly onQuiet: () => void;
}

/** Longer pieces (ms) let the kernel's notifications be read before the next one: a new cgroup must not wait for all of them. */
const longPiece = 2;

export class WorkLoop {
  readonly #options: WorkLoopOptions;
  /** Set before its first step is begun: that may wake the loop itself. */
  #active = false;
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #rest: Timer | undefined;
  #failures = 0;
  #failure: { readonly error: unknown } | undefined;
  #stopped = false;

  constructor(options: WorkLoopOptions) {
    this.#options = options;
  }

  /** Whether the last try failed. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  get idle(): boolean {
    return !this.#active && !this.failing;
  }

  /**
   * Something is due now. Begins at once, up to the first await of its work: in-process, a new member is in the kernel before
   * anything else runs. After a failure it waits for the next try.
   */
  wake(): void {
    if (this.#stopped || this.#active || this.#retry !== undefined) return;
    if (!this.#options.due()) {
      this.#wait();
      return;
    }
    this.#failure = undefined;
    this.#active = true;
    this.#running = this.#run();
  }

  /** Does all that is due, without waiting after an earlier failure. Rejects with what fails; that is tried again later. */
  async finish(): Promise<void> {
    this.#retry?.cancel();
    this.#retry = undefined;
    if (!this.#active) this.#failure = undefined;
    this.wake();
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#rest?.cancel();
    await this.#running;
  }

  /** Until what waits for its time is due. A timer may fire a little early: it is asked again then. */
  #wait(): void {
    const left = this.#options.dueIn?.();
    this.#rest?.cancel();
    this.#rest = undefined;
    if (left === undefined) return;
    this.#rest = this.#options.clock.after(Math.max(1, left), () => {
      this.#rest = undefined;
      this.wake();
    });
  }

  async #run(): Promise<void> {
    const { clock, due, step, onFailed, onQuiet } = this.#options;
    try {
      while (!this.#stopped && due()) {
        const began = clock.monotonic();
        await step();
        if (clock.monotonic() - began > longPiece) await nextTurn();
      }
      this.#failures = 0;
      this.#active = false;
      if (!this.#stopped) onQuiet();
      this.wake();
    } catch (error) {
      this.#active = false;
      this.#failures += 1;
      this.#failure = { error };
      if (!this.#stopped) {
        this.#retry = clock.after(backoffDelay(this.#failures, this.#options.retry), () => {
          this.#retry = undefined;
          this.wake();
        });
      }
      onFailed(error);
    }
  }
}

/** Lets the event loop turn once. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
