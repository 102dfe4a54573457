/** Directories made and removed in watched ones, from the kernel (inotify(7)), through koffi and libuv's own poll (no thread is held). */
import { isUtf8 } from 'node:buffer';
import type { LibraryHandle, node } from 'koffi';
import { NetstewardError } from '../../core/errors.ts';

// sys/inotify.h, asm-generic/errno.h.
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ONLYDIR = 0x0100_0000;
const IN_DONT_FOLLOW = 0x0200_0000;
const IN_ISDIR = 0x4000_0000;
const IN_NONBLOCK = 0o4000;
const IN_CLOEXEC = 0o2000000;
const ENOENT = 2;
const EINTR = 4;
const EAGAIN = 11;
const EACCES = 13;
const ENODEV = 19;
const ENOTDIR = 20;
const ENFILE = 23;
const EMFILE = 24;
const ENOSPC = 28;

// Nothing that a file's content or attributes do: those would wake for each change of cgroup.events (kernfs notifies of
// it as of a write). An idle machine has no directory made or removed.
const mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW;

/** Some 1300 events with unit names. */
const bufferSize = 64 * 1024;
const readsInOneTurn = 16;
const headLength = 16;

type KoffiFunction = ReturnType<LibraryHandle['func']>;

interface Calls {
  readonly init: KoffiFunction;
  readonly add: KoffiFunction;
  readonly remove: KoffiFunction;
  readonly read: KoffiFunction;
  readonly close: KoffiFunction;
  readonly errno: () => number;
  readonly poll: typeof node.poll;
}

export type InotifyEvent =
  | { readonly kind: 'created' | 'removed'; readonly watch: number; readonly name: string }
  /** The watch is no more: it was removed, or what it was on is gone. */
  | { readonly kind: 'ended'; readonly watch: number }
  /** The kernel dropped events (fs.inotify.max_queued_events waited). */
  | { readonly kind: 'overflow' };

export interface InotifyListener {
  /** All that one wake-up brings is told before any microtask runs. */
  event(event: InotifyEvent): void;
  /** The descriptor is closed and tells nothing any more. */
  failed(error: NetstewardError): void;
}

let calls: Calls | undefined;

export class Inotify {
  readonly #calls: Calls;
  readonly #listener: InotifyListener;
  readonly #buffer = Buffer.allocUnsafe(bufferSize);
  readonly #descriptor: number;
  readonly #poll: node.PollHandle;
  #closed = false;

  /** Throws NetstewardError `watch-failed`; load() must have succeeded. */
  constructor(listener: InotifyListener) {
    if (calls === undefined) throw new NetstewardError('watch-failed', 'koffi is not loaded');
    this.#calls = calls;
    this.#listener = listener;
    const descriptor: number = calls.init(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0) throw openingFailed(calls.errno());
    this.#descriptor = descriptor;
    this.#poll = calls.poll(descriptor, { readable: true }, () => this.#drain());
  }

  /** Rejects when koffi cannot be loaded here. */
  static async load(): Promise<void> {
    if (calls !== undefined) return;
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    calls = {
      init: libc.func('int inotify_init1(int flags)'),
      add: libc.func('int inotify_add_watch(int fd, const char *path, uint32_t mask)'),
      remove: libc.func('int inotify_rm_watch(int fd, int watch)'),
      read: libc.func('long read(int fd, _Out_ uint8_t *buffer, size_t length)'),
      close: libc.func('int close(int fd)'),
      errno: () => koffi.errno(),
      poll: koffi.node.poll,
    };
  }

  /** The watch's number: the same for the same directory, another for one made anew. Undefined where there is none. Throws NetstewardError `watch-failed`. */
  add(directory: string): number | undefined {
    const watch: number = this.#calls.add(this.#descriptor, directory, mask);
    if (watch >= 0) return watch;
    const code = this.#calls.errno();
    if (code === ENOENT || code === ENOTDIR || code === ENODEV) return undefined;
    throw watchingFailed(directory, code);
  }

  /** Events of it that wait are still told. */
  remove(watch: number): void {
    if (!this.#closed) this.#calls.remove(this.#descriptor, watch);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.stop();
    this.#poll.close();
    this.#calls.close(this.#descriptor);
  }

  #drain(): void {
    for (let left = readsInOneTurn; left > 0 && !this.#closed; left--) {
      const length = Number(this.#calls.read(this.#descriptor, this.#buffer, bufferSize));
      if (length >= 0) {
        for (const event of inotifyEvents(this.#buffer.subarray(0, length))) {
          this.#listener.event(event);
          if (this.#closed) return;
        }
        continue;
      }
      const code = this.#calls.errno();
      if (code === EAGAIN) return;
      if (code !== EINTR) {
        this.close();
        this.#listener.failed(new NetstewardError('watch-failed', `inotify cannot be read (errno ${code})`));
      }
    }
  }
}

/**
 * What one read(2) of an inotify descriptor gave: struct inotify_event, one after the other, each with a name padded by NULs.
 * Only what concerns directories. A name that is not UTF-8 is passed over: nobody can have named it in a configuration.
 */
export function* inotifyEvents(bytes: Buffer): Generator<InotifyEvent, void> {
  let at = 0;
  while (at + headLength <= bytes.length) {
    const flags = nativeUint32(bytes, at + 4);
    const watch = nativeUint32(bytes, at) | 0;
    const start = at + headLength;
    at = start + nativeUint32(bytes, at + 12);
    if ((flags & IN_Q_OVERFLOW) !== 0) yield { kind: 'overflow' };
    else if ((flags & IN_IGNORED) !== 0) yield { kind: 'ended', watch };
    if ((flags & IN_ISDIR) === 0 || at > bytes.length) continue;
    const kind = (flags & (IN_CREATE | IN_MOVED_TO)) !== 0 ? 'created' : 'removed';
    const padded = bytes.subarray(start, at);
    const end = padded.indexOf(0);
    const name = end === -1 ? padded : padded.subarray(0, end);
    if (name.length > 0 && isUtf8(name)) yield { kind, watch, name: name.toString('utf8') };
  }
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function nativeUint32(bytes: Buffer, at: number): number {
  return littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

/** Why no descriptor was to be had (inotify_init(2)). */
function openingFailed(code: number): NetstewardError {
  const what = `cgroups cannot be watched: no inotify instance (errno ${code})`;
  if (code !== EMFILE && code !== ENFILE) return new NetstewardError('watch-failed', what);
  return new NetstewardError('watch-failed', what, {
    remedy:
      'Raise the limit: sysctl fs.inotify.max_user_instances=1024, and LimitNOFILE= of the unit if that is small.',
  });
}

/** Why a directory that exists cannot be watched (inotify_add_watch(2)). */
function watchingFailed(directory: string, code: number): NetstewardError {
  if (code === ENOSPC) {
    return new NetstewardError('watch-failed', `${directory} cannot be watched: this user has no inotify watch left`, {
      remedy: 'Raise the limit: sysctl fs.inotify.max_user_watches=524288 (and in /etc/sysctl.d).',
    });
  }
  const what = `${directory} cannot be watched (errno ${code})`;
  if (code !== EACCES) return new NetstewardError('watch-failed', what);
  return new NetstewardError('watch-failed', what, {
    remedy: 'Let netsteward read it: it is usually mode 0755, and a container may hide it.',
  });
}
