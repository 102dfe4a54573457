/** The state in its SQLite file: what a pass decides is written in one transaction, and only then true in memory. */
import { type Clock, sleep } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import type { Database, Store } from '../system/ports.ts';
import { ChangeWriter, damagedFile, loadState } from './rows.ts';
import { headerProblem, prepareSchema } from './schema.ts';
import { type Changes, everythingOf, type State } from './state.ts';

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

/** What became of a file that was removed, or replaced by another, while it was open. */
export type Replacement =
  /** There was none any more, or one that knows no host: everything was written anew from memory. */
  | 'rewritten'
  /** There was another state file: what that one says is the state now. */
  | 'taken-over';

/**
 * Several processes may share the file. The state in memory is read anew only when another one has written, which
 * SQLite's data_version tells (sqlite.org/pragma.html#pragma_data_version).
 *
 * The path counts, not the file that was once opened at it. A file that is removed is written anew, for whoever removes it
 * with the process alive can hardly mean "forget what you act upon" (and the next kill would mean just that). Another state
 * file in its place wins over memory, since it was put there on purpose, by an administrator from a copy, or by another
 * process that was quicker to notice the removal; but one that knows no host (`nbrpc -P` makes such) says nothing.
 */
export class StateStore {
  readonly path: string;
  readonly #options: StateStoreOptions;
  #state: State;
  /** Undefined after the file was lost, until another one could be opened. */
  #open: OpenFile | undefined;
  #version: unknown;
  #replacement: Replacement | undefined;
  #closed = false;

  private constructor(options: StateStoreOptions, open: OpenFile) {
    this.path = options.path;
    this.#options = options;
    this.#open = open;
    this.#version = versionOf(open.database);
    this.#state = loadState(open.database, options.path);
  }

  /** Throws NetstewardError: `state-file-not-sqlite`, `-unusable`, `-foreign`, `-newer`, `-damaged`. */
  static open(options: StateStoreOptions): StateStore {
    const open = openFile(options);
    try {
      return new StateStore(options, open);
    } catch (error) {
      open.database.close();
      throw cannotBeUsed(options.path, error);
    }
  }

  /** The state as it was last read or saved. */
  get state(): State {
    return this.#state;
  }

  /** What the newest refresh(), or a commit() since, has made good; undefined where the file was in its place. */
  get replacement(): Replacement | undefined {
    return this.#replacement;
  }

  /** Takes in what other processes have written. Rejects with NetstewardError `state-not-saved` or `state-file-damaged`. */
  refresh(signal?: AbortSignal): Promise<State> {
    this.#replacement = undefined;
    return this.#patiently('read', signal, () => {
      this.#reload(this.#inPlace());
      return this.#state;
    });
  }

  /**
   * Decides on the newest state and saves the outcome, all in one transaction. `work` may run again after a lock of
   * others. Rejects with NetstewardError `state-not-saved` or `state-file-damaged`; the state is then as it was before.
   */
  async commit<Result extends { readonly changes: Changes }>(
    work: (state: State) => Result,
    signal?: AbortSignal,
  ): Promise<Result> {
    return this.#patiently('written', signal, () => {
      const open = this.#inPlace();
      const result = open.database.transaction(() => {
        this.#reload(open);
        const decided = deciding(() => work(this.#state));
        open.writer.write(decided.changes);
        return decided;
      });
      this.#state.adopt(result.changes);
      return result;
    });
  }

  /** Everything is in the one file afterwards; one that was removed stays so. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#open?.database.close();
  }

  #reload({ database }: OpenFile): void {
    const version = versionOf(database);
    if (version === this.#version) return;
    this.#state = loadState(database, this.path);
    this.#version = version;
  }

  /** The file that the path leads to, which has what is in memory or more. */
  #inPlace(): OpenFile {
    if (this.#open?.database.inPlace() === true) return this.#open;
    const lost = this.#open;
    this.#open = undefined;
    // First of all: SQLite must not meet the log of the lost file beside the new one.
    lost?.database.close();
    const open = openFile(this.#options);
    try {
      const version = versionOf(open.database);
      const before = this.#state;
      this.#state = open.database.transaction(() => {
        const found = loadState(open.database, this.path);
        if (found.size > 0) return found;
        open.writer.write(everythingOf(before));
        return before;
      });
      this.#version = version;
      this.#replacement = this.#state === before ? 'rewritten' : 'taken-over';
      this.#open = open;
      return open;
    } catch (error) {
      open.database.close();
      throw error;
    }
  }

  async #patiently<Result>(what: string, signal: AbortSignal | undefined, work: () => Result): Promise<Result> {
    const { clock } = this.#options;
    const end = clock.monotonic() + longestWait;
    for (;;) {
      signal?.throwIfAborted();
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || clock.monotonic() >= end) throw this.#failure(what, error);
      }
      await sleep(clock, retryAfter, signal);
    }
  }

  #failure(what: string, error: unknown): NetstewardError {
    if (error instanceof DecisionFailure) throw error.cause;
    if (isDamage(error)) {
      const message = error instanceof NetstewardError ? error.message : `${this.path} is damaged: ${messageOf(error)}`;
      return new NetstewardError('state-file-damaged', message, {
        remedy:
          'Move it away: netsteward writes a new one from what it knows while it runs, else it starts with an empty state.',
        cause: error,
      });
    }
    // What is at the path now may be of no use at all; until somebody mends that, the state in memory goes on.
    const known = error instanceof NetstewardError ? error : undefined;
    return new NetstewardError(
      'state-not-saved',
      known?.message ?? `${this.path} cannot be ${what}: ${messageOf(error)}`,
      {
        remedy: known?.remedy ?? 'Free space or mend permissions; it is tried again at the next pass.',
        cause: error,
      },
    );
  }
}

interface OpenFile {
  readonly database: Database;
  readonly writer: ChangeWriter;
}

/** Looks first whose file it is: SQLite is let at our own alone. */
function openFile({ store, path }: StateStoreOptions): OpenFile {
  const database = store.open(path);
  try {
    const { mark } = database;
    if (mark !== undefined) {
      const problem = headerProblem(mark.applicationId, mark.userVersion, path);
      if (problem !== undefined) throw problem;
      if (mark.missingBytes > 0) throw damagedFile(path, `it lacks ${mark.missingBytes} byte(s) at its end`);
    }
    prepareSchema(database, path);
    database.exec(`PRAGMA busy_timeout = ${blockingWait}`);
    return { database, writer: new ChangeWriter(database) };
  } catch (error) {
    database.close();
    throw cannotBeUsed(path, error);
  }
}

function cannotBeUsed(path: string, error: unknown): unknown {
  if (error instanceof NetstewardError) return error;
  if (isDamage(error)) return damagedFile(path, messageOf(error), error);
  return new NetstewardError('state-file-unusable', `${path} cannot be used: ${messageOf(error)}`, {
    remedy: 'Free space or mend permissions of the file and its folder.',
    cause: error,
  });
}

function versionOf(database: Database): unknown {
  return database.prepare('PRAGMA data_version').get()?.data_version;
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

/** The primary one of SQLite's codes (sqlite.org/rescode.html). */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

/** SQLITE_BUSY and SQLITE_LOCKED. */
function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === 5 || code === 6;
}

/** SQLITE_CORRUPT and SQLITE_NOTADB, or rows that make no sense. */
function isDamage(error: unknown): boolean {
  if (error instanceof NetstewardError) return error.code === 'state-file-damaged';
  const code = codeOf(error);
  return code === 11 || code === 26;
}
