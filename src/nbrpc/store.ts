/** The state in its SQLite file: what a pass decides is written in one transaction, and only then true in memory. */
import { type Clock, sleep } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import type { Database, Store } from '../system/ports.ts';
import { ChangeWriter, loadState } from './rows.ts';
import { prepareSchema } from './schema.ts';
import type { Changes, State } from './state.ts';

/** Milliseconds that SQLite itself waits for a lock: it blocks this thread meanwhile, so longer waits are done outside of it. */
const blockingWait = 200;
/** Milliseconds until another process that holds the lock counts as a failure. */
const longestWait = 60_000;
const retryAfter = 100;

export interface StateStoreOptions {
  readonly store: Store;
  readonly path: string;
  readonly clock: Clock;
}

/**
 * Several processes may share the file. The state in memory is read anew only when another one has written, which
 * SQLite's data_version tells (sqlite.org/pragma.html#pragma_data_version).
 */
export class StateStore {
  readonly path: string;
  readonly #clock: Clock;
  readonly #database: Database;
  readonly #writer: ChangeWriter;
  #state: State;
  #version: unknown;
  #closed = false;

  private constructor(options: StateStoreOptions, database: Database) {
    this.path = options.path;
    this.#clock = options.clock;
    this.#database = database;
    this.#writer = new ChangeWriter(database);
    this.#version = this.#dataVersion();
    this.#state = loadState(database, options.path);
  }

  /** Throws NetstewardError: `state-file-not-sqlite`, `-unusable`, `-foreign`, `-newer`, `-damaged`. */
  static open(options: StateStoreOptions): StateStore {
    const { store, path } = options;
    const database = store.open(path);
    try {
      prepareSchema(database, path);
      database.exec(`PRAGMA busy_timeout = ${blockingWait}`);
      return new StateStore(options, database);
    } catch (error) {
      database.close();
      if (error instanceof NetstewardError) throw error;
      throw new NetstewardError('state-file-unusable', `${path} cannot be used: ${messageOf(error)}`, {
        remedy: 'Free space or mend permissions of the file and its folder; a damaged file must be moved away.',
        cause: error,
      });
    }
  }

  /** The state as it was last read or saved. */
  get state(): State {
    return this.#state;
  }

  /** Takes in what other processes have written. Rejects with NetstewardError `state-not-saved`. */
  refresh(signal?: AbortSignal): Promise<State> {
    return this.#patiently('read', signal, () => {
      this.#reload();
      return this.#state;
    });
  }

  /**
   * Decides on the newest state and saves the outcome, all in one transaction. `work` may run again after a lock of
   * others. Rejects with NetstewardError `state-not-saved`; the state is then as it was before.
   */
  async commit<Result extends { readonly changes: Changes }>(
    work: (state: State) => Result,
    signal?: AbortSignal,
  ): Promise<Result> {
    return this.#patiently('written', signal, () => {
      const result = this.#database.transaction(() => {
        this.#reload();
        const decided = deciding(() => work(this.#state));
        this.#writer.write(decided.changes);
        return decided;
      });
      this.#state.adopt(result.changes);
      return result;
    });
  }

  /** Everything is in the one file afterwards. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#database.close();
  }

  #dataVersion(): unknown {
    return this.#database.prepare('PRAGMA data_version').get()?.data_version;
  }

  #reload(): void {
    const version = this.#dataVersion();
    if (version === this.#version) return;
    this.#state = loadState(this.#database, this.path);
    this.#version = version;
  }

  async #patiently<Result>(what: string, signal: AbortSignal | undefined, work: () => Result): Promise<Result> {
    const end = this.#clock.monotonic() + longestWait;
    for (;;) {
      signal?.throwIfAborted();
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || this.#clock.monotonic() >= end) throw this.#failure(what, error);
      }
      await sleep(this.#clock, retryAfter, signal);
    }
  }

  #failure(what: string, error: unknown): NetstewardError {
    if (error instanceof NetstewardError) return error;
    if (error instanceof DecisionFailure) throw error.cause;
    return new NetstewardError('state-not-saved', `${this.path} cannot be ${what}: ${messageOf(error)}`, {
      remedy: 'Free space or mend permissions; it is tried again at the next pass.',
      cause: error,
    });
  }
}

/** Thrown by the deciding itself: a defect of this program, not of the file. */
class DecisionFailure extends Error {}

function deciding<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw new DecisionFailure('deciding failed', { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** SQLITE_BUSY and SQLITE_LOCKED, with their extended codes (sqlite.org/rescode.html). */
function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return false;
  const primary = error.errcode & 0xff;
  return primary === 5 || primary === 6;
}
