/** A module in a child process of its own: both ends of Node's IPC channel. */
//
// The channel serializes as worker threads do (`serialization: 'advanced'`), so that one protocol serves both: an absent key, Infinity,
// a bigint or a RegExp of a configuration arrive as they are, which JSON lines would lose.
import { fork } from 'node:child_process';
import { NetstewardError } from '../../core/errors.ts';
import type { ModuleLink, OpenCarrier } from '../carrier.ts';
import { childEnvironment } from './child-environment.ts';
import { relayComplaints } from './complaints.ts';
import { outOfMemory, tellFailures } from './module-end.ts';

export interface ProcessOptions {
  /** The program's file, for this very Node. */
  readonly entry: string;
  readonly args: readonly string[];
  /** MB of JavaScript heap; what Node gives it where absent. */
  readonly heapLimit?: number;
}

/** Milliseconds for what is still in the pipes of a child that has ended; a grandchild may hold them open for ever. */
const lastWords = 1000;

export function processCarrier({ entry, args, heapLimit }: ProcessOptions): OpenCarrier {
  const limits = heapLimit === undefined ? [] : [`--max-old-space-size=${heapLimit}`];
  return (listener) => {
    let failure: Error | undefined;
    let open = true;
    const close = (reason: Error): void => {
      if (!open) return;
      open = false;
      listener.closed(failure ?? reason);
    };
    const child = fork(entry, args, {
      // A session of its own: Ctrl-C on a terminal reaches the supervisor alone.
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [...process.execArgv, ...limits],
      env: childEnvironment(),
    });
    if (child.stderr !== null) {
      relayComplaints(child.stderr, (line) => {
        // The last line of a V8 without memory, before it aborts.
        if (/heap out of memory/.test(line)) failure ??= outOfMemory(heapLimit);
        if (open) listener.complaint(line);
      });
    }
    child.on('message', (message: unknown) => {
      if (open) listener.message(message);
    });
    child.on('error', (error) => {
      // It tells of failed kills too.
      if (child.pid !== undefined) return;
      close(new NetstewardError('module-not-started', `its process cannot be started: ${error.message}`));
    });
    child.on('exit', (code, signal) => {
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      const reason = new NetstewardError('module-process-ended', `its process ${how}`);
      const timer = setTimeout(() => close(reason), lastWords);
      child.on('close', () => {
        clearTimeout(timer);
        close(reason);
      });
    });
    return {
      // The callback keeps an error from being thrown: that the child is gone is told by `closed`.
      send: (message) => void (child.connected && child.send(message as object, () => undefined)),
      kill: () => void child.kill('SIGKILL'),
    };
  };
}

/** In the child, with the limit that it was given. Throws NetstewardError `usage` where no supervisor has started it. */
export function processLink(heapLimit?: number): ModuleLink {
  const send = process.send?.bind(process);
  if (send === undefined) throw new NetstewardError('usage', 'this program is started by `netsteward run` alone');
  // Signals are for the supervisor: it says `stop`, or is gone. systemd signals all of a unit.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined);
  let underway = 0;
  let whenSent: (() => void) | undefined;
  return {
    send: (message) => {
      if (!process.connected) return;
      send(message, undefined, undefined, () => {
        underway -= 1;
        if (underway === 0) whenSent?.();
      });
      // Not before: what cannot cross throws.
      underway += 1;
    },
    receive: (listener) => {
      tellFailures(listener, heapLimit);
      process.on('message', (message: unknown) => listener.message(message));
      process.on('disconnect', () => listener.gone());
    },
    close: (exitCode) => {
      whenSent = () => process.exit(exitCode);
      if (underway === 0) whenSent();
      // A supervisor that is stopped reads nothing.
      else setTimeout(whenSent, lastWords);
    },
  };
}
