/** SQLite through Node's own `node:sqlite` where it has it, else through @photostructure/sqlite, which has the same API. */
import { accessSync, constants, existsSync, realpathSync, unlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { DatabaseSyncInstance } from '@photostructure/sqlite';
import type { NetstewardError } from '../../core/errors.ts';
import type { Database, DatabaseMark, SqlRow, Statement, Store } from '../ports.ts';
import { damaged, type FileIdentity, fileTrouble, identityOf, keepLocks, lookAt, unusable } from './sqlite-look.ts';

interface ConnectOptions {
  readonly readOnly: boolean;
}

type Connect = (path: string, options?: ConnectOptions) => DatabaseSyncInstance;

/** One of the two bindings. */
export interface SqliteBinding {
  readonly name: 'node:sqlite' | '@photostructure/sqlite';
  readonly connect: Connect;
  /**
   * Whether closing ends the prepared statements. @photostructure/sqlite leaves that to the garbage collector, and until
   * then SQLite keeps the connection, and with it the write-ahead log, half open (sqlite.org/c3ref/close.html).
   */
  readonly endsStatements: boolean;
}

/** Node's own, from 22.13 on without a flag; undefined on an older Node. */
export function builtinSqlite(): SqliteBinding | undefined {
  // Not an import: that would fail on a Node that lacks it. getBuiltinModule() is in Node 20.16 and later.
  const builtin = process.getBuiltinModule('node:sqlite') as
    | { readonly DatabaseSync: new (path: string, options?: ConnectOptions) => DatabaseSyncInstance }
    | undefined;
  if (builtin === undefined) return undefined;
  const connect: Connect = (path, options = { readOnly: false }) => new builtin.DatabaseSync(path, options);
  return { name: 'node:sqlite', connect, endsStatements: true };
}

/** The binding from npm, with its prebuilt library. */
export function packagedSqlite(): SqliteBinding {
  // Loaded on demand: its native library is of no use where Node has its own.
  const require = createRequire(import.meta.url);
  const { DatabaseSync } = require('@photostructure/sqlite') as typeof import('@photostructure/sqlite');
  const connect: Connect = (path, options = { readOnly: false }) => new DatabaseSync(path, options);
  return { name: '@photostructure/sqlite', connect, endsStatements: false };
}

/** Milliseconds to wait for other processes: while opening, and afterwards. */
const openingWait = 5000;
const busyWait = 60_000;

export class SqliteStore implements Store {
  readonly #binding: SqliteBinding;

  constructor(binding: SqliteBinding = builtinSqlite() ?? packagedSqlite()) {
    this.#binding = binding;
  }

  open(path: string): Database {
    return new SqliteDatabase(this.#binding, path, lookAt(path));
  }
}

/** Primary codes of sqlite.org/rescode.html. */
const codes = { busy: 5, locked: 6, corrupt: 11, full: 13, notADatabase: 26 } as const;

function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

function openFailure(path: string, error: unknown): NetstewardError {
  const reason = error instanceof Error ? error.message : String(error);
  switch (codeOf(error)) {
    // Its header was good: what is behind it is not.
    case codes.corrupt:
    case codes.notADatabase:
      return damaged(path, reason, error);
    case codes.busy:
    case codes.locked:
      return unusable(
        path,
        `cannot be opened: another process holds it (${reason})`,
        `End that process (\`fuser ${path}\` names it), or name another state file.`,
        error,
      );
    case codes.full:
      return unusable(path, `cannot be opened: ${reason}`, 'Free space.', error);
    default:
      return accessFailure(path) ?? unusable(path, `cannot be opened: ${reason}`, accessRemedy, error);
  }
}

const accessRemedy = 'Its folder must exist, and both must be writable for this user.';

/** SQLite says no more than that it could not; the file or its folder may tell why. */
function accessFailure(path: string): NetstewardError | undefined {
  try {
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
    // The log and its index are made beside the file that a link leads to.
    accessSync(dirname(existsSync(path) ? realpathSync(path) : path), constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return fileTrouble(path, error);
  }
}

class SqliteDatabase implements Database {
  readonly mark: DatabaseMark | undefined;
  readonly #binding: SqliteBinding;
  readonly #path: string;
  #opened: Opened | undefined;
  #closed = false;

  constructor(binding: SqliteBinding, path: string, mark: DatabaseMark | undefined) {
    this.#binding = binding;
    this.#path = path;
    this.mark = mark;
  }

  get #connection(): DatabaseSyncInstance {
    if (this.#closed) throw new Error(`${this.#path} is closed`);
    this.#opened ??= connected(this.#binding, this.#path);
    return this.#opened.connection;
  }

  inPlace(): boolean {
    if (this.#opened === undefined) return true;
    try {
      const found = identityOf(this.#path);
      return found !== undefined && found === this.#opened.file;
    } catch {
      // It cannot be seen just now (no permission, a broken disk), which says nothing of the file.
      return true;
    }
  }

  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  prepare(sql: string): Statement {
    const statement = this.#connection.prepare(sql);
    return {
      run: (...parameters) => ({ changes: statement.run(...parameters).changes }),
      get: (...parameters) => statement.get(...parameters) as SqlRow | undefined,
      all: (...parameters) => statement.all(...parameters) as SqlRow[],
    };
  }

  transaction<Result>(work: () => Result): Result {
    const connection = this.#connection;
    // IMMEDIATE takes the write lock at once: a lock taken later, after a read, can fail without any wait.
    connection.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      connection.exec('COMMIT');
      return result;
    } catch (error) {
      try {
        connection.exec('ROLLBACK');
      } catch {
        // SQLite has rolled back by itself, as it does on a full disk (sqlite.org/lang_transaction.html §3).
      }
      throw error;
    }
  }

  close(): void {
    const inPlace = this.inPlace();
    this.#closed = true;
    const opened = this.#opened;
    if (opened === undefined) return;
    this.#opened = undefined;
    const { connection } = opened;
    try {
      connection.exec('PRAGMA busy_timeout = 1000');
      // Also of a file that was moved: whoever has moved it finds it whole.
      connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      if (inPlace && !this.#binding.endsStatements) leaveLog(connection);
    } catch {
      // A full disk or another process: the log stays beside the file, and the next open takes it in.
    }
    connection.close();
    keepLocks(opened.file, -1);
    if (!inPlace) removeLogs(opened);
  }
}

interface Opened {
  readonly connection: DatabaseSyncInstance;
  readonly file: FileIdentity;
  /** The log and its index, by path. */
  readonly logs: ReadonlyMap<string, FileIdentity>;
}

function connected(binding: SqliteBinding, path: string): Opened {
  let connection: DatabaseSyncInstance | undefined;
  try {
    connection = binding.connect(path);
    connection.exec(`PRAGMA busy_timeout = ${openingWait}`);
    // A damaged file is found out before anything is written to it.
    connection.exec('SELECT count(*) FROM sqlite_schema');
    // Readers go on while one writes, and a kill at any moment leaves the last whole transaction (sqlite.org/wal.html).
    connection.exec('PRAGMA journal_mode = WAL');
    // In WAL mode NORMAL loses no committed transaction unless the machine itself goes down, and then only the newest.
    connection.exec('PRAGMA synchronous = NORMAL');
    connection.exec('PRAGMA foreign_keys = ON');
    connection.exec('PRAGMA trusted_schema = OFF');
    connection.exec(`PRAGMA busy_timeout = ${busyWait}`);
    // The first read in WAL mode makes the log and its index.
    connection.exec('SELECT count(*) FROM sqlite_schema');
    const file = identityOf(path);
    const real = realpathSync(path);
    const logs = new Map(['-wal', '-shm'].map((log) => [real + log, identityOf(real + log)]));
    keepLocks(file, 1);
    return { connection, file, logs };
  } catch (error) {
    try {
      connection?.close();
    } catch {
      // It was never usable; what was wrong is told below.
    }
    throw openFailure(path, error);
  }
}

/**
 * SQLite leaves the logs of a file that was moved or replaced (databaseIsUnmoved() in its pager.c), and would read them into
 * whatever file is put there next (sqlite.org/howtocorrupt.html §1.4). Those of another file's own connection stay.
 */
function removeLogs({ logs }: Opened): void {
  for (const [path, identity] of logs) {
    try {
      if (identity !== undefined && identityOf(path) === identity) unlinkSync(path);
    } catch {
      // What the folder does not let us remove is empty at least.
    }
  }
}

/** Removes the log while the connection is open still; impossible, and not needed, while others have the file open. */
function leaveLog(connection: DatabaseSyncInstance): void {
  // Of two processes that end at the same moment, the one that tries longer finds the other gone.
  const tries = 4 + (process.pid % 8);
  for (let left = tries; ; left--) {
    try {
      connection.exec('PRAGMA journal_mode = DELETE');
      return;
    } catch (error) {
      if (left === 0) throw error;
      // SQLite's busy handler is not asked for this lock. Nothing else has to run in this process at its end.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 15);
    }
  }
}
