/** A program started inside a container: in all its namespaces and in a cgroup of the container's tree. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CommandOptions {
  /** Text for the program's standard input, which is then closed; without it, standard input is empty. */
  readonly stdin?: string;
  /** Milliseconds after which the program is killed, with its children, and `finished` rejects. 0: never. */
  readonly timeout?: number;
  /** Added to PATH, HOME, LANG and, for a user, XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS; nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** Numeric user id to run as, with that user's groups (no login: no PAM, no session of its own). */
  readonly uid?: number;
}

export interface Finished {
  /** Exit code; 128 + signal number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  /** What it wrote so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly finished: Promise<Finished>;
  /** Sends a signal to the program itself (not its children). False if it has ended or not started yet. */
  kill(signal?: NodeJS.Signals): boolean;
  /** SIGKILL to it and all that it started. */
  killAll(): void;
}

export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

// The shell enters the cgroup while it still sees the machine's tree.
const enter = 'echo $$ > "$0/cgroup.procs" && exec nsenter --target "$@"';

let count = 0;

/** `pid`: the container's pid 1. `cgroup`: its cgroup root. */
export function startInside(
  pid: number,
  cgroup: string,
  argv: readonly string[],
  { stdin, timeout = 30_000, env = {}, uid }: CommandOptions = {},
): Command {
  count += 1;
  const group = join(cgroup, 'netsteward-exec', `${process.pid}-${count}`);
  mkdirSync(group, { recursive: true });
  const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--init-groups', '--'];
  const session = {
    XDG_RUNTIME_DIR: `/run/user/${uid}`,
    DBUS_SESSION_BUS_ADDRESS: `unix:path=/run/user/${uid}/bus`,
  };
  const variables = {
    PATH: searchPath,
    LANG: 'C.UTF-8',
    ...(uid === undefined ? { HOME: '/root' } : session),
    ...env,
  };
  // --wdns: a working folder of the container, not the test's.
  const child = spawn('/bin/sh', ['-c', enter, group, `${pid}`, '--all', '--wdns=/', '--', ...user, ...argv], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: variables,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A program that does not read its input to the end is no error.
  child.stdin.on('error', () => undefined).end(stdin ?? '');
  const killAll = (): void => {
    // From outside the cgroup: nsenter is in it too.
    writeFileSync(join(group, 'cgroup.kill'), '1', { flag: 'r+' });
  };
  const finished = new Promise<Finished>((resolve, reject) => {
    let late: Error | undefined;
    const limit =
      timeout === 0
        ? undefined
        : setTimeout(() => {
            late = new Error(
              `${argv.join(' ')}: not done in ${timeout} ms\n${stdout.slice(-2000)}${stderr.slice(-2000)}`,
            );
            killAll();
          }, timeout);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      remove(group);
      if (late === undefined) resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 143), stdout, stderr });
      else reject(late);
    });
  });
  // A command that nobody waits for must not end the test process; whoever awaits it still gets the rejection.
  finished.catch(() => undefined);
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    finished,
    killAll,
    kill: (signal = 'SIGTERM') => {
      // `nsenter --all` forks, for the pid namespace: its child is the program.
      const inner = childOf(child.pid);
      if (inner === undefined) return false;
      process.kill(inner, signal);
      return true;
    },
  };
}

function childOf(pid: number | undefined): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return first === undefined ? undefined : Number(first);
  } catch {
    return undefined;
  }
}

function remove(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    // Something that the program started lives on in it: that ends with the container.
  }
}
