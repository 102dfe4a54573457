/** State files in memory: real SQLite without a disk, kept by path until the test ends; writing can be made to fail. */

import { NetstewardError } from '../../src/core/errors.ts';
import { builtinSqlite, packagedSqlite } from '../../src/system/linux/sqlite.ts';
import type { Database, DatabaseMark, SqlRow, Statement, Store } from '../../src/system/ports.ts';

export class MemoryStore implements Store {
  readonly #files = new Map<string, Database>();
  #failure: { readonly errcode: number; readonly message: string } | undefined;
  /** Databases that are open at the moment. */
  opened = 0;

  /** Lets every transaction fail with this SQLite error, as a full disk (13) or another writer (5) does; undefined mends it. */
  failWrites(failure: { readonly errcode: number; readonly message: string } | undefined): void {
    this.#failure = failure;
  }

  /** As `rm` does: those who have it open go on with what no path leads to any more. */
  remove(path: string): void {
    this.#files.delete(path);
  }

  /** As `mv` does. */
  rename(from: string, to: string): void {
    const file = this.#files.get(from);
    if (file === undefined) throw new Error(`no file ${from}`);
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  open(path: string): Database {
    if (path.startsWith('/nowhere/')) {
      throw new NetstewardError('state-file-unusable', `${path} cannot be opened: unable to open database file`);
    }
    let database: Database | undefined;
    let isOpen = true;
    const mark = markOf(this.#files.get(path));
    this.opened += 1;
    // Made with the first statement, as on a disk.
    const connection = (): Database => {
      if (!isOpen) throw new Error(`${path} is closed`);
      database ??= this.#fileAt(path);
      return database;
    };
    return {
      mark,
      inPlace: () => database === undefined || this.#files.get(path) === database,
      exec: (sql) => connection().exec(sql),
      prepare: (sql) => connection().prepare(sql),
      transaction: (work) => {
        if (this.#failure !== undefined) throw Object.assign(new Error(this.#failure.message), this.#failure);
        return connection().transaction(work);
      },
      close: () => {
        if (isOpen) this.opened -= 1;
        isOpen = false;
      },
    };
  }

  #fileAt(path: string): Database {
    const found = this.#files.get(path) ?? memoryDatabase();
    this.#files.set(path, found);
    return found;
  }
}

function markOf(file: Database | undefined): DatabaseMark | undefined {
  if (file === undefined) return undefined;
  const pragma = (name: string): number => Number(file.prepare(`PRAGMA ${name}`).get()?.[name]);
  const tables = Number(file.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
  const [applicationId, userVersion] = [pragma('application_id'), pragma('user_version')];
  return applicationId + userVersion + tables === 0 ? undefined : { applicationId, userVersion, missingBytes: 0 };
}

function memoryDatabase(): Database {
  const connection = (builtinSqlite() ?? packagedSqlite()).connect(':memory:');
  connection.exec('PRAGMA foreign_keys = ON');
  return {
    mark: undefined,
    inPlace: () => true,
    exec: (sql) => connection.exec(sql),
    prepare(sql): Statement {
      const statement = connection.prepare(sql);
      return {
        run: (...parameters) => ({ changes: statement.run(...parameters).changes }),
        get: (...parameters) => statement.get(...parameters) as SqlRow | undefined,
        all: (...parameters) => statement.all(...parameters) as SqlRow[],
      };
    },
    transaction(work) {
      connection.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        connection.exec('COMMIT');
        return result;
      } catch (error) {
        connection.exec('ROLLBACK');
        throw error;
      }
    },
    close() {},
  };
}
