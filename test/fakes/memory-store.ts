/** State files in memory: real SQLite without a disk, kept by path until the test ends; writing can be made to fail. */

import { NetstewardError } from '../../src/core/errors.ts';
import { builtinSqlite, packagedSqlite } from '../../src/system/linux/sqlite.ts';
import type { Database, SqlRow, Statement, Store } from '../../src/system/ports.ts';

export class MemoryStore implements Store {
  readonly #files = new Map<string, Database>();
  #failure: { readonly errcode: number; readonly message: string } | undefined;
  /** Databases that are open at the moment. */
  opened = 0;

  /** Lets every transaction fail with this SQLite error, as a full disk (13) or another writer (5) does; undefined mends it. */
  failWrites(failure: { readonly errcode: number; readonly message: string } | undefined): void {
    this.#failure = failure;
  }

  open(path: string): Database {
    if (path.startsWith('/nowhere/')) {
      throw new NetstewardError('state-file-unusable', `${path} cannot be opened: unable to open database file`);
    }
    let shared = this.#files.get(path);
    if (shared === undefined) {
      shared = memoryDatabase();
      this.#files.set(path, shared);
    }
    const database = shared;
    this.opened += 1;
    return {
      exec: (sql) => database.exec(sql),
      prepare: (sql) => database.prepare(sql),
      transaction: (work) => {
        if (this.#failure !== undefined) throw Object.assign(new Error(this.#failure.message), this.#failure);
        return database.transaction(work);
      },
      close: () => {
        this.opened -= 1;
      },
    };
  }
}

function memoryDatabase(): Database {
  const connection = (builtinSqlite() ?? packagedSqlite()).connect(':memory:');
  connection.exec('PRAGMA foreign_keys = ON');
  return {
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
