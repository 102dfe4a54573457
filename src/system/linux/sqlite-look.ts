/** What a database file says of itself, read without SQLite, which writes to some files by merely opening and closing them. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import { fileFailure } from '../../core/file-failure.ts';
import type { DatabaseMark } from '../ports.ts';

/** Device and inode, which no other file can have while this one is open; undefined where there is none, or none to be seen. */
export type FileIdentity = string | undefined;

export function identityOf(path: string): FileIdentity {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/**
 * Files that connections of this process have open. Reading such a file here would end with a close(2), and that drops every
 * lock which the whole process has on it, SQLite's among them (fcntl(2); sqlite.org/howtocorrupt.html §2.2).
 */
const openHere = new Map<string, number>();

export function keepLocks(identity: FileIdentity, by: 1 | -1): void {
  if (identity !== undefined) openHere.set(identity, (openHere.get(identity) ?? 0) + by);
}

/**
 * Undefined for a file that is new or holds nothing yet, and for one that this process has open. Changes nothing.
 * Throws NetstewardError: `state-file-not-sqlite`, `-damaged`, `-unusable`.
 */
export function lookAt(path: string): DatabaseMark | undefined {
  const found = statOf(path);
  if (found === undefined || (openHere.get(`${found.dev}:${found.ino}`) ?? 0) > 0) return undefined;
  const kind = kindOf(found);
  if (kind !== undefined) {
    throw unusable(path, `is ${kind}, not a file`, 'Name a file of its own for the state.');
  }
  let file: number;
  try {
    // A FIFO that has come into its place just now would block.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fileTrouble(path, error);
  }
  try {
    // SQLite puts its logs beside the file that a link leads to.
    return markOf(realpathSync(path), file);
  } finally {
    closeSync(file);
  }
}

/** Undefined where there is no such file, but a folder that it can be made in. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileTrouble(path, error);
  }
  // A link that leads nowhere is SQLite's own business: it makes the file that the link names.
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return undefined;
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false }) !== undefined) return undefined;
  throw unusable(path, `cannot be made: there is no folder ${folder}`, 'Make the folder, or name another state file.');
}

function kindOf(found: Stats): string | undefined {
  if (found.isFile()) return undefined;
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a FIFO';
  return found.isSocket() ? 'a socket' : 'a device';
}

// The header of a database file: sqlite.org/fileformat2.html §1.3; behind it the head of the schema's b-tree page, §1.6.
const magic = Buffer.from('SQLite format 3\0');
const headerSize = 100;
const headSize = headerSize + 8;

function markOf(path: string, file: number): DatabaseMark | undefined {
  const head = bytesAt(file, 0, headSize);
  if (head.length === 0) return undefined;
  const start = head.subarray(0, magic.length);
  if (start.length === magic.length && start.every((byte) => byte === 0)) {
    throw damaged(path, 'zero bytes stand where its header should be');
  }
  if (!start.equals(magic)) {
    throw new NetstewardError('state-file-not-sqlite', `${path} is not an SQLite database`, {
      remedy: 'Name another state file, or move that one away.',
    });
  }
  if (head.length < headSize) throw damaged(path, `it ends after ${head.length} bytes, in its header`);
  if (isBlank(head)) return markInLog(`${path}-wal`);
  const pageSize = pageSizeOf(head.readUInt16BE(16));
  // The number of pages counts only where these two are the same (§1.3.7), and pages may wait in a log beside the file.
  const counted = head.readUInt32BE(24) === head.readUInt32BE(92) && !hasLog(path);
  const whole = counted ? head.readUInt32BE(28) * pageSize : 0;
  // The size last: whoever writes to the file meanwhile has it whole before the log goes.
  return { ...idsOf(head), missingBytes: Math.max(0, whole - fstatSync(file).size) };
}

function idsOf(head: Buffer): Pick<DatabaseMark, 'applicationId' | 'userVersion'> {
  return { applicationId: head.readUInt32BE(68), userVersion: head.readUInt32BE(60) };
}

/** Without a mark and without a table: nothing was made in it, or all of it is in the log still. */
function isBlank(head: Buffer): boolean {
  const { applicationId, userVersion } = idsOf(head);
  const emptyLeaf = head.readUInt8(headerSize) === 0x0d && head.readUInt16BE(headerSize + 3) === 0;
  return applicationId === 0 && userVersion === 0 && emptyLeaf;
}

function pageSizeOf(stored: number): number {
  return stored === 1 ? 65_536 : stored;
}

function hasLog(path: string): boolean {
  return ['-wal', '-journal'].some((log) => (statSync(path + log, { throwIfNoEntry: false })?.size ?? 0) > 0);
}

// The write-ahead log: sqlite.org/fileformat2.html §4.
const logHeaderSize = 32;
const frameHeaderSize = 24;

/** The mark in the newest first page of a log: that is where it is from a file's making to its first checkpoint. */
function markInLog(log: string): DatabaseMark | undefined {
  let file: number;
  try {
    file = openSync(log, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const header = bytesAt(file, 0, logHeaderSize);
    if (header.length < logHeaderSize || header.readUInt32BE(0) >>> 1 !== 0x377f0682 >>> 1) return undefined;
    const pageSize = header.readUInt32BE(8);
    const salts = header.subarray(16, 24);
    let newest: Buffer | undefined;
    for (let at = logHeaderSize; ; at += frameHeaderSize + pageSize) {
      const frame = bytesAt(file, at, frameHeaderSize + headSize);
      // Frames of other salts are left from before the log was begun anew.
      if (frame.length < frameHeaderSize + headSize || !frame.subarray(8, 16).equals(salts)) break;
      if (frame.readUInt32BE(0) === 1) newest = frame.subarray(frameHeaderSize);
    }
    return newest === undefined || isBlank(newest) ? undefined : { ...idsOf(newest), missingBytes: 0 };
  } finally {
    closeSync(file);
  }
}

/** Fewer where the file ends. */
function bytesAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}

export function damaged(path: string, what: string, cause?: unknown): NetstewardError {
  return new NetstewardError('state-file-damaged', `${path} is damaged: ${what}`, {
    remedy: 'Restore the file from a copy, or move it away to start with an empty state.',
    cause,
  });
}

export function unusable(path: string, what: string, remedy: string, cause?: unknown): NetstewardError {
  return new NetstewardError('state-file-unusable', `${path} ${what}`, { remedy, cause });
}

export function fileTrouble(path: string, error: unknown): NetstewardError {
  const known = fileFailure(error);
  const reason = known?.reason ?? (error instanceof Error ? error.message : String(error));
  return unusable(path, `cannot be opened: ${reason}`, sentence(known?.remedy ?? 'name another state file'), error);
}

function sentence(remedy: string): string {
  return `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.`;
}
