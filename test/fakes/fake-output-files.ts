/** Written files in memory; writing can be made to fail, or to wait. */
import type { OutputFiles } from '../../src/system/ports.ts';

export class FakeOutputFiles implements OutputFiles {
  readonly content = new Map<string, string>();
  /** What happened, in order: `append /a`, `rename /a /b`, `replace /a`. */
  readonly calls: string[] = [];
  /** An errno that every write fails with. */
  failure: string | undefined;
  /** Paths that every write to fails. */
  readonly failing = new Set<string>();
  /** Called before each write. */
  delay: () => Promise<void> = () => Promise.resolve();

  read(path: string): Promise<string | undefined> {
    return Promise.resolve(this.content.get(path));
  }

  async append(path: string, text: string): Promise<number> {
    await this.#begin(`append ${path}`, path);
    const all = (this.content.get(path) ?? '') + text;
    this.content.set(path, all);
    return Buffer.byteLength(all);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin(`rename ${from} ${to}`, to);
    const text = this.content.get(from);
    if (text === undefined) throw Object.assign(new Error(`ENOENT: no such file '${from}'`), { code: 'ENOENT' });
    this.content.delete(from);
    this.content.set(to, text);
  }

  async replace(path: string, content: string): Promise<void> {
    await this.#begin(`replace ${path}`, path);
    this.content.set(path, content);
  }

  async #begin(call: string, path: string): Promise<void> {
    await this.delay();
    const failure = this.failing.has(path) ? 'EACCES' : this.failure;
    if (failure !== undefined) throw Object.assign(new Error(`${failure}: no writing`), { code: failure });
    this.calls.push(call);
  }
}
