/** Runs a test file a second time in a network, mount and cgroup namespace of its own: /sys/fs/cgroup is then a cgroup2 tree of its own. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { guardCgroup, makeCgroup, removeCgroup, unifiedMount } from '../system/cgroup-of-test.ts';
import { pathWithSbin, runAgain } from './second-run.ts';

const variable = 'NETSTEWARD_TEST_CGROUPS';

/** Whether this very process is the second run. */
export const insideCgroups: boolean = process.env[variable] === 'inside';

export interface NamespaceOptions {
  /** Root in a user namespace alone: what a socket may send at once is limited there (net.core.wmem_max). */
  readonly user?: boolean;
  /** Environment variables for the second run. */
  readonly environment?: Readonly<Record<string, string>>;
}

let runs = 0;

/** `file`: import.meta.url of the test file. Skips, loudly, where there is no root, no cgroup2 or no nft. */
export async function repeatInCgroups(t: TestContext, file: string, options: NamespaceOptions = {}): Promise<void> {
  const lacking = whatIsMissing();
  if (lacking !== undefined) {
    t.skip(`NOT TESTED: ${lacking}`);
    return;
  }
  runs += 1;
  const name = `netsteward-test-${process.pid}-${runs}`;
  const folder = makeCgroup(name);
  const unguard = guardCgroup(name);
  try {
    await repeatIn(t, folder, file, options);
  } finally {
    removeCgroup(name);
    unguard();
  }
}

// The cgroup that a process is in when it makes a cgroup namespace is the root of that (cgroup_namespaces(7)).
const enter = 'echo $$ > "$0/cgroup.procs" && exec unshare "$@"';
const prepare =
  'mount -t tmpfs tmpfs /run && mount -t cgroup2 cgroup2 /sys/fs/cgroup && ip link set lo up && exec "$@"';
const namespaces = ['--net', '--mount', '--cgroup', '--kill-child'];

async function repeatIn(t: TestContext, folder: string, file: string, options: NamespaceOptions): Promise<void> {
  const user = options.user === true ? ['--user', '--map-root-user'] : [];
  await runAgain(t, {
    file,
    command: ['sh', '-c', enter, folder, ...user, ...namespaces, 'sh', '-c', prepare, 'sh'],
    environment: { [variable]: 'inside', ...options.environment },
    where: 'in the namespaces',
  });
}

function whatIsMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root, who alone can make a cgroup for the test';
  if (unifiedMount === undefined) return 'no cgroup2 file system that can be written to';
  if (spawnSync('unshare', [...namespaces, 'true']).status !== 0) return 'no namespaces (unshare -nmC)';
  if (spawnSync('nft', ['--version'], { env: { PATH: pathWithSbin } }).error !== undefined)
    return 'nft is not installed';
  return undefined;
}

/** Where cgroup2 is in the second run. */
export const cgroupRoot = '/sys/fs/cgroup';

/** With all that is missing above it. */
export function makeUnit(unitPath: string): void {
  mkdirSync(join(cgroupRoot, unitPath), { recursive: true });
}

/** As systemd does at a restart: gone and there again, with another id. It must have no children. */
export function remakeUnit(unitPath: string): void {
  rmdirSync(join(cgroupRoot, unitPath));
  mkdirSync(join(cgroupRoot, unitPath));
}

/** With all below it; processes in it are killed. */
export function removeUnit(unitPath: string): void {
  const folder = join(cgroupRoot, unitPath);
  if (!existsSync(folder)) return;
  writeFileSync(join(folder, 'cgroup.kill'), '1');
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeUnit(join(unitPath, entry.name));
  }
  for (let tries = 0; existsSync(folder); tries++) {
    try {
      rmdirSync(folder);
    } catch (error) {
      // EBUSY: the processes are still ending.
      if (tries > 1000) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
