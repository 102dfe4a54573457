/** Children of a worker thread that has ended before them: somebody has to wait for them, or they stay as zombies (wait(2)). */
//
// libuv waits for a child in the event loop that made it. Where that loop is gone, nobody does, and each child stays in the table of
// processes (and counts for TasksMax of systemd.resource-control(5)) until the whole process ends.
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { createRequire } from 'node:module';

/** More children at a time than a module has; those beyond are not known here. */
const slots = 64;
/** Milliseconds between two looks, doubling; a child that still runs after the last one is killed. */
const looks = [50, 100, 200, 400, 800, 1600, 3200, 6400];

// wait(2), linux/wait.h
const wnohang = 1;

type WaitPid = (pid: number, status: null, options: number) => number;

/** Which children a thread has: written there, read by its parent when the thread has ended, however it did. */
export class ChildSlots {
  readonly shared = new SharedArrayBuffer(slots * Int32Array.BYTES_PER_ELEMENT);

  /** In the thread: writes down each child from its start to its end. */
  static record(shared: SharedArrayBuffer): void {
    const pids = new Int32Array(shared);
    const exchange = (from: number, to: number): void => {
      const index = pids.indexOf(from);
      if (index >= 0) pids[index] = to;
    };
    subscribe('child_process', (message) => {
      const { process: child } = message as { readonly process: ChildProcess };
      child.once('spawn', () => exchange(0, child.pid ?? 0));
      child.once('exit', () => exchange(child.pid ?? 0, 0));
    });
  }

  /** Waits for those that are still there, without holding up anything. */
  reap(): void {
    const left = [...new Int32Array(this.shared)].filter((pid) => pid > 0);
    const waitpid = left.length === 0 ? undefined : loadWaitPid();
    if (waitpid !== undefined) reapLater(left, waitpid, 0);
  }
}

function reapLater(pids: readonly number[], waitpid: WaitPid, look: number): void {
  const timer = setTimeout(() => {
    // 0: it runs. Its pid: it has ended. -1: it is no child (any more).
    const left = pids.filter((pid) => waitpid(pid, null, wnohang) === 0);
    if (left.length === 0) return;
    if (look === looks.length - 1) for (const pid of left) process.kill(pid, 'SIGKILL');
    reapLater(left, waitpid, Math.min(look + 1, looks.length - 1));
  }, looks[look]);
  timer.unref();
}

function loadWaitPid(): WaitPid | undefined {
  try {
    // Only a process that has lost a thread pays for loading koffi.
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return koffi.load(null).func('int waitpid(int, int *, int)') as unknown as WaitPid;
  } catch {
    return undefined;
  }
}
