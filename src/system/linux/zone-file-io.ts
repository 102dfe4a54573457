/** The ZoneFiles port: a file replaced whole, under locks, with whatever others wrote meanwhile kept. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Clock, sleep } from '../../core/clock.ts';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import { describeFileFailure } from '../../core/file-failure.ts';
import type { FileMark, ZoneContent, ZoneFiles, ZoneWrite } from '../dyndns-ports.ts';
import { type FileCalls, fileCalls } from './file-calls.ts';

/** Bytes; 10 million records. */
const mostBytes = 512 * 1024 * 1024;
/** Milliseconds between two tries while others have the file, and until that is a failure. */
const retryAfter = 20;
const patience = 10_000;

/** Of a whole try that somebody else has disturbed: again from the start. */
const disturbed = Symbol('disturbed');

export class LinuxZoneFiles implements ZoneFiles {
  readonly #clock: Clock;
  /** Folders' files that a killed process may have left were looked for, by zone. */
  readonly #swept = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async look(path: string): Promise<FileMark | undefined> {
    try {
      return markOf(await stat(path, { bigint: true }));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      throw unusable(path, 'read', error);
    }
  }

  async read(path: string): Promise<ZoneContent> {
    try {
      return await this.#patiently(path, async () => {
        const zone = await openZone(path);
        try {
          return await stableContent(zone);
        } finally {
          await zone.close();
        }
      });
    } catch (error) {
      throw unusable(path, 'read', error);
    }
  }

  async replace(path: string, edit: (content: Buffer) => Buffer | undefined): Promise<ZoneWrite> {
    try {
      const calls = fileCalls();
      // A symbolic link is followed: what it leads to is the zone, in its own folder.
      const target = await realpath(path);
      return await this.#patiently(path, () => this.#locked(calls, target, edit));
    } catch (error) {
      throw unusable(path, 'written', error);
    }
  }

  async #locked(
    calls: FileCalls,
    target: string,
    edit: (content: Buffer) => Buffer | undefined,
  ): Promise<ZoneWrite | typeof disturbed> {
    const lockFile = await open(lockPath(target), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      // Other processes of netsteward; its file stays for ever, so that all mean the same one.
      if (!calls.lock(lockFile.fd, 'exclusive')) return disturbed;
      if (!this.#swept.has(target)) {
        await sweep(target);
        this.#swept.add(target);
      }
      const zone = await openZone(target);
      try {
        // Shared is enough against the original, which writes under an exclusive lock; and a lease wants no writer at all.
        if (!calls.lock(zone.fd, 'shared')) return disturbed;
        const lease = calls.lease(zone.fd);
        if (lease === 'busy') return disturbed;
        const found = await stableContent(zone);
        if (found === disturbed || (await this.look(target)) !== found.mark) return disturbed;
        const next = edit(found.content);
        if (next === undefined || next.equals(found.content)) return { kind: 'same', mark: found.mark };
        const undisturbed = (): boolean => lease !== 'held' || calls.leaseHolds(zone.fd);
        return await swap({ calls, target, zone, before: found.mark, next, undisturbed });
      } finally {
        await zone.close();
      }
    } finally {
      await lockFile.close();
    }
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

interface Swap {
  readonly calls: FileCalls;
  readonly target: string;
  readonly zone: FileHandle;
  readonly before: FileMark;
  readonly next: Buffer;
  /** Nobody waits to write to the old file. */
  readonly undisturbed: () => boolean;
}

async function swap({ calls, target, zone, before, next, undisturbed }: Swap): Promise<ZoneWrite | typeof disturbed> {
  const temporary = `${temporaryPrefix(target)}${randomBytes(6).toString('hex')}`;
  const mark = await writeBeside(calls, zone, temporary, next);
  try {
    if (!undisturbed() || markOf(await stat(target, { bigint: true })) !== before) return disturbed;
    if (!calls.exchange(temporary, target)) {
      // File systems without it: what an editor puts there between the look and this rename is lost.
      await rename(temporary, target);
    } else if (!undisturbed() || markOf(await stat(temporary, { bigint: true })) !== before) {
      // Somebody was quicker, and now has the temporary name: back, and all again on what they wrote.
      calls.exchange(temporary, target);
      return disturbed;
    }
  } finally {
    await unlink(temporary).catch(() => {});
  }
  await syncFolder(dirname(target));
  // The original may wait for its lock on the file that is gone. A change of its time makes it look again (section 5 of
  // what it does: more than a second of difference), so that it does not put its own copy over this one.
  if ((await zone.stat()).nlink === 0) await zone.utimes(0, 0).catch(() => {});
  return { kind: 'written', mark };
}

/** Durable when it resolves; the file is gone when it rejects. */
async function writeBeside(calls: FileCalls, zone: FileHandle, path: string, content: Buffer): Promise<FileMark> {
  const old = await zone.stat();
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    const made = await file.stat();
    if (made.uid !== old.uid || made.gid !== old.gid) await giveAway(file, old);
    for (const [name, value] of calls.attributes(zone.fd)) keepAttribute(calls, file, name, value);
    // After the access list, whose mask is the group's part of the mode (acl(5)), and after chown, which clears bits.
    await file.chmod(old.mode & 0o7777);
    await file.sync();
    return markOf(await file.stat({ bigint: true }));
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
}

async function giveAway(file: FileHandle, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  try {
    await file.chown(uid, gid);
  } catch (error) {
    throw new NetstewardError('zone-owner-lost', `its owner (${uid}:${gid}) could not be kept`, {
      remedy: 'Give the file to the user that netsteward runs as, and to a group of that user.',
      cause: error,
    });
  }
}

/** Labels of security modules are theirs to give: a new file has the right one of its folder. */
function keepAttribute(calls: FileCalls, file: FileHandle, name: string, value: Buffer): void {
  try {
    calls.setAttribute(file.fd, name, value);
  } catch (error) {
    if (/^(?:security|trusted)\./.test(name)) return;
    throw error;
  }
}

/** Undisturbed by writers while it was read. */
async function stableContent(zone: FileHandle): Promise<ZoneContent | typeof disturbed> {
  const before = await zone.stat({ bigint: true });
  if (!before.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'file-not-regular' });
  if (before.size > mostBytes) throw new NetstewardError('zone-too-large', `it has more than ${mostBytes} bytes`);
  const content = await zone.readFile();
  const mark = markOf(before);
  if (markOf(await zone.stat({ bigint: true })) !== mark || BigInt(content.length) !== before.size) return disturbed;
  return { content, mark };
}

/** Opening a FIFO for reading would wait for a writer. */
function openZone(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** Not the time of the inode's change: a rename moves that one too. */
function markOf({ dev, ino, size, mtimeNs }: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint }): FileMark {
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

function lockPath(target: string): string {
  return join(dirname(target), `.${basename(target)}.netsteward-lock`);
}

function temporaryPrefix(target: string): string {
  return join(dirname(target), `.${basename(target)}.netsteward-new.`);
}

/** Removes what killed processes have left; nobody else writes while the lock is held. */
async function sweep(target: string): Promise<void> {
  const prefix = basename(temporaryPrefix(target));
  for (const name of await readdir(dirname(target))) {
    if (name.startsWith(prefix) && /^[0-9a-f]{12}$/.test(name.slice(prefix.length))) {
      await unlink(join(dirname(target), name)).catch(() => {});
    }
  }
}

/** So that the new name outlives a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
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
