/** What people are told of the state file: that it could not be written, or read, or that others removed or replaced it. */
import type { Clock } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import { NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard } from '../core/warnings.ts';
import type { Replacement, StateStore } from './store.ts';

/** What became of one that was removed or replaced, for people. */
const outcomes: Readonly<Record<Replacement, string>> = {
  rewritten: 'a new one was written from memory',
  'taken-over': 'what the new one says is in force now',
};
/** Milliseconds that this is shown: it is over as soon as it is noticed, and nobody would see it. */
const replacedShown = 3_600_000;

export class StateFileTelling {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Logger;
  readonly #board: WarningBoard;
  /** When it was last found to be another one. */
  #replaced: number | undefined;

  constructor(clock: Pick<Clock, 'now'>, log: Logger, board: WarningBoard) {
    this.#clock = clock;
    this.#log = log;
    this.#board = board;
  }

  /** After each use of it. */
  used({ replacement, path }: Pick<StateStore, 'replacement' | 'path'>): void {
    const now = this.#clock.now();
    if (replacement !== undefined) {
      this.#replaced = now;
      this.#board.raise('state-file-replaced', '', { file: path, outcome: outcomes[replacement] });
    } else if (this.#replaced !== undefined && now - this.#replaced > replacedShown) {
      this.#replaced = undefined;
      this.#board.clear('state-file-replaced', '');
    }
  }

  saved(): void {
    this.#board.clear('state-not-saved', '');
    this.#board.clear('state-file-damaged', '');
  }

  /** Whether it is the file's fault: the last good state goes on then, and the pass is tried again in `retryIn` milliseconds. */
  failed(error: unknown, file: string, retryIn: number): boolean {
    if (!(error instanceof NetstewardError)) return false;
    const { code, message, cause } = error;
    if (code === 'state-file-damaged') this.#board.raise(code, '', { reason: message });
    else if (code === 'state-not-saved') {
      this.#board.raise(code, '', { file, reason: cause instanceof Error ? cause.message : message });
    } else return false;
    this.#log.warn('pass-failed', { reason: message, retry_in: formatDuration(retryIn) });
    return true;
  }
}
