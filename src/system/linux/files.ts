/** The file system, as far as the modules read it. */
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../core/errors.ts';
import type { FileStat, Files } from '../ports.ts';

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
    return readFile(path);
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
