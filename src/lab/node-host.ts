/** A Node process inside one host of the lab, which the keeper tells what to do over IPC. */
import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labError } from './lab-error.ts';
import type { HostName } from './vocabulary.ts';

type Message =
  | { readonly ready: unknown }
  | { readonly id: number; readonly result?: unknown; readonly error?: string };

/** The file of an entry point beside this one, compiled or not (`.js` or `.ts`). */
export function entryPoint(name: string): string {
  return fileURLToPath(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url));
}

export class NodeHost {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #next = 1;
  /** What the process said once it served. */
  readonly ready: Promise<unknown>;

  /** `onEnd` is called when the process ends by itself. Its messages go to the keeper's standard error. */
  constructor(host: HostName, entry: string, onEnd: (why: string) => void) {
    this.#child = spawn('ip', ['netns', 'exec', host, process.execPath, entryPoint(entry)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.ready = new Promise((resolve, reject) => {
      const ended = (why: string): void => {
        const error = labError('lab-start', `the process of ${host} ended: ${why}`);
        reject(error);
        for (const pending of this.#pending.values()) pending.reject(error);
        onEnd(error.message);
      };
      this.#child.on('error', (error) => ended(error.message));
      this.#child.on('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
      this.#child.on('message', (message: Message) => {
        if ('ready' in message) {
          resolve(message.ready);
          return;
        }
        const pending = this.#pending.get(message.id);
        this.#pending.delete(message.id);
        if (message.error === undefined) pending?.resolve(message.result);
        else pending?.reject(new Error(message.error));
      });
    });
  }

  /** Sends a request and gives what the process answers. */
  request(body: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#child.send({ ...body, id });
    });
  }
}
