/** Makes a folder with all that is missing above it, and says in words why it cannot. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../core/errors.ts';

/** Throws a Node system error: the true one, where mkdir's own `recursive` says ENOENT of a read-only file system. */
export function makeFolder(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' && dirname(folder) !== folder) {
      makeFolder(dirname(folder), mode);
      mkdirSync(folder, { mode });
    } else if (code !== 'EEXIST') throw error;
    // Where a file stands in its place, whoever opens a file in it is told.
  }
}

const words: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a file stands where a folder should be',
  ENOSPC: 'the disk is full',
};

/** Why a file or folder cannot be made, for people. */
export function fileFailure(error: unknown): string {
  return words[errnoOf(error) ?? ''] ?? (error instanceof Error ? error.message : String(error));
}
