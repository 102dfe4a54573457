/** Folders of state files: `run` makes what is missing of them, so `check --host` must not call that a fault. */
import { dirname } from 'node:path';
import { NetstewardError } from '../core/errors.ts';
import { fileFailure, makeFolder } from '../supervisor/make-folder.ts';
import type { Files, Store } from '../system/ports.ts';

/** State is nobody else's business, but of the group that the administrator gives the folder to. */
const folderMode = 0o750;

/** The store, making missing folders of a file that it opens. `open` throws `state-folder-unusable` where that fails. */
export function makingFolders(store: Store): Store {
  return {
    open(path) {
      const folder = dirname(path);
      try {
        makeFolder(folder, folderMode);
      } catch (error) {
        throw new NetstewardError(
          'state-folder-unusable',
          `the folder ${folder} cannot be made: ${fileFailure(error)}`,
          {
            remedy: 'Make it, writable for the user that netsteward runs as, or name another state file.',
            cause: error,
          },
        );
      }
      return store.open(path);
    },
  };
}

/** The files, where a file can be written too when its missing folders can be made. */
export function countingOnFolders(files: Files): Files {
  return {
    stat: (path) => files.stat(path),
    read: (path) => files.read(path),
    async writable(path) {
      for (let each = path; ; each = dirname(each)) {
        if (await files.writable(each)) return true;
        // A folder that is there settles it.
        if (await isThere(files, dirname(each))) return false;
      }
    },
  };
}

function isThere(files: Files, path: string): Promise<boolean> {
  // No permission to look: nothing can be made there either.
  return files.stat(path).then(
    (stat) => stat !== undefined,
    () => true,
  );
}
