/** Brings accepted updates into the zone files, again with backoff when one fails. */
import { backoffDelay } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { ZoneFiles, ZonePieces } from '../system/dyndns-ports.ts';
import type { Address, Family } from './address.ts';
import type { KeyPolicy } from './policy.ts';
import type { Change } from './publisher.ts';
import { blocksAlone, isSparse, withBlocks } from './zone-blocks.ts';
import { editZone } from './zone-edit.ts';
import type { Zone } from './zone-file.ts';
import { parse, type ZoneSettings, type ZoneViews } from './zone-view.ts';

/** An update that the state holds already. */
export interface Job {
  readonly keyId: string;
  readonly address: Address;
  /** Seconds since the Unix epoch. */
  readonly timestamp: number;
  /** Whether a block with this header takes it: decided by what was known when it was accepted. */
  readonly isNewer: (header: number) => boolean;
}

export interface ZoneWriterOptions {
  readonly clock: Clock;
  readonly files: ZoneFiles;
  readonly views: ZoneViews;
  readonly updateTimestamps: boolean;
  readonly policyOf: (keyId: string) => KeyPolicy;
  /** Resolves when the state that holds the jobs so far is on the disk: nobody sees the zone before. */
  readonly ready: () => Promise<void>;
  /** `changes` is empty where only timestamps were written. */
  readonly onWritten: (settings: ZoneSettings, changes: readonly Change[]) => void;
  /** No job is left. */
  readonly onDone: () => void;
  readonly onWithheld: (keyId: string, names: readonly string[]) => void;
  readonly onFailure: (file: string, reason: string) => void;
}

const retries = { first: 200, most: 60_000 };

export class ZoneWriter {
  readonly #options: ZoneWriterOptions;
  /** The newest of each key and family. */
  readonly #jobs = new Map<string, Job>();
  readonly #failing = new Map<string, string>();
  #writing: Promise<void> | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #stopped = false;

  constructor(options: ZoneWriterOptions) {
    this.#options = options;
  }

  get idle(): boolean {
    return this.#jobs.size === 0 && this.#writing === undefined;
  }

  /** Whether a write is on its way. */
  get running(): boolean {
    return this.#writing !== undefined;
  }

  /** Why files could not be written last, by file. */
  get failing(): ReadonlyMap<string, string> {
    return this.#failing;
  }

  /** Whether an update of this key and family is not written yet. */
  has(keyId: string, family: Family): boolean {
    return this.#jobs.has(`${keyId} ${family}`);
  }

  add(job: Job): void {
    this.#jobs.set(`${job.keyId} ${job.address.family}`, job);
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#start();
  }

  /** Lets the write on its way end; jobs that are left stand in the state. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    await this.#writing;
  }

  #start(): void {
    if (this.#writing !== undefined || this.#jobs.size === 0 || this.#stopped) return;
    this.#writing = this.#writeAll().then((failed) => {
      this.#writing = undefined;
      this.#failures = failed ? this.#failures + 1 : 0;
      if (!failed) {
        if (this.#jobs.size === 0) this.#options.onDone();
        this.#start();
      } else if (!this.#stopped) {
        this.#retry = this.#options.clock.after(backoffDelay(this.#failures, retries), () => this.#start());
      }
    });
  }

  /** Whether a file could not be written. */
  async #writeAll(): Promise<boolean> {
    const jobs = [...this.#jobs];
    const ready = this.#options.ready();
    let failed = false;
    for (const { settings } of this.#options.views.all) {
      try {
        await this.#write(
          settings,
          jobs.map(([, job]) => job),
          ready,
        );
        this.#failing.delete(settings.file);
      } catch (error) {
        failed = true;
        const reason = describeError(error);
        this.#failing.set(settings.file, reason);
        this.#options.onFailure(settings.file, reason);
      }
    }
    if (failed) return true;
    for (const [place, job] of jobs) {
      if (this.#jobs.get(place) === job) this.#jobs.delete(place);
    }
    return false;
  }

  async #write(settings: ZoneSettings, jobs: readonly Job[], ready: Promise<void>): Promise<void> {
    const { files, views, onWritten, onWithheld } = this.#options;
    let outcome: Edited | undefined;
    await files.replace(
      settings.file,
      (content) => {
        outcome = this.#edit(settings, content, jobs);
        return outcome.pieces;
      },
      {
        ready,
        seen: (mark) => {
          if (outcome === undefined) return;
          views.wrote(settings.file, outcome.zone, mark);
          // Publishing need not wait for the disk to know the new name, too.
          onWritten(settings, outcome.changes);
        },
      },
    );
    for (const [keyId, names] of outcome?.withheld ?? []) onWithheld(keyId, names);
  }

  #edit(settings: ZoneSettings, content: Buffer, jobs: readonly Job[]): Edited {
    const { updateTimestamps, policyOf } = this.#options;
    const whole = parse(settings, content);
    const sparse = isSparse(whole);
    const before = sparse ? blocksAlone(whole) : whole;
    let zone = before;
    const changes: Change[] = [];
    const withheld = new Map<string, readonly string[]>();
    for (const { keyId, address, timestamp, isNewer } of jobs) {
      const policy = policyOf(keyId);
      const options = { updateTimestamps, isNewer, allowsName: (name: string) => policy.allowsName(name) };
      const edit = editZone(zone, { keyId, address, timestamp }, options);
      if (edit.withheld.length > 0) withheld.set(keyId, edit.withheld);
      for (const { name, from, to } of edit.changes) {
        changes.push({ zone: settings.file, keyId, family: address.family, name, from, to });
      }
      // An edit makes no problem and moves no line.
      const { problems, problemCount } = whole;
      if (edit.bytes !== undefined) zone = { ...parse(settings, edit.bytes), problems, problemCount };
    }
    const pieces = zone === before ? undefined : sparse ? withBlocks(whole, zone) : [zone.bytes];
    return { pieces, zone, changes, withheld };
  }
}

interface Edited {
  readonly pieces: ZonePieces | undefined;
  /** As a view keeps it. */
  readonly zone: Zone;
  readonly changes: readonly Change[];
  /** Names that a key may not change, by key id. */
  readonly withheld: ReadonlyMap<string, readonly string[]>;
}
