/** The CommitSync port for SQLite: the write-ahead log on the disk, by a thread that is not the one of the events. */
import { closeSync, fdatasync, openSync, realpathSync } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf } from '../../core/errors.ts';
import type { CommitSync } from '../dyndns-ports.ts';

const dataOnDisk = promisify(fdatasync);

/**
 * With `synchronous = NORMAL` a commit is in the log, which nobody has synced (sqlite.org/pragma.html#pragma_synchronous);
 * with the sync of the log it is as durable as with FULL. SQLite keeps its locks on the database and on its index, so that
 * closing a descriptor of the log loses none of them (fcntl(2)).
 */
export const commitSync: CommitSync = {
  async sync(path) {
    let log: number;
    try {
      // At once: from the kernel's memory this takes less than the way to another thread and back.
      log = openSync(`${realpathSync.native(path)}-wal`, 'r');
    } catch (error) {
      // A file system without WAL: there each commit is synced by SQLite itself.
      if (errnoOf(error) === 'ENOENT') return;
      throw error;
    }
    try {
      await dataOnDisk(log);
    } finally {
      closeSync(log);
    }
  },
};
