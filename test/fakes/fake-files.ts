/** Files in memory, whose times and failures a test sets. */
import type { FileStat, Files } from '../../src/system/ports.ts';

interface FakeFile {
  readonly content: Buffer;
  readonly mtimeMs: number;
}

export class FakeFiles implements Files {
  readonly #files = new Map<string, FakeFile>();
  readonly #failures = new Map<string, string>();
  readonly #readOnly = new Set<string>();
  /** Paths that were read, in order. */
  readonly reads: string[] = [];

  /** `mtimeMs`: a later time than before, where absent. */
  put(path: string, content: string | Buffer, mtimeMs?: number): void {
    const before = this.#files.get(path)?.mtimeMs ?? 1_000_000;
    this.#files.set(path, { content: Buffer.from(content), mtimeMs: mtimeMs ?? before + 1000 });
  }

  remove(path: string): void {
    this.#files.delete(path);
  }

  /** Makes reading fail with this errno; undefined mends it. */
  fail(path: string, errno: string | undefined): void {
    if (errno === undefined) this.#failures.delete(path);
    else this.#failures.set(path, errno);
  }

  setReadOnly(path: string): void {
    this.#readOnly.add(path);
  }

  stat(path: string): Promise<FileStat | undefined> {
    const file = this.#files.get(path);
    return Promise.resolve(file && { mtimeMs: file.mtimeMs, size: file.content.length });
  }

  read(path: string): Promise<Buffer> {
    this.reads.push(path);
    const errno = this.#files.has(path) ? this.#failures.get(path) : 'ENOENT';
    if (errno !== undefined) {
      return Promise.reject(Object.assign(new Error(`${errno}: no reading of '${path}'`), { code: errno }));
    }
    return Promise.resolve(this.#files.get(path)?.content ?? Buffer.alloc(0));
  }

  writable(path: string): Promise<boolean> {
    return Promise.resolve(!this.#readOnly.has(path));
  }
}
