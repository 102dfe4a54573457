/** Zone files in memory; writing can be made to fail, and an editor can be let in between reading and writing. */
import { NetstewardError } from '../../src/core/errors.ts';
import type {
  FileMark,
  ZoneContent,
  ZoneEditing,
  ZoneFiles,
  ZoneSteps,
  ZoneWrite,
} from '../../src/system/dyndns-ports.ts';

export class FakeZoneFiles implements ZoneFiles {
  readonly #files = new Map<string, { content: Buffer; version: number }>();
  /** Undefined: writing works. */
  failure: string | undefined;
  /** Runs once, after the next write has read its content. */
  meanwhile: (() => void) | undefined;
  writes = 0;
  /** Somebody has each file open for writing. */
  halfSaved = false;

  /** As an editor saves it. */
  set(path: string, text: string): void {
    const version = (this.#files.get(path)?.version ?? 0) + 1;
    this.#files.set(path, { content: Buffer.from(text, 'latin1'), version });
  }

  text(path: string): string {
    return this.#at(path).content.toString('latin1');
  }

  async look(path: string): Promise<FileMark | undefined> {
    const found = this.#files.get(path);
    return found === undefined ? undefined : String(found.version);
  }

  async read(path: string): Promise<ZoneContent> {
    const { content, version } = this.#at(path);
    return { content: Buffer.from(content), mark: String(version), halfSaved: this.halfSaved };
  }

  async replace(path: string, edit: ZoneEditing, { ready, seen }: ZoneSteps = {}): Promise<ZoneWrite> {
    await ready;
    if (this.failure !== undefined) throw new NetstewardError('zone-not-written', `${path}: ${this.failure}`);
    for (;;) {
      const { content, version } = this.#at(path);
      const next = edit(Buffer.from(content));
      const disturb = this.meanwhile;
      this.meanwhile = undefined;
      disturb?.();
      if (this.#at(path).version !== version) continue;
      if (next === undefined) return { kind: 'same', mark: String(version) };
      const pieces = next instanceof Uint8Array ? [next] : next;
      this.#files.set(path, { content: Buffer.concat(pieces), version: version + 1 });
      this.writes += 1;
      seen?.(String(version + 1));
      return { kind: 'written', mark: String(version + 1) };
    }
  }

  #at(path: string): { content: Buffer; version: number } {
    const found = this.#files.get(path);
    if (found === undefined) throw new NetstewardError('zone-not-read', `${path} cannot be read: ENOENT`);
    return found;
  }
}
