/** A cgroup tree in memory. What changes in it is told when a test says so, as inotify(7) tells it: late, in order, or never. */
import type { CgroupListener, CgroupTree, CgroupWatch } from '../../src/system/unit-ports.ts';

interface Directory {
  readonly id: bigint;
  readonly children: Map<string, Directory>;
  readonly watches: Set<Watched>;
  readonly processes: Set<number>;
}

/** A watch belongs to the directory, not to its path: one that is made anew under the same path has none. */
interface Watched {
  readonly path: string;
  readonly watch: FakeCgroupWatch;
}

interface Event {
  readonly watched: Watched;
  readonly kind: 'created' | 'removed';
  readonly path: string;
}

export interface FakeCgroupTreeOptions {
  /** Events are told by themselves, one turn of the event loop after they happened. Default: only by deliver(). */
  readonly automatic?: boolean;
}

export class FakeCgroupTree implements CgroupTree {
  readonly root = '/sys/fs/cgroup';
  readonly #automatic: boolean;
  readonly #top: Directory;
  readonly #watches = new Set<FakeCgroupWatch>();
  #lastId = 0n;
  #queue: Event[] = [];
  #overflowed = false;
  #scheduled = false;

  constructor({ automatic = false }: FakeCgroupTreeOptions = {}) {
    this.#automatic = automatic;
    this.#top = this.#directory();
  }

  watch(listener: CgroupListener): CgroupWatch {
    const watch = new FakeCgroupWatch(listener, (path) => this.#at(path));
    this.#watches.add(watch);
    return watch;
  }

  children(path: string): readonly string[] | undefined {
    const directory = this.#at(path);
    return directory && [...directory.children.keys()];
  }

  id(path: string): bigint | undefined {
    return this.#at(path)?.id;
  }

  processes(path: string): readonly number[] {
    return [...(this.#at(path)?.processes ?? [])];
  }

  /** Throws where the parent is not there or the name is taken, as mkdir(2). Gives the new id; ids only ever grow. */
  mkdir(path: string): bigint {
    const { parent, name } = this.#placeOf(path);
    if (parent.children.has(name)) throw new Error(`EEXIST: ${path}`);
    const directory = this.#directory();
    parent.children.set(name, directory);
    this.#happened(parent, 'created', name);
    return directory.id;
  }

  /** With all that is missing above it. Gives the id; what is there stays. */
  mkdirAll(path: string): bigint {
    const names = path.split('/');
    for (let depth = 1; depth <= names.length; depth++) {
      const above = names.slice(0, depth).join('/');
      if (this.#at(above) === undefined) this.mkdir(above);
    }
    return this.id(path) ?? 0n;
  }

  /** Throws where it is not there or has children or processes, as rmdir(2) on cgroupfs. */
  rmdir(path: string): void {
    const { parent, name } = this.#placeOf(path);
    const directory = parent.children.get(name);
    if (directory === undefined) throw new Error(`ENOENT: ${path}`);
    if (directory.children.size > 0) throw new Error(`ENOTEMPTY: ${path}`);
    if (directory.processes.size > 0) throw new Error(`EBUSY: ${path}`);
    parent.children.delete(name);
    this.#happened(parent, 'removed', name);
  }

  /** What systemd does at a unit's restart: gone and there again, with another id. */
  remake(path: string): bigint {
    this.rmdir(path);
    return this.mkdir(path);
  }

  /** Sets which processes are in it. */
  put(path: string, processes: readonly number[]): void {
    const directory = this.#at(path);
    if (directory === undefined) throw new Error(`ENOENT: ${path}`);
    directory.processes.clear();
    for (const pid of processes) directory.processes.add(pid);
  }

  /** Tells all that has happened so far; what listeners do meanwhile is told too. */
  deliver(): void {
    while (this.#queue.length > 0 || this.#overflowed) {
      const events = this.#queue;
      this.#queue = [];
      for (const event of events) event.watched.watch.tell(event);
      if (this.#queue.length > 0 || !this.#overflowed) continue;
      this.#overflowed = false;
      for (const watch of [...this.#watches]) watch.overflow();
    }
  }

  /** Events that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Drops the events that wait, and nobody is told: what the kernel never does. */
  lose(): void {
    this.#queue = [];
  }

  /** Drops the events that wait; the next deliver() tells that some were lost. */
  overflow(): void {
    this.#queue = [];
    this.#overflowed = true;
    this.#schedule();
  }

  /** Ends all watches. */
  fail(error: Error): void {
    for (const watch of [...this.#watches]) watch.fail(error);
  }

  #directory(): Directory {
    this.#lastId += 1n;
    return { id: this.#lastId, children: new Map(), watches: new Set(), processes: new Set() };
  }

  #at(path: string): Directory | undefined {
    let directory: Directory | undefined = this.#top;
    for (const name of path === '' ? [] : path.split('/')) directory = directory?.children.get(name);
    return directory;
  }

  #placeOf(path: string): { parent: Directory; name: string } {
    const cut = path.lastIndexOf('/');
    const name = path.slice(cut + 1);
    const parent = this.#at(path.slice(0, Math.max(0, cut)));
    if (parent === undefined || name === '') throw new Error(`ENOENT: ${path}`);
    return { parent, name };
  }

  #happened(parent: Directory, kind: Event['kind'], name: string): void {
    for (const watched of parent.watches) {
      this.#queue.push({ watched, kind, path: watched.path === '' ? name : `${watched.path}/${name}` });
    }
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#automatic || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.deliver();
    });
  }
}

class FakeCgroupWatch implements CgroupWatch {
  readonly #listener: CgroupListener;
  readonly #at: (path: string) => Directory | undefined;
  readonly #watched = new Map<string, { readonly directory: Directory; readonly entry: Watched }>();
  #ended = false;

  constructor(listener: CgroupListener, at: (path: string) => Directory | undefined) {
    this.#listener = listener;
    this.#at = at;
  }

  add(path: string): boolean {
    const directory = this.#at(path);
    if (this.#ended) return directory !== undefined;
    if (directory === undefined || this.#watched.get(path)?.directory !== directory) this.remove(path);
    if (directory === undefined) return false;
    if (!this.#watched.has(path)) {
      const entry = { path, watch: this };
      this.#watched.set(path, { directory, entry });
      directory.watches.add(entry);
    }
    return true;
  }

  remove(path: string): void {
    const found = this.#watched.get(path);
    if (found === undefined) return;
    this.#watched.delete(path);
    found.directory.watches.delete(found.entry);
  }

  close(): void {
    this.#ended = true;
    for (const path of [...this.#watched.keys()]) this.remove(path);
  }

  /** Not for tests: the tree calls it. */
  tell({ watched, kind, path }: Event): void {
    // Its watch was removed, or belongs to a directory that has been replaced.
    if (this.#ended || this.#watched.get(watched.path)?.entry !== watched) return;
    if (kind === 'created') this.#listener.created(path);
    else {
      this.remove(path);
      this.#listener.removed(path);
    }
  }

  overflow(): void {
    if (this.#ended) return;
    // Watches on directories that are gone end; the one that stands in the place of another gets a watch.
    for (const path of [...this.#watched.keys()]) this.add(path);
    this.#listener.overflow();
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.close();
    this.#listener.failed(error);
  }
}
