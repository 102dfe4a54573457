/** Tells once when a directory that is not there yet is made (inotify(7)); costs nothing until then. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Inotify } from './inotify.ts';

/** Never tells where its parent is not there either, or inotify is not to be had. Not for a directory that is there. */
export function onceMade(directory: string, action: () => void): { close(): void } {
  let inotify: Inotify | undefined;
  let over = false;
  const close = (): void => {
    over = true;
    inotify?.close();
  };
  const made = (): void => {
    if (over) return;
    close();
    action();
  };
  const watch = async (): Promise<void> => {
    await Inotify.load();
    if (over) return;
    inotify = new Inotify({
      event: ({ kind }) => {
        if (kind !== 'removed' && existsSync(directory)) made();
      },
      failed: () => undefined,
    });
    if (inotify.add(dirname(directory)) === undefined) close();
    else if (existsSync(directory)) made();
  };
  watch().catch(close);
  return { close };
}
