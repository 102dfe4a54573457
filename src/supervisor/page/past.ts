/** The history's file as the page reads it: opened when somebody asks, and whatever is wrong with it is a sentence on the page. */
import { describeError, errnoOf } from '../../core/errors.ts';
import type { SqlRow } from '../../system/ports.ts';
import type { HistoryReader, OpenHistory } from './ports.ts';

export type Ask = (text: string, parameters: readonly (string | number)[]) => readonly SqlRow[];

export class Past {
  readonly #open: OpenHistory;
  readonly #file: string | undefined;
  #reader: HistoryReader | undefined;
  #generation = 0;

  /** `file` undefined: the history is off. */
  constructor(open: OpenHistory, file: string | undefined) {
    this.#open = open;
    this.#file = file;
  }

  /** Another number: another file, or the same after trouble with it. What was kept of the one before is worth nothing. */
  get generation(): number {
    return this.#generation;
  }

  /** What `work` gives; or `problem`, for people: the present is shown all the same. */
  async read<Result>(work: (ask: Ask) => Promise<Result> | Result): Promise<Result | { readonly problem: string }> {
    if (this.#file === undefined) return { problem: 'The history is off ([history] off = true).' };
    try {
      if (this.#reader?.inPlace() === false) this.close();
      const reader = this.#reader ?? this.#opened(this.#file);
      return await work((text, parameters) => reader.all(text, parameters));
    } catch (error) {
      this.close();
      return { problem: problemOf(this.#file, error) };
    }
  }

  close(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    try {
      reader?.close();
    } catch {
      // It only read.
    }
  }

  #opened(file: string): HistoryReader {
    this.#reader = this.#open(file);
    this.#generation += 1;
    return this.#reader;
  }
}

function problemOf(file: string, error: unknown): string {
  if (errnoOf(error) === 'ENOENT') return `There is no history yet: ${file} does not exist.`;
  return `The history ${file} cannot be read: ${describeError(error)}`;
}
