/** Notices when somebody undoes each change at once: a second netsteward for the same chain would keep both busy for ever. */
import type { Clock } from '../core/clock.ts';
import type { WarningBoard } from '../core/warnings.ts';

/** Milliseconds within which a reload by an administrator surely does not follow upon our own change, time after time. */
const atOnce = 5;
const mostInARow = 50;
/** Milliseconds between two looks while it lasts. */
const restInContest = 100;

export class Contest {
  readonly #clock: Clock;
  readonly #board: WarningBoard;
  readonly #subject: string;
  readonly #what: string;
  #changedAt = Number.NEGATIVE_INFINITY;
  #inARow = 0;

  /** `what`: what others change, for people. */
  constructor(clock: Clock, board: WarningBoard, what: string) {
    this.#clock = clock;
    this.#board = board;
    this.#subject = `${what} contended`;
    this.#what = what;
  }

  /** We have brought it in order. */
  changed(): void {
    this.#changedAt = this.#clock.monotonic();
  }

  /** Others changed something, and a look was taken that `took` so many milliseconds; gives those until the next one may be. */
  looked(differs: boolean, took: number): number {
    const rest = Math.min(Math.max(took, 1), 5000);
    if (!differs || this.#clock.monotonic() - took - this.#changedAt > atOnce) {
      this.#inARow = 0;
      this.end();
      return rest;
    }
    this.#inARow += 1;
    if (this.#inARow <= mostInARow) return rest;
    const reason = `${this.#what}: others undo each change at once; is a second netsteward at work on it?`;
    this.#board.raise('units-not-applied', this.#subject, { reason });
    return Math.max(rest, restInContest);
  }

  end(): void {
    this.#board.clear('units-not-applied', this.#subject);
  }
}
