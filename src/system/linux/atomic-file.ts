/** The OutputFiles port: appending, and replacing a file in one step. */
import { randomBytes } from 'node:crypto';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../core/errors.ts';
import type { OutputFiles } from '../ports.ts';
import { readRegularFile } from './files.ts';

const logMode = 0o640;
const newMode = 0o644;

export class LinuxOutputFiles implements OutputFiles {
  async read(path: string): Promise<string | undefined> {
    try {
      return (await readRegularFile(path)).toString('utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async append(path: string, text: string): Promise<number> {
    const file = await open(path, 'a', logMode);
    try {
      await file.writeFile(text);
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }

  rename(from: string, to: string): Promise<void> {
    return rename(from, to);
  }

  /** rename(2) is atomic within a file system, so the new content is made in the same folder and is on disk before it counts. */
  async replace(path: string, content: string): Promise<void> {
    const old = await owned(path);
    const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.new`);
    // `wx`: a link that somebody has put there is not followed.
    const file = await open(temporary, 'wx', 0o600);
    try {
      try {
        await file.writeFile(content);
        // Another owner can be kept only with the right to give files away; without it the reader's mode still is.
        if (old !== undefined) await file.chown(old.uid, old.gid).catch(() => {});
        await file.chmod(old?.mode ?? newMode);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    await syncFolder(dirname(path));
  }
}

async function owned(path: string): Promise<{ uid: number; gid: number; mode: number } | undefined> {
  try {
    const { uid, gid, mode } = await stat(path);
    return { uid, gid, mode: mode & 0o777 };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** So that the new name outlives a power cut; not every file system can do it, and the content is whole anyway. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // As said.
  }
}
