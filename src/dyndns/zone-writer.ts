/** Brings accepted updates into the zone files, again with backoff when one fails, and again when an editor has undone one. */
import { backoffDelay } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { ZoneFiles } from '../system/dyndns-ports.ts';
import type { Address, Family } from './address.ts';
import type { KeyPolicy } from './policy.ts';
import type { Change } from './publisher.ts';
import { headerValue } from './timestamp.ts';
import { editZone } from './zone-edit.ts';
import { parse, type ZoneSettings, type ZoneView, type ZoneViews } from './zone-view.ts';

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
  /** `changes` is empty where only timestamps were written. */
  readonly onWritten: (settings: ZoneSettings, changes: readonly Change[]) => void;
  /** No job is left. */
  readonly onDone: () => void;
  readonly onWithheld: (keyId: string, names: readonly string[]) => void;
  readonly onFailure: (file: string, reason: string) => void;
  /** Somebody has saved a copy from before updates of these keys over them; they are made again. */
  readonly onUndone?: (file: string, keyIds: readonly string[]) => void;
}

/** Milliseconds between two looks for a copy from before an update that somebody has saved over it. */
const lookEvery = 5000;
const retries = { first: 200, most: 60_000 };

export class ZoneWriter {
  readonly #options: ZoneWriterOptions;
  /** The newest of each key and family. */
  readonly #jobs = new Map<string, Job>();
  /** The newest of each key and family that was written. */
  readonly #written = new Map<string, Job>();
  #nextLook: Timer | undefined;
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
    this.#nextLook?.cancel();
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
    let failed = false;
    for (const { settings } of this.#options.views.all) {
      try {
        await this.#write(
          settings,
          jobs.map(([, job]) => job),
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
      if (job.timestamp >= (this.#written.get(place)?.timestamp ?? 0)) this.#written.set(place, job);
    }
    this.#lookLater();
    return false;
  }

  #lookLater(): void {
    if (this.#nextLook !== undefined || this.#stopped) return;
    this.#nextLook = this.#options.clock.after(lookEvery, () => {
      void this.#options.views.glance().then((changed) => {
        this.#nextLook = undefined;
        for (const view of changed) if (view.failure === undefined) this.#mend(view);
        this.#lookLater();
      });
    });
  }

  /** A header older than what was written is that of a copy: whoever changes an address by hand leaves it as it is. */
  #mend({ settings, zone }: ZoneView): void {
    if (this.#stopped) return;
    const undone = [...this.#written.values()].filter(({ keyId, timestamp }) =>
      zone.blocks.some(
        ({ usable, keys, timestamp: header }) =>
          usable && header < headerValue(timestamp) && keys.some(({ id }) => id === keyId),
      ),
    );
    if (undone.length === 0) return;
    this.#options.onUndone?.(settings.file, [...new Set(undone.map(({ keyId }) => keyId))]);
    for (const job of undone) {
      // A newer one is on its way already.
      if (this.has(job.keyId, job.address.family)) continue;
      this.add({ ...job, isNewer: (header) => header < headerValue(job.timestamp) });
    }
  }

  async #write(settings: ZoneSettings, jobs: readonly Job[]): Promise<void> {
    const { files, views, onWritten, onWithheld } = this.#options;
    let outcome: Edited = nothing;
    const { kind, mark } = await files.replace(settings.file, (content) => {
      outcome = this.#edit(settings, content, jobs);
      return outcome.content;
    });
    for (const [keyId, names] of outcome.withheld) onWithheld(keyId, names);
    if (kind !== 'written' || outcome.content === undefined) return;
    views.wrote(settings.file, outcome.content, mark);
    onWritten(settings, outcome.changes);
  }

  #edit(settings: ZoneSettings, content: Buffer, jobs: readonly Job[]): Edited {
    const { updateTimestamps, policyOf } = this.#options;
    let zone = parse(settings, content);
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
      if (edit.bytes !== undefined) zone = parse(settings, edit.bytes);
    }
    return { content: zone.bytes.equals(content) ? undefined : zone.bytes, changes, withheld };
  }
}

interface Edited {
  readonly content: Buffer | undefined;
  readonly changes: readonly Change[];
  /** Names that a key may not change, by key id. */
  readonly withheld: ReadonlyMap<string, readonly string[]>;
}

const nothing: Edited = { content: undefined, changes: [], withheld: new Map() };
