/** Places for thousands of probes: so many at a time, the others wait in line; an abort gives up a place in the line. */
import { onAbort } from './http-probe-abort.ts';

/** False: the one who waited has gone, the place is still free. */
type Turn = () => boolean;

// p-limit's line is a linked list: once one of its nodes is old, V8 takes all that follow for reachable until the next full
// collection, with the probes that they hold, and 3000 checks cost 20 MB more.
export class Slots {
  #free: number;
  #line: (Turn | undefined)[] = [];
  /** Index of the first who waits. */
  #first = 0;

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Runs `work` in a slot. The slot is free again when the work ends, or sooner when the work calls `release`.
   * Rejects with the signal's reason if it aborts while the work waits; once started, obeying the signal is up to the work.
   */
  run<Result>(signal: AbortSignal, work: (release: () => void) => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const start = (): void => {
        let held = true;
        const release = (): void => {
          if (held) this.#leave();
          held = false;
        };
        work(release).finally(release).then(resolve, reject);
      };
      if (this.#free > 0) {
        this.#free--;
        return start();
      }
      const forget = onAbort(signal, () => reject(signal.reason));
      this.#line.push(() => {
        forget();
        if (signal.aborted) return false;
        start();
        return true;
      });
    });
  }

  #leave(): void {
    for (;;) {
      const turn = this.#line[this.#first];
      if (turn === undefined) break;
      this.#line[this.#first++] = undefined;
      if (this.#first * 2 > this.#line.length) {
        this.#line = this.#line.slice(this.#first);
        this.#first = 0;
      }
      if (turn()) return;
    }
    this.#free++;
  }
}
