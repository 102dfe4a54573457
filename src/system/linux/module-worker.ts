/** A module in a worker thread of its own, with a limit to its memory: both ends of the thread's message port. */
import { isMainThread, parentPort, resourceLimits, Worker, workerData } from 'node:worker_threads';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import type { ModuleLink, OpenCarrier } from '../carrier.ts';
import { relayComplaints } from './complaints.ts';
import { outOfMemory, tellFailures } from './module-end.ts';
import { ChildSlots } from './orphans.ts';

export interface WorkerOptions {
  /** The program's file. */
  readonly entry: string;
  readonly args: readonly string[];
  /** MB of the JavaScript heap's old space, where everything that lives longer is; buffers are outside of it. */
  readonly heapLimit: number;
  /** MB of its young space. It counts threefold against the memory of the process, and a larger one saves some CPU. */
  readonly youngLimit: number;
}

export function workerCarrier({ entry, args, heapLimit, youngLimit }: WorkerOptions): OpenCarrier {
  return (listener) => {
    const slots = new ChildSlots();
    let failure: Error | undefined;
    let open = true;
    const worker = new Worker(entry, {
      argv: [...args],
      workerData: slots.shared,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: heapLimit, maxYoungGenerationSizeMb: youngLimit },
    });
    relayComplaints(worker.stderr, (line) => open && listener.complaint(line));
    worker.on('message', (message: unknown) => listener.message(message));
    worker.on('error', (error) => {
      failure = errnoOf(error) === 'ERR_WORKER_OUT_OF_MEMORY' ? outOfMemory(heapLimit) : error;
    });
    worker.on('exit', (code) => {
      // Its children get the end of their input and so end; but nobody else waits for them.
      slots.reap();
      // Its last lines come after its exit.
      setImmediate(() => {
        open = false;
        listener.closed(
          failure ?? new NetstewardError('module-thread-ended', `its thread ended with exit code ${code}`),
        );
      });
    });
    return {
      send: (message) => worker.postMessage(message),
      kill: () => void worker.terminate(),
    };
  };
}

/** In the thread. */
export function workerLink(): ModuleLink {
  if (isMainThread || parentPort === null) throw new NetstewardError('usage', 'this is no worker thread');
  const port = parentPort;
  ChildSlots.record(workerData as SharedArrayBuffer);
  return {
    send: (message) => port.postMessage(message),
    // `gone` cannot be: the thread ends with its process.
    receive: (listener) => {
      tellFailures(listener, resourceLimits.maxOldGenerationSizeMb);
      port.on('message', (message: unknown) => listener.message(message));
    },
    // Messages are with the other side at once (Node's documentation of process.exit() in worker threads).
    close: (exitCode) => process.exit(exitCode),
  };
}
