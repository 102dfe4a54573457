/** One question for all who ask at the same time, and a pause before the next: readers of the page must not keep the service busy. */
import { type Clock, sleep } from '../../core/clock.ts';

export class Paced<Value> {
  readonly #clock: Clock;
  readonly #pause: number;
  readonly #work: () => Promise<Value>;
  /** That has not begun yet. */
  #next: Promise<Value> | undefined;
  #free = Number.NEGATIVE_INFINITY;

  /** `pause`: milliseconds between two beginnings. */
  constructor(clock: Clock, pause: number, work: () => Promise<Value>) {
    this.#clock = clock;
    this.#pause = pause;
    this.#work = work;
  }

  /** What `work` gives that begins now or later, never one that has begun already: nothing that has happened is missing. */
  ask(): Promise<Value> {
    this.#next ??= this.#begin();
    return this.#next;
  }

  async #begin(): Promise<Value> {
    const wait = this.#free - this.#clock.monotonic();
    await (wait > 0 ? sleep(this.#clock, wait) : undefined);
    this.#next = undefined;
    this.#free = this.#clock.monotonic() + this.#pause;
    return this.#work();
  }
}
