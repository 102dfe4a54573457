/** Asks three times a minute which listed addresses packets went to, and says when others are in use than before. */
import type { Clock, Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { WarningBoard } from '../core/warnings.ts';
import { changedUse, type LastPackets, nowInUse, type Sightings } from './in-use.ts';

export interface UseWatchOptions {
  readonly clock: Clock;
  readonly board: WarningBoard;
  /** Rejects where it cannot be told now. */
  readonly used: () => Promise<Sightings>;
  /** Addresses that are in use now or were before. */
  readonly onChange: (addresses: ReadonlySet<string>) => void;
}

/** Milliseconds from one answer to the next question. */
const gap = 20_000;

/** Asks nothing before follow(true). */
export class UseWatch {
  readonly #options: UseWatchOptions;
  #last: LastPackets = new Map();
  #timer: Timer | undefined;
  /** Counts the times that it was begun or ended: what comes late is of an earlier one. */
  #turn = 0;
  #following = false;

  constructor(options: UseWatchOptions) {
    this.#options = options;
  }

  has(address: string): boolean {
    return this.#last.has(address);
  }

  /** How many, for the status; nothing while nobody asks. */
  get told(): { readonly inUse?: number } {
    return this.#following ? { inUse: this.#last.size } : {};
  }

  /** From now on, at once; or no more, and then none is in use. */
  follow(wanted: boolean): void {
    if (wanted === this.#following) return;
    this.#following = wanted;
    this.#turn += 1;
    if (wanted) {
      void this.#look(this.#turn);
      return;
    }
    this.#timer?.cancel();
    this.#last = new Map();
    this.#options.board.clear('use-unknown', '');
  }

  async #look(turn: number): Promise<void> {
    const { clock, board, used, onChange } = this.#options;
    let seen: Sightings = new Map();
    let problem: string | undefined;
    try {
      seen = await used();
    } catch (error) {
      problem = describeError(error);
    }
    if (turn !== this.#turn) return;
    if (problem === undefined) board.clear('use-unknown', '');
    else board.raise('use-unknown', '', { reason: problem });
    const before = this.#last;
    this.#last = nowInUse(before, seen, clock.monotonic() / 1000);
    const changed = changedUse(before, this.#last);
    if (changed.length > 0) onChange(new Set(changed));
    this.#timer = clock.after(gap, () => void this.#look(turn));
  }
}
