/** One run of journalctl: its output as it comes, and why it ended. */
import { spawn } from 'node:child_process';
import { errnoOf } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';

export interface JournalctlEnd {
  /** Exit code; null where a signal ended it, or there was none to start. */
  readonly code: number | null;
  /** There is no such program. */
  readonly missing: boolean;
  /** What it wrote to stderr, in English, its last 2000 characters. */
  readonly said: string;
  /** Why it ended, for people: `journalctl ended with code 1: Failed to seek …`. */
  readonly reason: string;
}

const mostSaid = 2000;

export class JournalctlProcess {
  readonly ended: Promise<void>;
  readonly #kill: () => boolean;

  /** `onEnd` is called once, and `onOutput` not after it. */
  constructor(
    command: string,
    args: readonly string[],
    onOutput: (bytes: Buffer) => void,
    onEnd: (end: JournalctlEnd) => void,
  ) {
    // A session of its own: Ctrl-C on a terminal is for its parent. When that is killed, it ends by itself: nobody reads its output.
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
      cwd: '/',
      detached: true,
    });
    this.#kill = () => child.kill('SIGKILL');
    let said = '';
    child.stdout?.on('data', onOutput);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-mostSaid);
    });
    this.ended = new Promise((resolve) => {
      let over = false;
      const end = (code: number | null, how: string, missing = false): void => {
        if (over) return;
        over = true;
        const last = said.trim().split('\n').at(-1) ?? '';
        const reason = missing ? `${command} is not installed` : last === '' ? how : `${how}: ${last}`;
        onEnd({ code, missing, said, reason: printable(reason) });
        resolve();
      };
      // Without a process, as when no descriptor is left for its pipes, there need not be a 'close'.
      child.on('error', (error) => {
        if (child.pid === undefined) end(null, error.message, errnoOf(error) === 'ENOENT');
      });
      child.on('close', (code, signal) => end(code, `${command} ended with ${signal ?? `code ${code}`}`));
    });
  }

  /** False where it has ended. */
  kill(): boolean {
    return this.#kill();
  }
}
