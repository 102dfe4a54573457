/** The file system, as far as the modules read it. */
import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import type { FileStat, Files } from '../ports.ts';

/** Bytes of a file that is read; the longest that anybody has a use for is a CA bundle. */
const mostBytes = 64 * 1024 * 1024;

/**
 * Reads a regular file and nothing else: opening a FIFO would hang a thread of libuv's for good, and a device may never end.
 * Rejects with NetstewardError `file-not-regular` or `file-too-large`, or a Node system error.
 */
export async function readRegularFile(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new NetstewardError('file-not-regular', `${path} is not a regular file`);
    if (found.size > mostBytes) {
      throw new NetstewardError('file-too-large', `${path} has ${found.size} bytes, more than ${mostBytes}`);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

export class LinuxFiles implements Files {
  async stat(path: string): Promise<FileStat | undefined> {
    try {
      const { mtimeMs, size } = await stat(path);
      return { mtimeMs, size };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  read(path: string): Promise<Buffer> {
    return readRegularFile(path);
  }

  async writable(path: string): Promise<boolean> {
    try {
      await access(path, constants.W_OK);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') return false;
    }
    return access(dirname(path), constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    );
  }
}
