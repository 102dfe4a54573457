/** Runs programs inside the namespaces of a lab from outside of them. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { childrenOf } from './process-id.ts';
import { toolPath } from './tools.ts';
import type { HostName } from './vocabulary.ts';

/** The lab's first process, as seen from here. */
export interface Inside {
  readonly pid: number;
  readonly userNamespace: boolean;
}

export interface SpawnOptions {
  /** As of node:child_process; pipes by default. */
  readonly stdio?: StdioOptions;
  /** Added to this process's own; undefined removes. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** This process's own by default. */
  readonly cwd?: string;
}

export interface ExecOptions extends Omit<SpawnOptions, 'stdio'> {
  readonly stdin?: string | Uint8Array;
  /** Milliseconds until the program is killed; 30 000 by default. */
  readonly timeout?: number;
}

export interface ExecResult {
  /** 128 + the signal's number when a signal ended it, as a shell says it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** It was killed because its time was over. */
  readonly timedOut: boolean;
}

export function spawnInHost(
  inside: Inside,
  host: HostName,
  argv: readonly [string, ...string[]],
  options: SpawnOptions,
): ChildProcess {
  const { stdio = 'pipe', env = {}, cwd = process.cwd() } = options;
  const child = spawn(
    'nsenter',
    [
      '--target',
      `${inside.pid}`,
      ...(inside.userNamespace ? ['--user', '--preserve-credentials'] : []),
      '--mount',
      '--net',
      '--pid',
      '--',
      'ip',
      'netns',
      'exec',
      host,
      // Entering a mount namespace leaves the working directory behind; `env` changes into it from inside.
      'env',
      `--chdir=${cwd}`,
      '--',
      ...argv,
    ],
    { stdio, env: { ...process.env, PATH: toolPath(), ...env } },
  );
  forwardSignals(child);
  return child;
}

/** nsenter itself does not pass signals on: `kill` reaches its one child, which the program is by way of exec. */
function forwardSignals(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
  child.kill = (signal: NodeJS.Signals | number = 'SIGTERM'): boolean => {
    if (over()) return false;
    const [program] = childrenOf(pid);
    if (program === undefined) {
      // It is being started: as soon as it is there.
      setTimeout(() => child.kill(signal), 2);
      return true;
    }
    try {
      return process.kill(program, signal);
    } catch {
      return false;
    }
  };
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 };

export function execInHost(
  inside: Inside,
  host: HostName,
  argv: readonly [string, ...string[]],
  options: ExecOptions,
): Promise<ExecResult> {
  const { stdin = '', timeout = 30_000, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawnInHost(inside, host, argv, { ...rest, stdio: 'pipe' });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeout);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (data: Buffer) => out.push(data));
    child.stderr?.on('data', (data: Buffer) => err.push(data));
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
        timedOut,
      });
    });
    // A program that does not read its input is no error.
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
  });
}
