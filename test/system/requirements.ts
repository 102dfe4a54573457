/** Whether this machine can run containers, and what it lacks if not. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unifiedMount } from './cgroup-of-test.ts';
import { searchPath } from './inside.ts';

/** `false`, or why no container can be had here: for node:test's `skip`. */
export const skip: string | false = whatIsMissing();

function whatIsMissing(): string | false {
  const lacking = (what: string): string => `NOT TESTED: ${what}`;
  if (process.getuid?.() !== 0) return lacking('containers need root');
  if (unifiedMount === undefined) return lacking('no writable cgroup2 mount on this machine');
  for (const [command, name] of [
    ['systemd-nspawn', 'systemd-container'],
    ['setpriv', 'util-linux'],
    ['nsenter', 'util-linux'],
    ['debootstrap', 'debootstrap'],
    ['gcc', 'gcc'],
  ] as const) {
    if (!searchPath.split(':').some((folder) => existsSync(join(folder, command))))
      return lacking(`${command} is not installed (Debian package ${name})`);
  }
  const tried = ['mount', '-t', 'tmpfs', 'tmpfs', '/mnt'];
  const mounted = spawnSync('unshare', ['--mount', '--propagation=private', ...tried], { encoding: 'utf8' });
  if (mounted.status !== 0) return lacking(`no mounts in a namespace of one's own: ${mounted.stderr}`);
  return existsSync('/usr/lib/systemd/systemd') ? false : lacking('systemd is not installed');
}
