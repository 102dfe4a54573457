/** Places for thousands of probes: so many at a time, the others wait in line. */

export interface Waiter {
  /** Called once, when a slot is this one's, which it has to leave. False: it wants none any more. */
  turn(): boolean;
}

// p-limit's line is a linked list: once one of its nodes is old, V8 takes all that follow for reachable until the next full
// collection, with the probes that they hold; and it costs each who waits a kilobyte of promises and closures.
export class Slots {
  #free: number;
  #line: (Waiter | undefined)[] = [];
  /** Index of the first who waits. */
  #first = 0;

  constructor(count: number) {
    this.#free = count;
  }

  /** Its turn comes at once where a slot is free, else when all who came before have had theirs. */
  take(waiter: Waiter): void {
    if (this.#free === 0) {
      this.#line.push(waiter);
      return;
    }
    this.#free--;
    if (!waiter.turn()) this.leave();
  }

  leave(): void {
    for (let next = this.#shift(); next !== undefined; next = this.#shift()) if (next.turn()) return;
    this.#free++;
  }

  #shift(): Waiter | undefined {
    const waiter = this.#line[this.#first];
    if (waiter === undefined) return undefined;
    this.#line[this.#first++] = undefined;
    if (this.#first * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#first);
      this.#first = 0;
    }
    return waiter;
  }
}
