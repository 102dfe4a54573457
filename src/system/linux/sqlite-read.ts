/** A connection to an SQLite file that can only read it, beside the one of another thread of this process that writes it. */
import { statSync } from 'node:fs';
import type { SqlRow } from '../ports.ts';
import { builtinSqlite, packagedSqlite } from './sqlite.ts';
import { identityOf } from './sqlite-look.ts';

export interface SqliteReader {
  /** Throws SQLite's errors. */
  all(text: string, parameters: readonly (string | number)[]): readonly SqlRow[];
  /** False once the file was removed or replaced. */
  inPlace(): boolean;
  close(): void;
}

/** Milliseconds to wait for whoever has the whole file: nobody, but for the moment of its making. */
const busyWait = 1000;

/**
 * Throws a Node system error where there is no such file, SQLite's own where it cannot be read. Nothing but SQLite may open the file
 * here: to close a file gives up all locks that its process has on it, other threads' too (sqlite.org/howtocorrupt.html §2.2).
 */
export function openReader(path: string): SqliteReader {
  // To open a FIFO would hold up this thread until somebody writes into it.
  if (!statSync(path).isFile()) throw new Error('it is no regular file');
  const { connect } = builtinSqlite() ?? packagedSqlite();
  const connection = connect(path, { readOnly: true });
  try {
    connection.exec(`PRAGMA busy_timeout = ${busyWait}`);
    connection.exec('PRAGMA trusted_schema = OFF');
    // 2 MB (negative: kibibytes), what it has by default, times the pages of one look at a month.
    connection.exec('PRAGMA cache_size = -2000');
    connection.exec('SELECT count(*) FROM sqlite_schema');
  } catch (error) {
    connection.close();
    throw error;
  }
  const file = identityOf(path);
  const statements = new Map<string, ReturnType<typeof connection.prepare>>();
  return {
    all(text, parameters) {
      const statement = statements.get(text) ?? connection.prepare(text);
      statements.set(text, statement);
      return statement.all(...parameters) as SqlRow[];
    },
    inPlace() {
      try {
        return identityOf(path) === file;
      } catch {
        // It cannot be seen just now, which says nothing of the file.
        return true;
      }
    },
    close: () => connection.close(),
  };
}
