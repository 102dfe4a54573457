/** A cgroup of its own for each container, and its removal with everything that runs in it. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';

const prefix = 'netsteward-test-';

/** Where the cgroup2 tree is: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside the old hierarchies. */
export const unifiedMount: string | undefined = mountOf('cgroup2');

/** systemd-nspawn mirrors the container's cgroup into the old name=systemd hierarchy where that is mounted. */
const namedMount = mountOf('cgroup', 'name=systemd');

function mountOf(type: string, option?: string): string | undefined {
  // proc_pid_mountinfo(5): … root mountpoint options… - type source superoptions
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [kind, , options = ''] = right.split(' ');
    const [, , , , mountPoint, own = ''] = left.split(' ');
    if (kind !== type || !own.split(',').includes('rw')) continue;
    if (option === undefined || options.split(',').includes(option)) return mountPoint;
  }
  return undefined;
}

/** Makes the cgroup (at the top: no other process is in it, whoever started the test) and gives its folder. */
export function makeCgroup(name: string): string {
  if (unifiedMount === undefined) throw new Error('no writable cgroup2 mount');
  const folder = join(unifiedMount, name);
  mkdirSync(folder);
  return folder;
}

/**
 * Has the cgroup removed, with all that runs in it, when this process ends, even if it is killed: a shell waits for that.
 * (PR_SET_PDEATHSIG is not enough: systemd-nspawn dies of it, but its pid 1 has lost it with the capabilities it gave up.)
 * Call what it returns when the cgroup is gone.
 */
export function guardCgroup(name: string): () => void {
  const folders = [unifiedMount, namedMount].flatMap((mount) => (mount === undefined ? [] : [join(mount, name)]));
  // In a session of its own, so that ^C at the terminal ends the tests and not their guard.
  const guard = spawn('sh', ['-c', guardScript, 'sh', propagate(name), ...folders], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  const held = guard.stdin as Socket | null;
  held?.on('error', () => undefined);
  held?.unref();
  return () => held?.destroy();
}

/** `cat` ends when the last holder of the pipe's other end does. */
const guardScript = `
cat > /dev/null
propagate=$1; shift
for folder in "$@"; do if [ -e "$folder/cgroup.kill" ]; then echo 1 > "$folder/cgroup.kill"; fi; done
for folder in "$@"; do
  tries=0
  while [ -d "$folder" ] && [ $tries -lt 100 ]; do
    find "$folder" -depth -type d -exec rmdir {} \\;
    tries=$((tries + 1))
    sleep 0.05
  done
done
rm -rf "$propagate"
`;

/** A folder that systemd-nspawn makes, and leaves where it is killed. */
const propagate = (name: string): string => join('/run/systemd/nspawn/propagate', name);

/** Kills every process in the cgroup and below, then removes it. Blocks for as long as the kernel takes, 5 s at most. */
export function removeCgroup(name: string): void {
  for (const mount of [unifiedMount, namedMount]) {
    if (mount === undefined) continue;
    const folder = join(mount, name);
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let tries = 0; tries < 500 && !removed(folder); tries += 1) Atomics.wait(pause, 0, 0, 10);
  }
}

function removed(folder: string): boolean {
  const ignoring = (act: () => void): void => {
    try {
      act();
    } catch {
      // Gone already, or (cgroup.kill) not in this hierarchy: rmdir's answer below is what counts.
    }
  };
  // cgroups(7), "cgroup.kill": the whole subtree, forks included.
  ignoring(() => writeFileSync(join(folder, 'cgroup.kill'), '1', { flag: 'r+' }));
  const below = (at: string): void => {
    ignoring(() => {
      for (const entry of readdirSync(at, { withFileTypes: true }))
        if (entry.isDirectory()) below(join(at, entry.name));
    });
    ignoring(() => rmdirSync(at));
  };
  below(folder);
  try {
    readdirSync(folder);
    return false;
  } catch {
    return true;
  }
}

/** Removes what is left of test processes whose guards were killed too (the end of a login session, a CI job's). */
export function sweepCgroups(): void {
  for (const mount of [unifiedMount, namedMount]) {
    if (mount === undefined) continue;
    for (const name of readdirSync(mount)) {
      const [, pid] = new RegExp(`^${prefix}(\\d+)-\\d+$`).exec(name) ?? [];
      if (pid !== undefined && !isAlive(Number(pid))) {
        removeCgroup(name);
        rmSync(propagate(name), { recursive: true, force: true });
      }
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
