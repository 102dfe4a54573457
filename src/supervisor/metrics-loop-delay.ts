/** How long the supervisor's event loop stood still: a timer that comes late tells (no busy sampling, so that an idle service stays idle). */
import type { Clock, Timer } from '../core/clock.ts';

/** Milliseconds between two looks, and how many looks the answer is about: one minute. */
const interval = 5000;
const looks = 12;

export class LoopDelay {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #late: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#arm();
  }

  /** Milliseconds: by how much the latest timer of the last minute was late. */
  get worst(): number {
    return Math.max(0, ...this.#late);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const due = this.#clock.monotonic() + interval;
    this.#timer = this.#clock.after(interval, () => {
      this.#late = [...this.#late.slice(1 - looks), Math.max(0, this.#clock.monotonic() - due)];
      this.#arm();
    });
  }
}
