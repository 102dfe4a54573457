/** Switched files in memory. */
import { NetstewardError } from '../../src/core/errors.ts';
import type { SwitchFiles, SwitchState } from '../../src/system/dns-watch-ports.ts';

export class FakeSwitchFiles implements SwitchFiles {
  readonly files: Map<string, string>;
  /** By path: what was there before, and what was written. */
  readonly #switched = new Map<string, { readonly original: string; readonly content: string }>();

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.files = new Map(Object.entries(files));
  }

  async state(path: string): Promise<SwitchState> {
    const switched = this.#switched.get(path);
    if (switched === undefined) return 'original';
    return this.files.get(path) === switched.content ? 'switched' : 'changed';
  }

  async switchTo(path: string, content: string): Promise<void> {
    if ((await this.state(path)) === 'changed') await this.putBack(path);
    const before = this.files.get(path);
    if (before === undefined) {
      const remedy = 'Name a file that is there, in a folder that netsteward may write.';
      throw new NetstewardError('fallback-file-unusable', `${path} cannot be replaced: it does not exist`, { remedy });
    }
    this.#switched.set(path, { original: this.#switched.get(path)?.original ?? before, content });
    this.files.set(path, content);
  }

  async putBack(path: string): Promise<SwitchState> {
    const state = await this.state(path);
    const original = this.#switched.get(path)?.original;
    if (state === 'switched' && original !== undefined) this.files.set(path, original);
    this.#switched.delete(path);
    return state === 'switched' ? 'original' : state;
  }
}
