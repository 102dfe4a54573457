/** The cgroups that rules are about, as the tree has them at the moment: told in batches when they come, go or are made anew. */
import type { CgroupTree, CgroupWatch } from '../system/unit-ports.ts';

/** What somebody wants to know of a directory: whether it is one of his, and whether some of his may be below it. */
export type Interest = (path: string) => { readonly match: boolean; readonly watch: boolean };

export interface Member {
  readonly path: string;
  readonly id: bigint;
}

/** A cgroup that was made anew is in both: gone with the old id, appeared with the new one. */
export interface MemberChanges {
  readonly appeared: readonly Member[];
  readonly gone: readonly Member[];
}

export interface WatchOptions {
  readonly tree: CgroupTree;
  readonly interest: Interest;
  /** Called at most once for all that the kernel told in one go; never from within a call of this object's methods. */
  readonly onChange: (changes: MemberChanges) => void;
  /** Nothing is told any more. */
  readonly onFailed: (error: Error) => void;
}

export class CgroupWatcher {
  readonly #options: WatchOptions;
  readonly #watch: CgroupWatch;
  #interest: Interest;
  readonly #members = new Map<string, bigint>();
  readonly #watched = new Set<string>();
  /** What was last told of, where that differs from now: undefined stands for "was not there". */
  readonly #told = new Map<string, bigint | undefined>();
  #scheduled = false;
  #closed = false;

  /** The first look at the tree is done when this returns; its members are not told as changes. */
  constructor(options: WatchOptions) {
    this.#options = options;
    this.#interest = options.interest;
    this.#watch = options.tree.watch({
      created: (path) => this.#found(path),
      removed: (path) => this.#lost(path),
      overflow: () => this.resync(),
      failed: (error) => options.onFailed(error),
    });
    this.#found('');
    this.#told.clear();
  }

  /** Path to id. */
  get members(): ReadonlyMap<string, bigint> {
    return this.#members;
  }

  /** Directories that are watched. */
  get watches(): number {
    return this.#watched.size;
  }

  /** From now on others count: the difference is told as changes. */
  follow(interest: Interest): void {
    this.#interest = interest;
    this.resync();
  }

  /** Compares everything with the tree, for when events were lost. */
  resync(): void {
    for (const path of [...this.#members.keys()]) if (!this.#interest(path).match) this.#drop(path);
    for (const path of [...this.#watched]) {
      if (this.#interest(path).watch) continue;
      this.#watch.remove(path);
      this.#watched.delete(path);
    }
    const seen = new Set<string>();
    this.#found('', seen);
    for (const path of [...this.#members.keys()]) if (!seen.has(path)) this.#drop(path);
    for (const path of [...this.#watched]) if (!seen.has(path)) this.#watched.delete(path);
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
  }

  #found(path: string, seen?: Set<string>): void {
    if (this.#closed) return;
    const { match, watch } = this.#interest(path);
    seen?.add(path);
    if (match) {
      const id = this.#options.tree.id(path);
      if (id === undefined) this.#drop(path);
      else this.#put(path, id);
    }
    if (!watch) return;
    // Watched first, looked at second: what comes in between is told twice rather than never.
    if (!this.#watch.add(path)) {
      // Gone by now, and all below it.
      seen?.delete(path);
      this.#watched.delete(path);
      this.#drop(path);
      this.#forgetBelow(path, new Set());
      return;
    }
    this.#watched.add(path);
    for (const name of this.#options.tree.children(path) ?? [])
      this.#found(path === '' ? name : `${path}/${name}`, seen);
  }

  /** A directory was removed; by now there may be a new one of its name, whose own notification comes later or never matters. */
  #lost(path: string): void {
    if (this.#closed) return;
    const seen = new Set<string>();
    // Nothing is known below what was not watched: the end of one cgroup must not cost a look at all that there are.
    const watched = this.#watched.delete(path);
    if (this.#options.tree.id(path) !== undefined) this.#found(path, seen);
    if (!seen.has(path)) this.#drop(path);
    if (watched) this.#forgetBelow(path, seen);
  }

  /** All but what was seen there just now. */
  #forgetBelow(path: string, seen: ReadonlySet<string>): void {
    const below = `${path}/`;
    const left = (each: string): boolean => each.startsWith(below) && !seen.has(each);
    for (const each of this.#watched) if (left(each)) this.#watched.delete(each);
    for (const each of this.#members.keys()) if (left(each)) this.#drop(each);
  }

  #put(path: string, id: bigint): void {
    const before = this.#members.get(path);
    if (before === id) return;
    this.#members.set(path, id);
    this.#remember(path, before);
  }

  #drop(path: string): void {
    const before = this.#members.get(path);
    if (before === undefined) return;
    this.#members.delete(path);
    this.#remember(path, before);
  }

  #remember(path: string, before: bigint | undefined): void {
    if (!this.#told.has(path)) this.#told.set(path, before);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // All events of one read from the kernel come before any microtask: a batch is what came in one go.
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    const appeared: Member[] = [];
    const gone: Member[] = [];
    for (const [path, before] of this.#told) {
      const now = this.#members.get(path);
      if (now === before) continue;
      if (before !== undefined) gone.push({ path, id: before });
      if (now !== undefined) appeared.push({ path, id: now });
    }
    this.#told.clear();
    if (appeared.length + gone.length > 0) this.#options.onChange({ appeared, gone });
  }
}
