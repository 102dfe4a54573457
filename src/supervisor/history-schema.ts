/** The history's file: its tables, and how it is known to be ours. */
import { NetstewardError } from '../core/errors.ts';
import type { Database, Store } from '../system/ports.ts';

/** `nshi`, in the header of the file (SQLite file format §1.3.15). */
export const applicationId = 0x6e736869;
const schemaVersion = 1;

// Pages of the write-ahead log, of 4 kB, after which it is put into the file (sqlite.org/pragma.html#pragma_wal_autocheckpoint).
const logPages = 250;
/** Bytes of the file's limit that its log and index get. */
export const logShare = 2_000_000;

/** Milliseconds that a statement may wait for another process: the supervisor's loop stands still meanwhile. */
const longestBlock = 200;

const schema = `
  CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    module TEXT NOT NULL,
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    fields TEXT NOT NULL
  ) STRICT;
  CREATE INDEX event_at ON event (at);
  CREATE INDEX event_subject ON event (subject, at);
  CREATE TABLE latency (
    minute INTEGER NOT NULL,
    resolver TEXT NOT NULL,
    outcome TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (minute, resolver, outcome, bucket)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Opens the file, or makes it. Throws NetstewardError `history-foreign` and `history-newer`, those of Store.open(), and
 * SQLite's own errors; then nothing of it stays open, and a file of others is as it was.
 */
export function openHistoryFile(store: Store, path: string): Database {
  const database = store.open(path);
  try {
    const { mark } = database;
    if (mark !== undefined) refuseOthers(mark.applicationId, mark.userVersion, path);
    database.exec(`PRAGMA busy_timeout = ${longestBlock}`);
    database.exec(`PRAGMA wal_autocheckpoint = ${logPages}`);
    database.exec(`PRAGMA journal_size_limit = ${logPages * 4096}`);
    prepare(database, path);
    return database;
  } catch (error) {
    closeQuietly(database);
    throw error;
  }
}

/** What could not be written is lost with it either way. */
export function closeQuietly(database: Database): void {
  try {
    database.close();
  } catch {
    // A full or broken disk; the file is whole up to its last transaction.
  }
}

function prepare(database: Database, path: string): void {
  if (isEmpty(database)) {
    // Takes effect with VACUUM alone once WAL mode has written the first page (sqlite.org/pragma.html#pragma_auto_vacuum).
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('VACUUM');
  }
  database.transaction(() => {
    // Another process may have made the tables meanwhile.
    if (!isEmpty(database)) {
      return refuseOthers(pragma(database, 'application_id'), pragma(database, 'user_version'), path);
    }
    database.exec(schema);
    database.exec(`PRAGMA application_id = ${applicationId}`);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}

function isEmpty(database: Database): boolean {
  const tables = Number(database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count ?? 0);
  return tables === 0 && pragma(database, 'application_id') === 0;
}

function refuseOthers(id: number, version: number, path: string): void {
  if (id !== applicationId) {
    throw new NetstewardError('history-foreign', `${path} is an SQLite database of some other program`);
  }
  if (version > schemaVersion) {
    throw new NetstewardError('history-newer', `${path} was written by a newer netsteward`);
  }
}

/** A number that `PRAGMA name` gives. */
export function pragma(database: Database, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}
