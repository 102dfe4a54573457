/** The ZoneFiles port: a file replaced whole, under locks, with whatever others wrote meanwhile kept. */
import { closeSync, constants, fstatSync, openSync, read, readSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Clock, sleep } from '../../core/clock.ts';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import { describeFileFailure } from '../../core/file-failure.ts';
import type {
  FileMark,
  ZoneContent,
  ZoneEditing,
  ZoneFiles,
  ZonePieces,
  ZoneSteps,
  ZoneWrite,
} from '../dyndns-ports.ts';
import { type FileCalls, fileCalls } from './file-calls.ts';
import { disturbed, markNow, markOf, swap, sweep } from './zone-swap.ts';

/** Bytes; 10 million records. */
const mostBytes = 512 * 1024 * 1024;
/** Milliseconds between two tries while others have the file, and until that is a failure. */
const retryAfter = 20;
const patience = 10_000;
/** Bytes that are read at once, without a thread of their own: some 30 µs from the page cache. */
const quickBytes = 128 * 1024;
/** Bytes of a zone whose memory is kept for the next read. */
const worthKeeping = 1024 * 1024;

export class LinuxZoneFiles implements ZoneFiles {
  readonly #clock: Clock;
  /** The memory of the last large zone. */
  #spare: Buffer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async look(path: string): Promise<FileMark | undefined> {
    try {
      return markNow(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      throw unusable(path, 'read', error);
    }
  }

  async read(path: string): Promise<ZoneContent> {
    try {
      return await this.#patiently(path, async () => {
        const zone = openZone(path);
        try {
          // A failed lease says that it is half saved, but only to whoever owns the file (fcntl(2)).
          const halfSaved = leased(zone) === 'busy';
          const found = await this.#stableContent(zone);
          if (found === disturbed) return disturbed;
          let given = false;
          const free = (): void => {
            if (!given) this.#giveBack(found.content);
            given = true;
          };
          return { ...found, free, ...(halfSaved ? { halfSaved } : {}) };
        } finally {
          closeSync(zone);
        }
      });
    } catch (error) {
      throw unusable(path, 'read', error);
    }
  }

  async replace(path: string, edit: ZoneEditing, steps: ZoneSteps = {}): Promise<ZoneWrite> {
    try {
      const calls = fileCalls();
      // A symbolic link is followed: what it leads to is the zone, in its own folder.
      const target = realpathSync.native(path);
      return await this.#patiently(path, () => this.#locked(calls, target, edit, steps));
    } catch (error) {
      throw unusable(path, 'written', error);
    }
  }

  async #locked(
    calls: FileCalls,
    target: string,
    edit: ZoneEditing,
    steps: ZoneSteps,
  ): Promise<ZoneWrite | typeof disturbed> {
    const lockFile = openSync(lockPath(target), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      // Other processes of netsteward; its file stays for ever, so that all mean the same one.
      if (!calls.lock(lockFile, 'exclusive')) return disturbed;
      await sweep(calls, target);
      const zone = openZone(target);
      try {
        // Shared is enough against the original, which writes under an exclusive lock; and a lease wants no writer at all.
        if (!calls.lock(zone, 'shared')) return disturbed;
        const lease = calls.lease(zone);
        if (lease === 'busy') return disturbed;
        const found = await this.#stableContent(zone);
        if (found === disturbed) return disturbed;
        const { content, mark: before } = found;
        try {
          if (markNow(target) !== before) return disturbed;
          const made = edit(content);
          const next = made instanceof Uint8Array ? [made] : made;
          if (next === undefined || sameBytes(next, content)) return { kind: 'same', mark: before };
          const undisturbed = (): boolean => lease !== 'held' || calls.leaseHolds(zone);
          const mark = await swap({ calls, target, zone, before, next, undisturbed, steps });
          return mark === disturbed ? disturbed : { kind: 'written', mark };
        } finally {
          this.#giveBack(content);
        }
      } finally {
        closeSync(zone);
      }
    } finally {
      closeSync(lockFile);
    }
  }

  /** Undisturbed by writers while it was read. */
  async #stableContent(zone: number): Promise<{ content: Buffer; mark: FileMark } | typeof disturbed> {
    const before = fstatSync(zone, { bigint: true });
    if (!before.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'file-not-regular' });
    if (before.size > mostBytes) throw new NetstewardError('zone-too-large', `it has more than ${mostBytes} bytes`);
    const content = this.#take(Number(before.size));
    let length = 0;
    while (length < content.length) {
      const got = await readSome(zone, content, length);
      if (got === 0) break;
      length += got;
    }
    const mark = markOf(before);
    if (length === content.length && markOf(fstatSync(zone, { bigint: true })) === mark) return { content, mark };
    this.#giveBack(content);
    return disturbed;
  }

  #take(size: number): Buffer {
    const spare = this.#spare;
    if (spare === undefined || spare.length < size) return Buffer.allocUnsafeSlow(size + size / 64).subarray(0, size);
    this.#spare = undefined;
    return spare.subarray(0, size);
  }

  #giveBack({ buffer, length }: Buffer): void {
    if (length >= worthKeeping) this.#spare = Buffer.from(buffer as ArrayBuffer);
  }

  async #patiently<Result>(path: string, work: () => Promise<Result | typeof disturbed>): Promise<Result> {
    const end = this.#clock.monotonic() + patience;
    for (;;) {
      const result = await work();
      if (result !== disturbed) return result;
      if (this.#clock.monotonic() >= end) {
        throw new NetstewardError('zone-busy', `${path} is in use by other programs for ${patience / 1000} s`, {
          remedy: 'See who has it open or locked with `fuser -v` and in /proc/locks.',
        });
      }
      await sleep(this.#clock, retryAfter);
    }
  }
}

/** Opening a FIFO for reading would wait for a writer. */
function openZone(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** Where there is no C library to call, nobody can tell. */
function leased(zone: number): ReturnType<FileCalls['lease']> {
  try {
    return fileCalls().lease(zone);
  } catch {
    return 'unknown';
  }
}

/** By another thread where it takes long, at once where that costs less than the change of threads. */
function readSome(fd: number, into: Buffer, from: number): number | Promise<number> {
  const wanted = into.length - from;
  if (wanted <= quickBytes) return readSync(fd, into, from, wanted, from);
  return new Promise((resolve, reject) =>
    read(fd, into, from, wanted, from, (error, got) => (error === null ? resolve(got) : reject(error))),
  );
}

function sameBytes(pieces: ZonePieces, content: Buffer): boolean {
  let at = 0;
  for (const piece of pieces) {
    const part = content.subarray(at, at + piece.length);
    at += piece.length;
    // A piece of the content itself, where it was, need not be looked at.
    const itself = piece.buffer === part.buffer && piece.byteOffset === part.byteOffset;
    if (part.length !== piece.length || !(itself || part.equals(piece))) return false;
  }
  return at === content.length;
}

function lockPath(target: string): string {
  return join(dirname(target), `.${basename(target)}.netsteward-lock`);
}

function unusable(path: string, done: 'read' | 'written', error: unknown): NetstewardError {
  if (error instanceof NetstewardError) {
    if (error.code === 'zone-busy' || error.code === 'native-calls-missing') return error;
    const details = { cause: error, ...(error.remedy === undefined ? {} : { remedy: error.remedy }) };
    return new NetstewardError(error.code, `${path} cannot be ${done}: ${error.message}`, details);
  }
  return new NetstewardError(`zone-not-${done}`, `${path} cannot be ${done}: ${describeFileFailure(error)}`, {
    cause: error,
  });
}
