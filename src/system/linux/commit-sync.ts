/** The CommitSync port for SQLite: the write-ahead log on the disk, by a thread that is not the one of the events. */
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { errnoOf } from '../../core/errors.ts';
import type { CommitSync } from '../dyndns-ports.ts';

/**
 * With `synchronous = NORMAL` a commit is in the log, which nobody has synced (sqlite.org/pragma.html#pragma_synchronous);
 * with the sync of the log it is as durable as with FULL. SQLite keeps its locks on the database and on its index, so that
 * closing a descriptor of the log loses none of them (fcntl(2)).
 */
export const commitSync: CommitSync = {
  async sync(path) {
    let log: FileHandle;
    try {
      log = await open(`${await realpath(path)}-wal`, 'r');
    } catch (error) {
      // A file system without WAL: there each commit is synced by SQLite itself.
      if (errnoOf(error) === 'ENOENT') return;
      throw error;
    }
    try {
      await log.datasync();
    } finally {
      await log.close();
    }
  },
};
