/** The zone files as they were last read: read again when one has changed, never trusted while one is written. */
import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { FileMark, ZoneContent, ZoneFiles } from '../system/dyndns-ports.ts';
import { type KnownKeys, knownKeys } from './accept.ts';
import type { OptionalKind } from './record.ts';
import { blocksAlone, isSparse } from './zone-blocks.ts';
import { parseZone, type Zone } from './zone-file.ts';

export interface ZoneSettings {
  /** Absolute. */
  readonly file: string;
  /** Record kinds that follow besides the original's. */
  readonly optional: readonly OptionalKind[];
}

export interface ZoneView {
  readonly settings: ZoneSettings;
  /** Of a large file only the blocks. */
  readonly zone: Zone;
  readonly mark: FileMark | undefined;
  /** Why the file could not be read last; the zone is what it was before, and takes no update meanwhile. */
  readonly failure: string | undefined;
  /** Somebody was about to save the file: what the zone says, and does not say, may be another thing in a moment. */
  readonly halfSaved: boolean;
}

export class ZoneViews {
  readonly #files: ZoneFiles;
  readonly #clock: Clock;
  #views: readonly ZoneView[] = [];
  #keys: KnownKeys = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<readonly ZoneView[]> | undefined;

  private constructor(files: ZoneFiles, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** Rejects with what ZoneFiles.read() rejects with. */
  static async open(files: ZoneFiles, clock: Clock, zones: readonly ZoneSettings[]): Promise<ZoneViews> {
    const views = new ZoneViews(files, clock);
    const read: ZoneView[] = [];
    for (const settings of zones) {
      read.push(viewOf(settings, await files.read(settings.file)));
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
  refresh(): Promise<readonly ZoneView[]> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      this.#lookedAt = this.#clock.monotonic();
    });
    return this.#looking;
  }

  /** What this process has just written itself. */
  wrote(file: string, zone: Zone, mark: FileMark): void {
    this.#set(
      this.#views.map((view) =>
        view.settings.file === file
          ? { settings: view.settings, zone, mark, failure: undefined, halfSaved: false }
          : view,
      ),
    );
  }

  async #look(): Promise<readonly ZoneView[]> {
    const changed: ZoneView[] = [];
    for (const view of this.#views) {
      const next = await this.#lookAt(view);
      // Its own write may have come meanwhile: `wrote` has replaced the view, and knows better.
      if (next !== undefined && this.#views.includes(view)) {
        this.#set(this.#views.map((known) => (known === view ? next : known)));
        if (!next.halfSaved) changed.push(next);
      }
    }
    return changed;
  }

  async #lookAt(view: ZoneView): Promise<ZoneView | undefined> {
    const { settings, mark, failure, halfSaved } = view;
    try {
      if ((await this.#files.look(settings.file)) === mark && failure === undefined && !halfSaved) return undefined;
      const found = await this.#files.read(settings.file);
      // What it was before is nearer to what it will be than a part is.
      if (found.halfSaved === true) return { ...view, failure: undefined, halfSaved: true };
      return viewOf(settings, found);
    } catch (error) {
      const reason = describeError(error);
      return reason === failure ? undefined : { ...view, failure: reason };
    }
  }

  #set(views: readonly ZoneView[]): void {
    this.#views = views;
    this.#keys = knownKeys(views.map(({ zone }) => zone));
  }
}

function viewOf(settings: ZoneSettings, { content, mark, halfSaved = false, free }: ZoneContent): ZoneView {
  const whole = parse(settings, content);
  const sparse = isSparse(whole);
  const zone = sparse ? blocksAlone(whole) : whole;
  if (sparse) free?.();
  return { settings, zone, mark, failure: undefined, halfSaved };
}

export function parse({ optional }: ZoneSettings, content: Buffer): Zone {
  return parseZone(content, { optional });
}
