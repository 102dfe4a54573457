/** The cgroup tree as the kernel shows it: directories of the cgroup2 file system, whose inode numbers are the cgroups' ids. */
import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import type { CgroupListener, CgroupTree, CgroupWatch } from '../unit-ports.ts';
import { FsCgroupWatch } from './cgroupfs-fs-watch.ts';
import { directoryOf, InotifyCgroupWatch, isPath } from './cgroupfs-watch.ts';
import { Inotify } from './inotify.ts';

/** linux/magic.h, CGROUP2_SUPER_MAGIC. */
const cgroup2 = 0x63677270;

export type WatchKind = 'inotify' | 'fs.watch';

/** Rejects with NetstewardError `no-cgroup2`. */
export async function openCgroupTree(): Promise<Cgroupfs> {
  // A later mount may hide what the table still lists.
  const root = cgroup2Mounts(readFileSync('/proc/self/mountinfo', 'utf8')).find(isCgroup2);
  if (root === undefined) {
    throw new NetstewardError('no-cgroup2', 'no cgroup2 file system is mounted here', {
      remedy: 'Boot with systemd.unified_cgroup_hierarchy=1; in a container, let it have a /sys/fs/cgroup of its own.',
    });
  }
  return new Cgroupfs(root, await watchKind());
}

/** inotify where koffi loads. */
async function watchKind(): Promise<WatchKind> {
  try {
    await Inotify.load();
    return 'inotify';
  } catch {
    return 'fs.watch';
  }
}

export class Cgroupfs implements CgroupTree {
  readonly root: string;
  readonly watching: WatchKind;

  /** `root`: absolute, without a slash at its end. For 'inotify', Inotify.load() must have succeeded. */
  constructor(root: string, watching: WatchKind) {
    this.root = root;
    this.watching = watching;
  }

  watch(listener: CgroupListener): CgroupWatch {
    return this.watching === 'inotify'
      ? new InotifyCgroupWatch(this.root, listener)
      : new FsCgroupWatch(this, listener);
  }

  /** Names that are not UTF-8 are left out. Throws NetstewardError `cgroup-unreadable` where there is a directory that cannot be read. */
  children(path: string): readonly string[] | undefined {
    if (!isPath(path)) return undefined;
    try {
      const entries = readdirSync(directoryOf(this.root, path), { withFileTypes: true });
      return entries.flatMap((entry) => (entry.isDirectory() && !entry.name.includes('\ufffd') ? [entry.name] : []));
    } catch (error) {
      if (isGone(error)) return undefined;
      throw unreadable(this.root, path, error);
    }
  }

  id(path: string): bigint | undefined {
    if (!isPath(path)) return undefined;
    try {
      const stat = statSync(directoryOf(this.root, path), { bigint: true, throwIfNoEntry: false });
      return stat?.isDirectory() ? stat.ino : undefined;
    } catch (error) {
      if (isGone(error)) return undefined;
      throw unreadable(this.root, path, error);
    }
  }

  processes(path: string): readonly number[] {
    if (!isPath(path)) return [];
    try {
      const text = readFileSync(`${directoryOf(this.root, path)}/cgroup.procs`, 'utf8');
      // 0 stands for a process of another pid namespace.
      return text
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0);
    } catch (error) {
      // A threaded cgroup has no list of its own (EOPNOTSUPP, cgroups(7)).
      if (isGone(error) || errnoOf(error) === 'ENOTSUP' || errnoOf(error) === 'EOPNOTSUPP') return [];
      throw unreadable(this.root, path, error);
    }
  }
}

/** Where a table of mounts (proc_pid_mountinfo(5)) has a cgroup2 file system, the most usual place first (pure). */
export function cgroup2Mounts(mountinfo: string): readonly string[] {
  const points = new Set<string>();
  for (const line of mountinfo.split('\n')) {
    // … root mountpoint options… - type source superoptions; a later mount at the same point lies over an earlier one.
    const [left = '', right = ''] = line.split(' - ');
    const point = unescapeMount(left.split(' ')[4] ?? '');
    if (right.startsWith('cgroup2 ')) points.add(point);
    else points.delete(point);
  }
  const usual = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].filter((point) => points.delete(point));
  return [...usual, ...points];
}

/** Space, tab, line feed and backslash stand as three octal digits (seq_path(9)); the bytes are UTF-8 otherwise. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function isCgroup2(path: string): boolean {
  try {
    return statfsSync(path).type === cgroup2;
  } catch {
    return false;
  }
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV', 'ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '');
}

function unreadable(root: string, path: string, cause: unknown): NetstewardError {
  const what = `${directoryOf(root, path)} cannot be read (${errnoOf(cause) ?? String(cause)})`;
  const remedy =
    errnoOf(cause) === 'EMFILE' ? 'Raise LimitNOFILE= of the unit.' : 'Let netsteward read the cgroup tree.';
  return new NetstewardError('cgroup-unreadable', what, { remedy, cause });
}
