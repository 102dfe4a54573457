/** What outlives the process: how far up the ladder each resolver is, and what happened, in an SQLite file. */
import type { Clock } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import type { Database, SqlRow, Store } from '../system/ports.ts';
import { type Happening, type HappeningKind, mostHappenings } from './history.ts';
import { foot, type Ladder } from './ladder.ts';

/** `dnst` in ASCII, PRAGMA application_id (sqlite.org/pragma.html). */
const applicationId = 0x646e7374;
const version = 1;

/**
 * Without it a netsteward that is restarted, by whomever, would begin with the first cure again, and the resolver could be
 * restarted without end. Times in the file are of the wall clock, those of a Ladder are monotonic.
 */
export class WatchStore {
  readonly #database: Database;
  readonly #path: string;
  readonly #clock: Clock;

  /** Throws NetstewardError `state-file-*` or `watch-state-foreign`. */
  constructor(store: Store, path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#database = store.open(path);
    try {
      const { mark } = this.#database;
      if (mark !== undefined && (mark.applicationId !== applicationId || mark.userVersion > version)) {
        throw new NetstewardError(
          'watch-state-foreign',
          `${path} is the file of another program or a newer netsteward`,
          {
            remedy: 'Name another file in dnstest.state.',
          },
        );
      }
      this.#database.exec('PRAGMA busy_timeout = 2000; PRAGMA synchronous = NORMAL');
      this.#database.transaction(() => {
        this.#database.exec(`
          PRAGMA application_id = ${applicationId};
          PRAGMA user_version = ${version};
          CREATE TABLE IF NOT EXISTS ladder (
            resolver TEXT PRIMARY KEY, next INTEGER NOT NULL, rests INTEGER NOT NULL, rest_until REAL, well_since REAL
          ) STRICT, WITHOUT ROWID;
          CREATE TABLE IF NOT EXISTS happening (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, resolver TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL
          ) STRICT`);
      });
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** `longestRest` (milliseconds): a wall clock that was wrong must not let a resolver rest for years. */
  ladder(resolver: string, longestRest: number): Ladder {
    const row = this.#database.prepare('SELECT * FROM ladder WHERE resolver = ?').get(resolver);
    if (row === undefined) return foot;
    const now = this.#clock.monotonic();
    const restUntil = this.#monotonic(row.rest_until);
    const wellSince = this.#monotonic(row.well_since);
    return {
      next: Number(row.next),
      rests: Number(row.rests),
      restUntil: restUntil === undefined ? undefined : Math.min(restUntil, now + longestRest),
      wellSince: wellSince === undefined ? undefined : Math.min(wellSince, now),
    };
  }

  history(): readonly Happening[] {
    const rows = this.#database.prepare('SELECT at, resolver, kind, text FROM happening ORDER BY id').all();
    return rows.map(readHappening);
  }

  /** Throws NetstewardError `watch-state-not-saved`. */
  save(ladders: ReadonlyMap<string, Ladder>, happenings: readonly Happening[]): void {
    try {
      this.#database.transaction(() => {
        const put = this.#database.prepare('INSERT OR REPLACE INTO ladder VALUES (?, ?, ?, ?, ?)');
        for (const [resolver, { next, rests, restUntil, wellSince }] of ladders) {
          put.run(resolver, next, rests, this.#wall(restUntil), this.#wall(wellSince));
        }
        const add = this.#database.prepare('INSERT INTO happening (at, resolver, kind, text) VALUES (?, ?, ?, ?)');
        for (const { at, resolver, kind, text } of happenings) add.run(at, resolver, kind, text);
        const prune = 'DELETE FROM happening WHERE id <= (SELECT max(id) FROM happening) - ?';
        if (happenings.length > 0) this.#database.prepare(prune).run(mostHappenings);
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new NetstewardError('watch-state-not-saved', `${this.#path} cannot be written: ${reason}`, {
        remedy: 'Free space or mend permissions; it is tried again by itself.',
        cause: error,
      });
    }
  }

  /** Idempotent. */
  close(): void {
    this.#database.close();
  }

  #wall(monotonic: number | undefined): number | null {
    return monotonic === undefined ? null : monotonic - this.#clock.monotonic() + this.#clock.now();
  }

  #monotonic(wall: SqlRow[string] | undefined): number | undefined {
    return typeof wall === 'number' ? wall - this.#clock.now() + this.#clock.monotonic() : undefined;
  }
}

function readHappening({ at, resolver, kind, text }: SqlRow): Happening {
  return { at: Number(at), resolver: String(resolver), kind: String(kind) as HappeningKind, text: String(text) };
}
