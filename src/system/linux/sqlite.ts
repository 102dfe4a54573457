/** SQLite through Node's own `node:sqlite` where it has it, else through @photostructure/sqlite, which has the same API. */
import { createRequire } from 'node:module';
import type { DatabaseSyncInstance } from '@photostructure/sqlite';
import { NetstewardError } from '../../core/errors.ts';
import type { Database, SqlRow, Statement, Store } from '../ports.ts';

type Connect = (path: string) => DatabaseSyncInstance;

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
    | { readonly DatabaseSync: new (path: string) => DatabaseSyncInstance }
    | undefined;
  if (builtin === undefined) return undefined;
  return { name: 'node:sqlite', connect: (path) => new builtin.DatabaseSync(path), endsStatements: true };
}

/** The binding from npm, with its prebuilt library. */
export function packagedSqlite(): SqliteBinding {
  // Loaded on demand: its native library is of no use where Node has its own.
  const require = createRequire(import.meta.url);
  const { DatabaseSync } = require('@photostructure/sqlite') as typeof import('@photostructure/sqlite');
  return { name: '@photostructure/sqlite', connect: (path) => new DatabaseSync(path), endsStatements: false };
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
    let connection: DatabaseSyncInstance | undefined;
    try {
      connection = this.#binding.connect(path);
      connection.exec(`PRAGMA busy_timeout = ${openingWait}`);
      // Readers go on while one writes, and a kill at any moment leaves the last whole transaction (sqlite.org/wal.html).
      connection.exec('PRAGMA journal_mode = WAL');
      // In WAL mode NORMAL loses no committed transaction unless the machine itself goes down, and then only the newest.
      connection.exec('PRAGMA synchronous = NORMAL');
      connection.exec('PRAGMA foreign_keys = ON');
      connection.exec('PRAGMA trusted_schema = OFF');
      connection.exec(`PRAGMA busy_timeout = ${busyWait}`);
      return new SqliteDatabase(connection, this.#binding.endsStatements);
    } catch (error) {
      try {
        connection?.close();
      } catch {
        // It was never usable; what was wrong is told below.
      }
      throw openFailure(path, error);
    }
  }
}

/** SQLITE_NOTADB (sqlite.org/rescode.html). */
const notADatabase = 26;

function openFailure(path: string, error: unknown): NetstewardError {
  if (error instanceof Error && 'errcode' in error && error.errcode === notADatabase) {
    return new NetstewardError('state-file-not-sqlite', `${path} is not an SQLite database`, {
      remedy: 'Name another state file, or move that one away.',
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new NetstewardError('state-file-unusable', `${path} cannot be opened: ${reason}`, {
    remedy: 'Its folder must exist, and both must be writable for this user.',
    cause: error,
  });
}

class SqliteDatabase implements Database {
  readonly #connection: DatabaseSyncInstance;
  readonly #endsStatements: boolean;
  #closed = false;

  constructor(connection: DatabaseSyncInstance, endsStatements: boolean) {
    this.#connection = connection;
    this.#endsStatements = endsStatements;
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
    // IMMEDIATE takes the write lock at once: a lock taken later, after a read, can fail without any wait.
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#connection.exec('COMMIT');
      return result;
    } catch (error) {
      try {
        this.#connection.exec('ROLLBACK');
      } catch {
        // SQLite has rolled back by itself, as it does on a full disk (sqlite.org/lang_transaction.html §3).
      }
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#connection.exec('PRAGMA busy_timeout = 1000');
      this.#connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      if (!this.#endsStatements) this.#leaveLog();
    } catch {
      // A full disk or another process: the log stays beside the file, and the next open takes it in.
    }
    this.#connection.close();
  }

  /** Removes the log while the connection is open still; impossible, and not needed, while others have the file open. */
  #leaveLog(): void {
    // Of two processes that end at the same moment, the one that tries longer finds the other gone.
    const tries = 4 + (process.pid % 8);
    for (let left = tries; ; left--) {
      try {
        this.#connection.exec('PRAGMA journal_mode = DELETE');
        return;
      } catch (error) {
        if (left === 0) throw error;
        // SQLite's busy handler is not asked for this lock. Nothing else has to run in this process at its end.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 15);
      }
    }
  }
}
