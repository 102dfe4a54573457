/** A Debian with systemd as pid 1, in a container of its own: what tests of units, journal, cgroups and packets run on. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { checkout, mainJs } from '../checkout.ts';
import { guardCgroup, makeCgroup, removeCgroup, sweepCgroups } from './cgroup-of-test.ts';
import { type Command, type CommandOptions, type Finished, searchPath, startInside } from './inside.ts';
import { firstConnection } from './packet-program.ts';
import { skip } from './requirements.ts';
import { debianTree, type Suite } from './tree.ts';

/*
 * Usage:
 *
 *   import { after, before, describe, test } from 'node:test';
 *   import { bootContainer, type Container, skip } from './container.ts';
 *
 *   describe('a unit under real systemd', { skip }, () => {
 *     let box: Container;
 *     before(async () => {
 *       box = await bootContainer({ files: { '/etc/systemd/system/x.service': '[Service]\nExecStart=/bin/true\n' } });
 *     });
 *     after(() => box.stop());
 *     test('starts', async () => {
 *       assert.equal((await box.exec(['systemctl', 'start', 'x.service'])).code, 0);
 *     });
 *   });
 *
 * `skip` is false, or says what this machine lacks (on CI a skipped test fails the run: scripts/test.mjs).
 * A container of tree 'host' is up in about 0.6 s, so boot one per file or per case as you like.
 *
 * - tree 'host': this machine's /usr (writable, writes are forgotten), with /etc and /var as systemd makes them from
 *   nothing. No PAM configuration, hence no logins and no `systemd --user`. Only units that are part of /usr's own
 *   *.wants run; what is installed here (postgresql, unbound) is there but off.
 * - tree 'bookworm', 'trixie': a Debian 12 (systemd 252, nft 1.0.6) or 13 (systemd 257, nft 1.1.3) with dbus, PAM and
 *   logind, so user sessions work. Made once per machine (tree.ts), then an overlay: writes are forgotten.
 *
 * Everywhere: `netsteward` is on PATH and runs this build, under the Node.js that runs the test; build, node_modules and
 * package.json are at /opt/netsteward, read-only. Root; a network namespace with nothing but lo (packets.ts makes a
 * server beside it); a cgroup2 tree at /sys/fs/cgroup of its own, no two containers share one. It all ends with the
 * test process, however that ends. Units have systemd-nspawn's capabilities (CAP_NET_ADMIN and CAP_SYS_NICE among them)
 * and system call filter; what `exec`, `run` and `spawn` start has all of root's, and cgroup /netsteward-exec/….
 */

/**
 * For `nspawn`: lets systemd in the container load BPF programs. Without them, where its cgroup2 tree has no controllers
 * (as on a machine that has those in the old hierarchies), systemd 257's `NFTSet=` does nothing and says nothing.
 */
export const withBpf: readonly string[] = ['--capability=CAP_BPF', '--system-call-filter=bpf'];

export interface ContainerOptions {
  /** Default: 'host'. */
  readonly tree?: 'host' | Suite;
  /** Files that are there before systemd starts: absolute path → text. Text that begins with `#!` is executable. */
  readonly files?: Readonly<Record<string, string>>;
  /** Debian packages beyond tree.ts's list ('bookworm' and 'trixie' only; a tree of its own, about a minute, once). */
  readonly packages?: readonly string[];
  /** More arguments of systemd-nspawn, such as `...withBpf` or `--bind-ro=/from:/to`. */
  readonly nspawn?: readonly string[];
}

export interface Container {
  /** Host name in the container, and the last part of `cgroup`. */
  readonly name: string;
  /** systemd's pid, in the test's pid namespace: `/proc/<pid>/root` is its root, `nsenter -t <pid> -a` enters. */
  readonly pid: number;
  /** Where the container's cgroup root (its /sys/fs/cgroup) is in this machine's tree. */
  readonly cgroup: string;
  /** What `systemctl is-system-running` said when the boot was over: 'running', or 'degraded' where a unit failed. */
  readonly state: string;
  /** Runs a program to its end. Rejects if it takes longer than `timeout` (ms, default 30 000), not on a bad exit code. */
  exec(argv: readonly string[], options?: CommandOptions): Promise<Finished>;
  /** `exec` that rejects, with all output, on any exit code but 0; gives what the program wrote to stdout. */
  run(argv: readonly string[], options?: CommandOptions): Promise<string>;
  /** Starts a program and leaves it running. */
  spawn(argv: readonly string[], options?: CommandOptions): Command;
  /** Writes a file, and the folders above it. Mode 0755 where the text begins with `#!`, else 0644. */
  write(path: string, text: string): Promise<void>;
  /** A file's text; rejects where there is none. */
  read(path: string): Promise<string>;
  /** The journal's entries, oldest first; `args` are journalctl's, such as `-u x.service` or `UNIT=x.service`. */
  journal(...args: string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Ends every process of the container at once and removes its cgroup. May be called twice. */
  stop(): Promise<void>;
}

export { skip };

/** Where the mounts are made: each container's are in a mount namespace of its own, so all use the same folder. */
const mountPoint = '/run/netsteward-test';

let count = 0;

/** Boots a container and waits until systemd has started all it starts by itself. */
export async function bootContainer(options: ContainerOptions = {}): Promise<Container> {
  if (skip !== false) throw new Error(skip);
  const { tree = 'host', files = {}, packages = [], nspawn = [] } = options;
  if (tree === 'host' && packages.length > 0) throw new Error("'packages' needs tree 'bookworm' or 'trixie'");
  const lower = tree === 'host' ? '/' : await debianTree(tree, packages);
  count += 1;
  const name = `netsteward-test-${process.pid}-${count}`;
  sweepCgroups();
  const cgroup = makeCgroup(name);
  const stage = mkdtempSync(join(tmpdir(), `${name}-`));
  mkdirSync(mountPoint, { recursive: true });
  for (const [path, text] of Object.entries({ ...ownFiles(), ...files })) stageFile(stage, path, text);
  const log = openSync(join(stage, 'console'), 'w+');
  const release = guardCgroup(name);
  const words = [...prepareCommand, cgroup, lower, stage, mountPoint, ...nspawnOptions, `--machine=${name}`];
  const child = spawn('unshare', [...words, ...binds(), ...nspawn], {
    stdio: ['ignore', log, log],
    env: { PATH: searchPath, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1', SYSTEMD_NSPAWN_LOCK: '0' },
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  let pid = 0;
  let stopped = false;
  const stop = async (): Promise<void> => {
    // With its pid 1 killed, nspawn tidies up (/run/systemd/nspawn) and ends; without it, it is killed.
    if (child.exitCode === null && child.signalCode === null) {
      if (pid !== 0) kill(pid);
      await Promise.race([gone, wait(pid === 0 ? 0 : 5000, undefined, { ref: false })]);
      child.kill('SIGKILL');
      await gone;
    }
    removeCgroup(name);
    release();
    if (!stopped) closeSync(log);
    stopped = true;
  };
  try {
    pid = await leader(child);
    // systemd-nspawn's own is `supervisor`, beside it.
    const payload = join(cgroup, 'payload');
    const state = await booted(pid, payload);
    return container({ name, pid, cgroup: payload, state, stop });
  } catch (error) {
    const said = lastOf(log);
    await stop();
    rmSync(stage, { recursive: true, force: true });
    throw new Error(`the container did not boot: ${error instanceof Error ? error.message : error}\n${said}`);
  }
}

function container(base: Pick<Container, 'name' | 'pid' | 'cgroup' | 'state' | 'stop'>): Container {
  const start = (argv: readonly string[], options?: CommandOptions): Command =>
    startInside(base.pid, base.cgroup, argv, options);
  const exec = (argv: readonly string[], options?: CommandOptions): Promise<Finished> => start(argv, options).finished;
  const run = async (argv: readonly string[], options?: CommandOptions): Promise<string> => {
    const { code, stdout, stderr } = await exec(argv, options);
    if (code === 0) return stdout;
    throw new Error(`${argv.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
  };
  return {
    ...base,
    exec,
    run,
    spawn: (argv, options) => start(argv, { timeout: 0, ...options }),
    // Not through /proc/<pid>/root: an absolute symlink in the path would lead to this machine's own files.
    write: async (path, text) => {
      const script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"';
      await run(['sh', '-c', script, 'sh', path, text.startsWith('#!') ? '0755' : '0644'], { stdin: text });
    },
    read: (path) => run(['cat', path]),
    journal: async (...args) => {
      const text = await run(['journalctl', '--no-pager', '--all', '--output=json', ...args]);
      return text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

/**
 * Makes the container's root out of mounts that only this mount namespace sees, then becomes systemd-nspawn.
 * `/usr` of the host tree is all that is taken from the machine, but /etc/alternatives, without which awk is missing.
 */
const prepare = `
cgroup=$1 lower=$2 stage=$3 at=$4; shift 4
echo $$ > "$cgroup/cgroup.procs"
mount -t tmpfs -o mode=0755 tmpfs "$at"
mkdir "$at/root" "$at/upper" "$at/work"
if [ "$lower" = / ]; then
  mkdir "$at/root/usr" "$at/root/etc" "$at/root/var"
  mount -t overlay -o "lowerdir=/usr,upperdir=$at/upper,workdir=$at/work" overlay "$at/root/usr"
  for link in /bin /sbin /lib /lib32 /lib64 /libx32; do [ ! -L "$link" ] || cp -d "$link" "$at/root/"; done
  [ ! -d /etc/alternatives ] || cp -R /etc/alternatives "$at/root/etc/"
else
  mount -t overlay -o "lowerdir=$lower,upperdir=$at/upper,workdir=$at/work" overlay "$at/root"
fi
cp -R "$stage/files/." "$at/root/"
rm -r "$stage"
exec systemd-nspawn --directory "$at/root" "$@"
`;

const prepareCommand = ['--mount', '--propagation=private', 'sh', '-euc', prepare, 'sh'];

/** --keep-unit: it stays in the cgroup that it is started in, which is the container's alone. */
const nspawnOptions = (
  '--boot --register=no --keep-unit --private-network --console=pipe ' +
  '--link-journal=no --resolv-conf=off --timezone=off'
).split(' ');

function ownFiles(): Record<string, string> {
  return {
    // With an id this is no first boot: systemd does not enable by presets what happens to be installed.
    '/etc/machine-id': `${readFileSync('/proc/sys/kernel/random/uuid', 'utf8').replaceAll('-', '').trim()}\n`,
    '/usr/local/bin/netsteward': '#!/bin/sh\nexec /usr/local/bin/node /opt/netsteward/dist/src/main.js "$@"\n',
  };
}

function binds(): string[] {
  const from: Readonly<Record<string, string>> = {
    '/usr/local/bin/node': process.execPath,
    '/usr/local/bin/first-connection': firstConnection(),
    '/opt/netsteward/dist': dirname(dirname(mainJs)),
    '/opt/netsteward/node_modules': join(checkout, 'node_modules'),
    '/opt/netsteward/package.json': join(checkout, 'package.json'),
  };
  return Object.entries(from).map(([to, path]) => `--bind-ro=${path}:${to}`);
}

function stageFile(stage: string, path: string, text: string): void {
  if (!path.startsWith('/')) throw new Error(`${path}: an absolute path is needed`);
  const target = join(stage, 'files', path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
}

/** What systemd and nspawn wrote to the console, as far as it is worth showing. The file's name is gone by then. */
function lastOf(log: number): string {
  const { size } = fstatSync(log);
  const bytes = Buffer.alloc(Math.min(size, 4000));
  readSync(log, bytes, 0, bytes.length, size - bytes.length);
  return bytes.toString();
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** The container's pid 1: nspawn's only child that has become systemd. */
async function leader(nspawn: ChildProcess): Promise<number> {
  for (let tries = 0; tries < 9000; tries += 1) {
    if (nspawn.exitCode !== null || nspawn.signalCode !== null) throw new Error('systemd-nspawn ended');
    const children = textOf(`/proc/${nspawn.pid}/task/${nspawn.pid}/children`).split(' ').filter(Boolean).map(Number);
    const found = children.find((pid) => textOf(`/proc/${pid}/comm`) === 'systemd\n');
    if (found !== undefined) return found;
    await wait(10);
  }
  throw new Error('no systemd within 90 s');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function booted(pid: number, cgroup: string): Promise<string> {
  const limit = AbortSignal.timeout(90_000);
  // systemd's private socket: there before D-Bus is.
  while (!existsSync(`/proc/${pid}/root/run/systemd/private`)) {
    limit.throwIfAborted();
    if (!existsSync(`/proc/${pid}`)) throw new Error('its pid 1 ended');
    await wait(10);
  }
  const argv = ['systemctl', 'is-system-running', '--wait'];
  const { stdout, stderr } = await startInside(pid, cgroup, argv, { timeout: 90_000 }).finished;
  const state = stdout.trim();
  if (state !== 'running' && state !== 'degraded') throw new Error(`systemctl is-system-running: ${stdout}${stderr}`);
  return state;
}
