/** CgroupWatch over inotify: paths to watch numbers and back, and an end to the watches on cgroups that are gone. */
import { statSync } from 'node:fs';
import type { NetstewardError } from '../../core/errors.ts';
import type { CgroupListener, CgroupWatch } from '../unit-ports.ts';
import { Inotify, type InotifyEvent } from './inotify.ts';

export class InotifyCgroupWatch implements CgroupWatch {
  readonly #root: string;
  readonly #listener: CgroupListener;
  readonly #inotify: Inotify | undefined;
  readonly #numbers = new Map<string, number>();
  readonly #paths = new Map<number, string>();
  /** After close() nothing is told; after a failure nothing but that. */
  #closed = false;
  #ended = false;

  /** Never throws: that there can be no watch is told by failed(), later. Inotify.load() must have succeeded. */
  constructor(root: string, listener: CgroupListener) {
    this.#root = root;
    this.#listener = listener;
    try {
      this.#inotify = new Inotify({
        event: (event) => this.#event(event),
        failed: (error) => this.#fail(error),
      });
    } catch (error) {
      this.#fail(error as NetstewardError);
    }
  }

  add(path: string): boolean {
    if (!isPath(path)) return false;
    const directory = directoryOf(this.#root, path);
    if (this.#ended || this.#inotify === undefined)
      return statSync(directory, { throwIfNoEntry: false })?.isDirectory() ?? false;
    try {
      return this.#renew(path, this.#inotify.add(directory));
    } catch (error) {
      this.#fail(error as NetstewardError);
      return true;
    }
  }

  remove(path: string): void {
    const number = this.#numbers.get(path);
    if (number === undefined) return;
    this.#numbers.delete(path);
    this.#paths.delete(number);
    this.#inotify?.remove(number);
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#inotify?.close();
    this.#numbers.clear();
    this.#paths.clear();
  }

  /** Whether it is watched now. A directory made anew has another number; the watch on its predecessor is removed. */
  #renew(path: string, number: number | undefined): boolean {
    if (this.#numbers.get(path) !== number) this.remove(path);
    if (number === undefined) return false;
    this.#numbers.set(path, number);
    this.#paths.set(number, path);
    return true;
  }

  #event(event: InotifyEvent): void {
    if (event.kind === 'overflow') {
      this.#overflow();
      return;
    }
    const above = this.#paths.get(event.watch);
    // Its watch was removed after this had happened.
    if (above === undefined) return;
    if (event.kind === 'ended') {
      this.#paths.delete(event.watch);
      this.#numbers.delete(above);
      return;
    }
    const path = above === '' ? event.name : `${above}/${event.name}`;
    if (event.kind === 'created') {
      this.#listener.created(path);
      return;
    }
    // Linux 6.18 does not end a watch on a directory of cgroupfs that is removed (no IN_IGNORED: kernfs leaves its link
    // count above 0, which fs/dcache.c takes for alive), and so would keep the inode and count the watch for ever.
    this.remove(path);
    this.#listener.removed(path);
  }

  /** The removals among what was lost have to be found out. */
  #overflow(): void {
    for (const path of [...this.#numbers.keys()]) if (!this.#ended) this.add(path);
    if (!this.#ended) this.#listener.overflow();
  }

  #fail(error: NetstewardError): void {
    if (this.#ended) return;
    this.#end();
    queueMicrotask(() => {
      if (!this.#closed) this.#listener.failed(error);
    });
  }
}

/** No way out of the tree, and no second name for the same directory. */
export function isPath(path: string): boolean {
  return path === '' || !/(?:^|\/)\.{0,2}(?:\/|$)|\0/.test(path);
}

export function directoryOf(root: string, path: string): string {
  return path === '' ? root : `${root}/${path}`;
}
