/** Notices time in which this process did not run, or this machine slept: what was asked before it says nothing. */
import type { Clock, Timer } from '../../core/clock.ts';

export class LostTime {
  readonly #clock: Clock;
  /** Milliseconds. */
  readonly #most: number;
  #monotonic: number;
  #wall: number;
  #timer: Timer | undefined;
  #stopped = false;

  /** `most`: milliseconds from one beat to the next that are nothing to worry about. */
  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
    this.#monotonic = clock.monotonic();
    this.#wall = clock.now();
  }

  /** Whether more than that is gone since the last one. CLOCK_MONOTONIC stands still while a machine sleeps (clock_gettime(2)), the wall clock does not. */
  beat(): boolean {
    const [monotonic, wall] = [this.#clock.monotonic(), this.#clock.now()];
    const gone = Math.max(monotonic - this.#monotonic, wall - this.#wall);
    [this.#monotonic, this.#wall] = [monotonic, wall];
    return gone > this.#most;
  }

  /** Beats from now on, `every` so many milliseconds, and tells of time that is lost; once is enough. */
  follow(every: number, onLost: () => void): void {
    this.#timer ??= this.#clock.after(every, () => {
      this.#timer = undefined;
      if (this.#stopped) return;
      this.follow(every, onLost);
      if (this.beat()) onLost();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
