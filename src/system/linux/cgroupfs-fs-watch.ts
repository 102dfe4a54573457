/** CgroupWatch over Node's fs.watch, for where koffi does not load: it wakes for more than it tells, and does not see what the kernel drops. */
import { type FSWatcher, watch } from 'node:fs';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import type { CgroupListener, CgroupTree, CgroupWatch } from '../unit-ports.ts';
import { directoryOf } from './cgroupfs-watch.ts';

interface Watched {
  readonly id: bigint;
  readonly watcher: FSWatcher;
  /** Its child directories as told so far: fs.watch says of which name something is new, not what. */
  readonly children: Map<string, bigint>;
}

export class FsCgroupWatch implements CgroupWatch {
  readonly #tree: CgroupTree;
  readonly #listener: CgroupListener;
  readonly #watched = new Map<string, Watched>();
  #closed = false;
  #ended = false;

  constructor(tree: CgroupTree, listener: CgroupListener) {
    this.#tree = tree;
    this.#listener = listener;
  }

  add(path: string): boolean {
    const id = this.#tree.id(path);
    if (this.#ended) return id !== undefined;
    if (this.#watched.get(path)?.id !== id) this.remove(path);
    if (id === undefined || this.#watched.has(path)) return id !== undefined;
    try {
      const watcher = watch(directoryOf(this.#tree.root, path), (type, name) => {
        if (type === 'rename' && name !== null) this.#look(path, name);
      });
      watcher.on('error', (error) => this.#fail(path, error));
      // After the watch began: what comes meanwhile is in here, and no news when it is told.
      const children = new Map<string, bigint>();
      this.#watched.set(path, { id, watcher, children });
      for (const name of this.#tree.children(path) ?? []) {
        const child = this.#tree.id(below(path, name));
        if (child !== undefined) children.set(name, child);
      }
      return true;
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENODEV') return false;
      this.#fail(path, error);
      return true;
    }
  }

  remove(path: string): void {
    this.#watched.get(path)?.watcher.close();
    this.#watched.delete(path);
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    for (const path of [...this.#watched.keys()]) this.remove(path);
  }

  #look(above: string, name: string): void {
    const watched = this.#watched.get(above);
    if (watched === undefined) return;
    const path = below(above, name);
    const before = watched.children.get(name);
    const now = this.#tree.id(path);
    if (before === now) return;
    if (now === undefined) watched.children.delete(name);
    else watched.children.set(name, now);
    if (before !== undefined) {
      this.remove(path);
      this.#listener.removed(path);
    }
    if (now !== undefined && !this.#ended) this.#listener.created(path);
  }

  #fail(path: string, cause: unknown): void {
    if (this.#ended) return;
    this.#end();
    const what = `${directoryOf(this.#tree.root, path)} cannot be watched (${errnoOf(cause) ?? String(cause)})`;
    const remedy = 'Raise the limits: sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024.';
    queueMicrotask(() => {
      if (!this.#closed) this.#listener.failed(new NetstewardError('watch-failed', what, { remedy, cause }));
    });
  }
}

function below(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
