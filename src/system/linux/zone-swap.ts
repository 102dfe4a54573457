/** How a new zone file takes the place of the old one: written beside it, synced, exchanged, and back if somebody was quicker. */
import { createHash, randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  futimesSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writev,
  writevSync,
} from 'node:fs';
import { unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { NetstewardError } from '../../core/errors.ts';
import type { FileMark, ZonePieces, ZoneSteps } from '../dyndns-ports.ts';
import type { FileCalls } from './file-calls.ts';

/** More are put together first: the kernel takes 1024 at a time (IOV_MAX, limits.h). */
const mostPieces = 512;
/** Bytes that are written at once, without a thread of their own: some 50 µs into the page cache. */
const quickBytes = 128 * 1024;

/** The one call for which another thread is worth its while on a small zone: all others take less than the change of threads. */
const onDisk = promisify(fsync);
const writeElsewhere = promisify(writev);

/** Of a whole try that somebody else has disturbed: again from the start. */
export const disturbed = Symbol('disturbed');

export interface Swap {
  readonly calls: FileCalls;
  readonly target: string;
  /** Descriptor of the old file. */
  readonly zone: number;
  readonly before: FileMark;
  readonly next: ZonePieces;
  /** Nobody waits to write to the old file. */
  readonly undisturbed: () => boolean;
  readonly steps: ZoneSteps;
}

/** Durable when it resolves. */
export async function swap(work: Swap): Promise<FileMark | typeof disturbed> {
  const { calls, target, zone, before, undisturbed, steps } = work;
  const temporary = `${temporaryPrefix(target)}${randomBytes(6).toString('hex')}`;
  const mark = await writeBeside(work, temporary);
  // After a kill this name tells which file is ours to remove: the old one or the new one, but not what somebody saved.
  const swapping = `${temporaryPrefix(target)}${fingerprint(before)}-${fingerprint(mark)}`;
  try {
    // The temporary name until then: after a kill it is of no use to anybody.
    await steps.ready;
    renameSync(temporary, swapping);
    // No turn of the event loop from here to the end of the exchange: others save at any moment.
    if (!undisturbed() || markNow(target) !== before) return disturbed;
    if (!calls.exchange(swapping, target)) {
      // File systems without it: what an editor puts there between the look and this rename is lost.
      renameSync(swapping, target);
    } else if (!undisturbed() || markNow(swapping) !== before) {
      putBack(calls, swapping, target, mark);
      return disturbed;
    }
    steps.seen?.(mark);
  } finally {
    await unlink(temporary).catch(() => {});
    await removeOurs(swapping, [fingerprint(before), fingerprint(mark)]);
  }
  await syncFolder(dirname(target));
  // The original may wait for its lock on the file that is gone. A change of its time makes it look again (section 5 of
  // what it does: more than a second of difference), so that it does not put its own copy over this one.
  try {
    if (fstatSync(zone).nlink === 0) futimesSync(zone, 0, 0);
  } catch {
    // Not our file: whoever waits for it has the rights of its own.
  }
  return mark;
}

/** Somebody was quicker with `path`, and has the name `ours` now: the names change places again, and all begins anew. */
function putBack(calls: FileCalls, ours: string, path: string, mark: FileMark): void {
  calls.exchange(ours, path);
  if (markNow(ours) === mark) return;
  // One more has saved over ours in between: the newest stays.
  calls.exchange(ours, path);
  unlinkSync(ours);
}

/** Durable when it resolves; the file is gone when it rejects. */
async function writeBeside({ calls, zone, next }: Swap, path: string): Promise<FileMark> {
  const old = fstatSync(zone);
  const file = openSync(path, 'wx', 0o600);
  try {
    await writeAll(file, next);
    const made = fstatSync(file);
    if (made.uid !== old.uid || made.gid !== old.gid) giveAway(file, old);
    for (const [name, value] of calls.attributes(zone)) keepAttribute(calls, file, name, value);
    // After the access list, whose mask is the group's part of the mode (acl(5)), and after chown, which clears bits.
    fchmodSync(file, old.mode & 0o7777);
    await onDisk(file);
    return markOf(fstatSync(file, { bigint: true }));
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  } finally {
    closeSync(file);
  }
}

/** In one call where the kernel takes it at once. */
async function writeAll(file: number, pieces: ZonePieces): Promise<void> {
  let left = pieces.length > mostPieces ? [Buffer.concat(pieces)] : pieces.filter(({ length }) => length > 0);
  const quick = left.reduce((sum, { length }) => sum + length, 0) <= quickBytes;
  while (left.length > 0) {
    let bytesWritten = quick ? writevSync(file, left) : (await writeElsewhere(file, left)).bytesWritten;
    const rest: Uint8Array[] = [];
    for (const piece of left) {
      if (bytesWritten < piece.length) rest.push(piece.subarray(bytesWritten));
      bytesWritten = Math.max(0, bytesWritten - piece.length);
    }
    left = rest;
  }
}

function giveAway(fd: number, { uid, gid }: { uid: number; gid: number }): void {
  try {
    fchownSync(fd, uid, gid);
  } catch (error) {
    throw new NetstewardError('zone-owner-lost', `its owner (${uid}:${gid}) could not be kept`, {
      remedy: 'Give the file to the user that netsteward runs as, and to a group of that user.',
      cause: error,
    });
  }
}

/** Labels of security modules are theirs to give: a new file has the right one of its folder. */
function keepAttribute(calls: FileCalls, fd: number, name: string, value: Buffer): void {
  try {
    calls.setAttribute(fd, name, value);
  } catch (error) {
    if (/^(?:security|trusted)\./.test(name)) return;
    throw error;
  }
}

/** Not the time of the inode's change: a rename moves that one too. */
export function markOf({ dev, ino, size, mtimeNs }: BigIntStats): FileMark {
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

/** Undefined: there is no such file. */
export function markNow(path: string): FileMark | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : markOf(found);
}

/** 48 bits are enough to tell three files from each other. */
function fingerprint(mark: FileMark | undefined): string {
  return createHash('sha256')
    .update(mark ?? '')
    .digest('hex')
    .slice(0, 12);
}

function temporaryPrefix(target: string): string {
  return join(dirname(target), `.${basename(target)}.netsteward-new.`);
}

/**
 * Removes what killed processes have left, and puts back what somebody saved in the moment of an exchange; nobody else writes
 * while the lock is held.
 */
export async function sweep(calls: FileCalls, target: string): Promise<void> {
  const prefix = basename(temporaryPrefix(target));
  for (const name of readdirSync(dirname(target))) {
    if (!name.startsWith(prefix)) continue;
    const [, before, made] = /^([0-9a-f]{12})(?:-([0-9a-f]{12}))?$/.exec(name.slice(prefix.length)) ?? [];
    if (before === undefined) continue;
    const path = join(dirname(target), name);
    if (made !== undefined && ![before, made].includes(fingerprint(markNow(path)))) {
      // Whatever was saved after it is newer; then it stays where it is, for a person to look at.
      if (fingerprint(markNow(target)) !== made || !calls.exchange(path, target)) continue;
    }
    await unlink(path).catch(() => {});
  }
}

/** What somebody else has saved is not among them, and stays for the next sweep. */
async function removeOurs(path: string, ours: readonly string[]): Promise<void> {
  if (ours.includes(fingerprint(markNow(path)))) await unlink(path).catch(() => {});
}

/** So that the new name outlives a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, 'r');
  try {
    await onDisk(folder);
  } finally {
    closeSync(folder);
  }
}
