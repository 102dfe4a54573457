/** Where policy updates and dumps go: standard output, a command's standard input, or a unix socket. */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import type { Clock } from '../core/clock.ts';

/** Rejects with what went wrong. */
export type PolicyHook = (lines: string) => Promise<void>;

export interface HookSettings {
  readonly clock: Clock;
  readonly out: (text: string) => void;
  /** The value is the path of a unix socket. */
  readonly socket: boolean;
  /** Seconds. */
  readonly timeout: number;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly kill: number;
}

/** `value`: `-`, a command line that is split at blanks (no shell sees it), or a path. */
export function policyHook(value: string, settings: HookSettings): PolicyHook {
  if (settings.socket) return (lines) => sendToSocket(value, lines, settings);
  if (value === '-') {
    return (lines) => {
      settings.out(`${lines.replace(/\n+$/, '')}\n`);
      return Promise.resolve();
    };
  }
  const [command = '', ...args] = value.split(/\s+/).filter((part) => part !== '');
  return (lines) => runCommand(command, args, lines, settings);
}

function runCommand(command: string, args: readonly string[], lines: string, settings: HookSettings): Promise<void> {
  const { clock, timeout, kill } = settings;
  return new Promise((resolve, reject) => {
    // A group of its own, so that what a script has started ends with it.
    const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'], detached: true });
    const end = (name: 'SIGTERM' | 'SIGKILL'): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {
        // It has ended just now.
      }
    };
    let late = false;
    let timer = clock.after(timeout * 1000, () => {
      late = true;
      end('SIGTERM');
      timer = clock.after(kill * 1000, () => end('SIGKILL'));
    });
    child.on('error', (error) => {
      timer.cancel();
      reject(new Error(`${command}: ${error.message}`));
    });
    child.on('exit', (code, signal) => {
      timer.cancel();
      if (late) reject(new Error(`${command}: did not end within ${timeout} s`));
      else if (code === 0) resolve();
      else reject(new Error(`${command}: ended with ${signal ?? `code ${code}`}`));
    });
    // A command that does not read its input is judged by its exit code alone.
    child.stdin.on('error', () => {});
    child.stdin.end(lines);
  });
}

const expected = 'OK\n';
/** Milliseconds for a server to say more than OK: one that leaves its side open has said all it will. */
const moreWithin = 500;

function sendToSocket(path: string, lines: string, { clock, timeout }: HookSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    // Not connect(path): a path of digits would be taken for a TCP port.
    const socket = connect({ path });
    let answer = '';
    const settle = (why: string | undefined): void => {
      timer.cancel();
      socket.destroy();
      if (why === undefined) resolve();
      else reject(new Error(`${path}: ${why}`));
    };
    const judge = (): void => {
      if (answer === expected) settle(undefined);
      else settle(answer === '' ? 'closed without an answer' : 'answered something else than OK');
    };
    let timer = clock.after(timeout * 1000, () => settle(`no answer within ${timeout} s`));
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${lines.replace(/\n+$/, '')}\n\n`));
    socket.on('data', (text: string) => {
      answer += text;
      if (!expected.startsWith(answer)) return judge();
      if (answer !== expected) return;
      timer.cancel();
      timer = clock.after(Math.min(timeout * 1000, moreWithin), judge);
    });
    socket.on('error', (error) => settle(error.message));
    socket.on('end', judge);
  });
}
