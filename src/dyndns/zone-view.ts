/** The zone files as they were last read: read again when one has changed, never trusted while one is written. */
import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { FileMark, ZoneFiles } from '../system/dyndns-ports.ts';
import { type KnownKeys, knownKeys } from './accept.ts';
import type { OptionalKind } from './record.ts';
import { parseZone, type Zone } from './zone-file.ts';

export interface ZoneSettings {
  /** Absolute. */
  readonly file: string;
  /** Record kinds that follow besides the original's. */
  readonly optional: readonly OptionalKind[];
}

export interface ZoneView {
  readonly settings: ZoneSettings;
  readonly zone: Zone;
  readonly mark: FileMark | undefined;
  /** Why the file could not be read last; the zone is what it was before, and takes no update meanwhile. */
  readonly failure: string | undefined;
}

export class ZoneViews {
  readonly #files: ZoneFiles;
  readonly #clock: Clock;
  #views: readonly ZoneView[] = [];
  #keys: KnownKeys = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<readonly ZoneView[]> | undefined;
  /** New views that no refresh() has given yet. */
  readonly #untold = new Map<string, ZoneView>();

  private constructor(files: ZoneFiles, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** Rejects with what ZoneFiles.read() rejects with. */
  static async open(files: ZoneFiles, clock: Clock, zones: readonly ZoneSettings[]): Promise<ZoneViews> {
    const views = new ZoneViews(files, clock);
    const read: ZoneView[] = [];
    for (const settings of zones) {
      const { content, mark } = await files.read(settings.file);
      read.push({ settings, zone: parse(settings, content), mark, failure: undefined });
    }
    views.#set(read);
    views.#lookedAt = clock.monotonic();
    return views;
  }

  get all(): readonly ZoneView[] {
    return this.#views;
  }

  get keys(): KnownKeys {
    return this.#keys;
  }

  /** Milliseconds since the files were last looked at. */
  get age(): number {
    return this.#clock.monotonic() - this.#lookedAt;
  }

  /** Looks at every file, and reads those that have changed, or failed. Gives the views that are new. Never rejects. */
  async refresh(): Promise<readonly ZoneView[]> {
    await this.glance();
    const untold = [...this.#untold.values()];
    this.#untold.clear();
    return untold;
  }

  /** The same for one who only watches: the next refresh() gives these views too. */
  glance(): Promise<readonly ZoneView[]> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      this.#lookedAt = this.#clock.monotonic();
    });
    return this.#looking;
  }

  /** What this process has just written itself. */
  wrote(file: string, content: Buffer, mark: FileMark): void {
    // What was seen of it before is of the past.
    this.#untold.delete(file);
    this.#set(
      this.#views.map((view) =>
        view.settings.file === file
          ? { settings: view.settings, zone: parse(view.settings, content), mark, failure: undefined }
          : view,
      ),
    );
  }

  async #look(): Promise<readonly ZoneView[]> {
    const changed: ZoneView[] = [];
    for (const { settings, mark, failure } of this.#views) {
      const next = await this.#lookAt(settings, mark, failure);
      // Its own write may have come meanwhile: `wrote` has replaced the view, and knows better.
      if (next !== undefined && this.#views.some((view) => view.settings === settings && view.mark === mark)) {
        this.#set(this.#views.map((view) => (view.settings === settings ? next : view)));
        changed.push(next);
        this.#untold.set(settings.file, next);
      }
    }
    return changed;
  }

  async #lookAt(
    settings: ZoneSettings,
    mark: FileMark | undefined,
    failure: string | undefined,
  ): Promise<ZoneView | undefined> {
    try {
      if ((await this.#files.look(settings.file)) === mark && failure === undefined) return undefined;
      const found = await this.#files.read(settings.file);
      return { settings, zone: parse(settings, found.content), mark: found.mark, failure: undefined };
    } catch (error) {
      const reason = describeError(error);
      if (reason === failure) return undefined;
      return { settings, zone: this.#zoneOf(settings), mark, failure: reason };
    }
  }

  #zoneOf(settings: ZoneSettings): Zone {
    const found = this.#views.find((view) => view.settings === settings);
    return found?.zone ?? parse(settings, Buffer.alloc(0));
  }

  #set(views: readonly ZoneView[]): void {
    this.#views = views;
    this.#keys = knownKeys(views.map(({ zone }) => zone));
  }
}

export function parse({ optional }: ZoneSettings, content: Buffer): Zone {
  return parseZone(content, { optional });
}
