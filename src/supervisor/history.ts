/** The history: events in an SQLite file of bounded size and age. Whatever happens to the file, the service goes on. */
import type { Clock, Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { NetstewardEvent } from '../core/events.ts';
import type { Database, Store } from '../system/ports.ts';
import type { EventSink, ResolverSample } from './events-feed.ts';
import type { HistoryConfig } from './general-config.ts';
import { hourly, LatencyFold, type LatencyHistogram, type LatencyRow } from './history-latency.ts';
import { type EventQuery, eventOfRow, matches, selectEvents, selectLatest } from './history-query.ts';
import { type Bounds, insert, pruneLarge, pruneOld } from './history-rows.ts';
import { closeQuietly, logShare, openHistoryFile, pragma } from './history-schema.ts';
import {
  type Period,
  presenceCodes,
  type ServiceInterval,
  serviceIntervals,
  serviceStateCodes,
  standingCodes,
} from './history-strips.ts';

export interface HistoryOptions {
  readonly clock: Clock;
  readonly store: Store;
  /** Why the file cannot be written; undefined: it can again. Called at each change of mind, and with each new reason. */
  readonly onTrouble: (file: string, reason: string | undefined) => void;
}

/** Milliseconds: at most one transaction in this time, and at most this much is lost with a crash. */
export const writeDelay = 1000;
/** After a failure, in milliseconds. */
export const retryDelay = 60_000;
/** How often old events go while no new ones come. */
const pruneInterval = 3_600_000;
/** How often at most writes look for old events: it takes 3 ms where 1000 services have a last word that is kept. */
const ageInterval = 60_000;
/** Events that wait for the file, the newest; with a file that cannot be written they are all that is known. */
export const mostWaiting = 5000;
/** Rows that one transaction deletes at least, where it has to: more than come in, and not so many that the loop stands still. */
const leastSlice = 500;
/** How things stand is told by the last event of its kind, however old: it is kept for so many times max_age. */
const lastStays = 10;
/** Pages that are given back to the file system at a time. */
const vacuumPages = 1000;
/** Events that strips are made of, at most: 1000 services over 30 days have far fewer, and flapping ones must not cost more. */
const mostStripEvents = 200_000;

export class History implements EventSink {
  readonly #options: HistoryOptions;
  #settings: HistoryConfig;
  #database: Database | undefined;
  #waiting: NetstewardEvent[] = [];
  readonly #fold = new LatencyFold();
  #timer: Timer | undefined;
  #armed: 'soon' | 'later' | undefined;
  #troubled = false;
  /** Monotonic: when nothing was too old any more. */
  #pruned = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** Nothing is opened before the first write: a slow disk must not hold up the start. */
  constructor(settings: HistoryConfig, options: HistoryOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  event(event: NetstewardEvent): void {
    if (this.#closed) return;
    this.#waiting.push(event);
    if (this.#waiting.length > mostWaiting) this.#waiting.shift();
    this.#arm();
  }

  sample(sample: ResolverSample): void {
    if (this.#closed || this.#settings.off) return;
    this.#fold.add(sample);
    this.#arm();
  }

  /** Of a reload: another file, or other bounds. What waits goes to where it belonged. */
  configure(settings: HistoryConfig): void {
    const { file, off } = this.#settings;
    if (settings.file === file && settings.off === off) {
      this.#settings = settings;
      return;
    }
    this.#write();
    this.#drop();
    this.#tell(undefined);
    this.#settings = settings;
    // Another file is tried at once, whatever was wrong with the one before.
    this.#timer?.cancel();
    this.#armed = undefined;
    if (this.#waiting.length > 0) this.#arm();
  }

  /** The newest that match, the oldest of them first. */
  query(query: EventQuery): readonly NetstewardEvent[] {
    const { text, parameters } = selectEvents(query);
    const rows = this.#read((database) => database.prepare(text).all(...parameters)) ?? [];
    const kept = rows.flatMap((row) => eventOfRow(row) ?? []).reverse();
    const all = [...kept, ...this.#waiting.filter((event) => matches(query, event))];
    return query.limit === 0 ? [] : all.sort((a, b) => a.at - b.at).slice(-query.limit);
  }

  /** For the strips of a status page: each service that has had an event, through the whole period. */
  serviceIntervals({ since, until }: Period): ReadonlyMap<string, readonly ServiceInterval[]> {
    const codes = [...serviceStateCodes, ...presenceCodes];
    const within = this.query({ since, until, codes, limit: mostStripEvents });
    const before = this.#before(since);
    return serviceIntervals([...before, ...within], { since, until });
  }

  /** By hour; `since` and `until` in milliseconds since the epoch. */
  latencies({ since, until }: Period): readonly LatencyHistogram[] {
    const [first, last] = [Math.floor(since / 60_000), Math.ceil(until / 60_000)];
    const sql = 'SELECT minute, resolver, outcome, bucket, count FROM latency WHERE minute >= ? AND minute < ?';
    const rows = this.#read((database) => database.prepare(sql).all(first, last)) ?? [];
    const waiting = this.#fold.rows().filter(({ minute }) => minute >= first && minute < last);
    return hourly([...(rows as unknown as LatencyRow[]), ...waiting]);
  }

  /** Writes what waits, and closes the file. */
  close(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#write();
    this.#closed = true;
    this.#timer?.cancel();
    this.#drop();
  }

  /** How things stood at this time: the last event of each kind, for each service. */
  #before(at: number): readonly NetstewardEvent[] {
    const { text, parameters } = selectLatest(at, standingCodes);
    const rows = this.#read((database) => database.prepare(text).all(...parameters)) ?? [];
    const waiting = this.#waiting.filter((event) => event.at < at);
    return [...rows.flatMap((row) => eventOfRow(row) ?? []), ...waiting];
  }

  /** Soon for what waits; later for what grows old meanwhile, and after a failure. */
  #arm(kind: 'soon' | 'later' = 'soon'): void {
    if (this.#closed || this.#settings.off) return;
    if (this.#armed !== undefined && (kind === 'later' || this.#armed === 'soon' || this.#troubled)) return;
    this.#timer?.cancel();
    this.#armed = kind;
    const delay = this.#troubled ? retryDelay : kind === 'soon' ? writeDelay : pruneInterval;
    this.#timer = this.#options.clock.after(delay, () => {
      this.#armed = undefined;
      this.#arm(this.#write() ? 'soon' : 'later');
    });
  }

  /** Whether there is more to do soon. */
  #write(): boolean {
    if (this.#settings.off || this.#closed) return false;
    const events = this.#waiting;
    const rows = this.#fold.take();
    try {
      const database = this.#opened();
      const more = database.transaction(() => {
        insert(database, events, rows);
        const slice = Math.max(leastSlice, 2 * (events.length + rows.length));
        return this.#prune(database, slice);
      });
      this.#waiting = [];
      // Of a limit that was lowered: the file gets smaller too, a piece at a time.
      if (pragma(database, 'page_count') * pragma(database, 'page_size') > this.#bounds().bytes) {
        database.prepare(`PRAGMA incremental_vacuum(${vacuumPages})`).all();
      }
      this.#tell(undefined);
      return more;
    } catch (error) {
      this.#fold.giveBack(rows);
      // It stays open: what is in it can be read from a full disk as well.
      this.#failed(error);
      return false;
    }
  }

  /** Whether there is more to delete. */
  #prune(database: Database, slice: number): boolean {
    const bounds = this.#bounds();
    const now = this.#options.clock.monotonic();
    let old = false;
    if (now - this.#pruned >= ageInterval) {
      old = pruneOld(database, bounds, slice, standingCodes);
      if (!old) this.#pruned = now;
    }
    return pruneLarge(database, bounds, slice) || old;
  }

  #bounds(): Bounds {
    const { max_age: age, max_size: size } = this.#settings;
    const now = this.#options.clock.now();
    return { oldest: now - age, kept: now - lastStays * age, bytes: size - logShare };
  }

  #read<Result>(ask: (database: Database) => Result): Result | undefined {
    if (this.#settings.off || this.#closed) return undefined;
    // After a failure it is up to the next write to try again: who only asks must not wait for a lock each time.
    if (this.#troubled && this.#database === undefined) return undefined;
    try {
      return ask(this.#opened());
    } catch (error) {
      this.#drop();
      this.#failed(error);
      return undefined;
    }
  }

  #opened(): Database {
    // Removed or replaced meanwhile: what comes from now on goes to where the name leads.
    if (this.#database?.inPlace() === false) this.#drop();
    this.#database ??= openHistoryFile(this.#options.store, this.#settings.file);
    return this.#database;
  }

  #failed(error: unknown): void {
    this.#timer?.cancel();
    this.#armed = undefined;
    this.#tell(describeError(error));
    this.#arm();
  }

  #drop(): void {
    if (this.#database !== undefined) closeQuietly(this.#database);
    this.#database = undefined;
  }

  #tell(reason: string | undefined): void {
    if (reason === undefined && !this.#troubled) return;
    this.#troubled = reason !== undefined;
    this.#options.onTrouble(this.#settings.file, reason);
  }
}
