/** The replay state in its SQLite file: saved before a zone is written, shared with other servers on the same zones. */
import { NetstewardError } from '../core/errors.ts';
import type { CommitSync } from '../system/dyndns-ports.ts';
import type { Database, Store } from '../system/ports.ts';
import { type Family, readAddress } from './address.ts';
import type { LastAccepted, ReplayState } from './replay.ts';

/** `dynd` in ASCII, PRAGMA application_id (sqlite.org/pragma.html). */
const applicationId = 0x64796e64;
const version = 1;
/** Milliseconds that another process may take for its commit. */
const busyTimeout = 2000;

/**
 * A packet counts as accepted once this state says so on disk, and only then is the zone written: a crash in between leaves
 * a row that is pending, from which the edit is made again at the next start. The other order would accept a packet twice.
 */
export class ReplayStore {
  readonly #database: Database;
  readonly #path: string;
  #state: ReplayState = new Map();
  #version: unknown;
  readonly #sync: CommitSync;
  #syncing = Promise.resolve();
  #next: Promise<void> | undefined;

  /** Throws NetstewardError `state-file-*` or `replay-state-*`. */
  constructor(store: Store, sync: CommitSync, path: string) {
    this.#path = path;
    this.#sync = sync;
    this.#database = store.open(path);
    try {
      const { mark } = this.#database;
      if (mark !== undefined && mark.applicationId !== applicationId) throw foreign(path);
      if (mark !== undefined && mark.userVersion > version) throw newer(path, mark.userVersion);
      this.#database.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
      this.#database.transaction(() => {
        this.#database.exec(`
          PRAGMA application_id = ${applicationId};
          PRAGMA user_version = ${version};
          CREATE TABLE IF NOT EXISTS last_accepted (
            key_id TEXT NOT NULL, family INTEGER NOT NULL, timestamp REAL NOT NULL, address TEXT NOT NULL,
            accepted_at REAL NOT NULL, written_timestamp REAL, written_at REAL, pending INTEGER NOT NULL,
            PRIMARY KEY (key_id, family)
          ) STRICT, WITHOUT ROWID`);
      });
      this.#load();
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  get state(): ReplayState {
    return this.#state;
  }

  /**
   * Saves what `decide` makes of the newest state: a kill of the process loses nothing of it from then on, a power cut after
   * `durable()` only. Throws NetstewardError `replay-state-not-saved`: then nothing was accepted, and the packet may come again.
   */
  update(decide: (state: ReplayState) => ReplayState): ReplayState {
    try {
      const next = this.#database.transaction(() => {
        if (this.#dataVersion() !== this.#version) this.#load();
        const decided = decide(this.#state);
        this.#save(decided);
        return decided;
      });
      // Only now: what is in memory must not be ahead of a file whose commit failed.
      this.#state = next;
      return next;
    } catch (error) {
      if (error instanceof NetstewardError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new NetstewardError('replay-state-not-saved', `${this.#path} cannot be written: ${reason}`, {
        remedy: 'Free space or mend permissions; until then no update is taken.',
        cause: error,
      });
    }
  }

  /**
   * Resolves when what was saved before is on the disk. One sync serves all that wait for it, and this thread is free
   * meanwhile: on a slow disk it would miss thousands of packets. Rejects with a system error.
   */
  durable(): Promise<void> {
    // One on its way may have begun before the last commit.
    this.#next ??= this.#syncing
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        this.#syncing = this.#sync.sync(this.#path);
        return this.#syncing;
      });
    return this.#next;
  }

  /** Takes in what another process has accepted. */
  refresh(): ReplayState {
    if (this.#dataVersion() !== this.#version) this.#load();
    return this.#state;
  }

  /** Idempotent. */
  close(): void {
    this.#database.close();
  }

  #save(next: ReplayState): void {
    const put = this.#database.prepare('INSERT OR REPLACE INTO last_accepted VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    for (const [keyId, families] of next) {
      const before = this.#state.get(keyId);
      if (before === families) continue;
      for (const family of [4, 6] as const) {
        const last = families[family];
        if (last === undefined || last === before?.[family]) continue;
        const { timestamp, address, acceptedAt, written, pending } = last;
        const write = [written?.timestamp ?? null, written?.at ?? null];
        put.run(keyId, family, timestamp, address, acceptedAt, ...write, pending === true ? 1 : 0);
      }
    }
  }

  #dataVersion(): unknown {
    return this.#database.prepare('PRAGMA data_version').get()?.data_version;
  }

  #load(): void {
    const state = new Map<string, Partial<Record<Family, LastAccepted>>>();
    const seen = this.#dataVersion();
    for (const row of this.#database.prepare('SELECT * FROM last_accepted').all()) {
      const family = Number(row.family);
      const address = String(row.address);
      if ((family !== 4 && family !== 6) || readAddress(address)?.family !== family) throw damaged(this.#path);
      const written =
        row.written_timestamp === null || row.written_at === null
          ? {}
          : { written: { timestamp: Number(row.written_timestamp), at: Number(row.written_at) } };
      const last: LastAccepted = {
        timestamp: Number(row.timestamp),
        address,
        acceptedAt: Number(row.accepted_at),
        ...written,
        ...(Number(row.pending) === 1 ? { pending: true } : {}),
      };
      const keyId = String(row.key_id);
      state.set(keyId, { ...state.get(keyId), [family]: last });
    }
    this.#state = state;
    this.#version = seen;
  }
}

function foreign(path: string): NetstewardError {
  return new NetstewardError('state-file-foreign', `${path} is the database of another program`, {
    remedy: 'Name another state file.',
  });
}

function newer(path: string, found: number): NetstewardError {
  return new NetstewardError('replay-state-newer', `${path} was written by a later netsteward (version ${found})`, {
    remedy: 'Run that version, or name another state file.',
  });
}

function damaged(path: string): NetstewardError {
  return new NetstewardError('replay-state-damaged', `${path} holds an address that is none`, {
    remedy: 'Put a saved copy back, or move it away: then the timestamps in the zone headers alone tell old from new.',
  });
}
