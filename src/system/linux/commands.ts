/** The Commands port: a program without a shell, ended with all that it started when it takes too long. */
import { spawn } from 'node:child_process';
import type { Clock, Timer } from '../../core/clock.ts';
import { printable } from '../../core/printable.ts';
import type { CommandOutcome, CommandRequest, Commands } from '../ports.ts';
import { onAbort } from './http-probe-abort.ts';

/** Milliseconds between SIGTERM and SIGKILL. */
const patience = 2000;
/** Characters of what it says that are kept. */
const mostSaid = 2000;

export class LinuxCommands implements Commands {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  run({ argv, timeout, env }: CommandRequest, signal: AbortSignal): Promise<CommandOutcome> {
    const [program = '', ...args] = argv;
    return new Promise((resolve) => {
      // A group of its own, so that what a script has started ends with it.
      const child = spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
        env: { ...process.env, ...env },
      });
      let said = '';
      let why: string | undefined;
      let timer: Timer | undefined;
      const kill = (name: 'SIGTERM' | 'SIGKILL'): void => {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, name);
        } catch {
          // It has ended just now.
        }
      };
      const end = (reason: string): void => {
        if (why !== undefined) return;
        why = reason;
        kill('SIGTERM');
        timer?.cancel();
        timer = this.#clock.after(patience, () => kill('SIGKILL'));
      };
      timer = this.#clock.after(timeout, () => end(`did not end within ${timeout / 1000} s`));
      const forget = onAbort(signal, () => end('was ended with netsteward'));
      if (signal.aborted) end('was ended with netsteward');
      const settle = (outcome: CommandOutcome): void => {
        timer?.cancel();
        forget();
        // A grandchild may hold the pipes open.
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(outcome);
      };
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8');
        stream?.on('data', (text: string) => {
          if (said.length < mostSaid) said += text;
        });
        stream?.on('error', () => {});
      }
      const fail = (reason: string, code?: number): void =>
        settle({
          ok: false,
          reason: printable(`${program}: ${reason}`),
          ...(code === undefined ? {} : { code }),
        });
      child.on('error', (error) => fail(error.message));
      child.on('exit', (code, by) => {
        // What it said last may still be in the pipe.
        setImmediate(() => {
          if (why !== undefined) return fail(why);
          if (code === 0) return settle({ ok: true });
          const words = said.trim().split('\n').slice(-3).join('; ').slice(0, 300);
          fail(`ended with ${by ?? `code ${code}`}${words === '' ? '' : `: ${words}`}`, code ?? undefined);
        });
      });
    });
  }
}
