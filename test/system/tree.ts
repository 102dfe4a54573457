/** Debian trees for containers: made once per machine with debootstrap, and shared by every checkout on it. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Suite = 'bookworm' | 'trixie';

/** Outside of any checkout, so that a fresh clone finds what another one made. `rm -r` it at will: it is a cache. */
export const cache = '/var/cache/netsteward-test';

/** Beyond debootstrap's `minbase`, which has perl-base, apt, and with that the libraries that Node.js needs. */
const packages: readonly string[] = (
  'systemd systemd-sysv dbus dbus-user-session libpam-systemd ' + // pid 1, logins
  'nftables iproute2 procps'
).split(' ');

/** Of the tree in which deb.test.ts installs the package: what that depends on, and man. */
export const debPackages: readonly string[] = ['man-db', 'nodejs'];

/** Of the tree in which dnstest-polkit.test.ts asks polkit. */
export const polkitPackages: readonly string[] = ['polkitd'];

/** The tree's folder: never to be written to. Made if it is not there (about a minute, download included). */
export async function debianTree(suite: Suite, more: readonly string[] = []): Promise<string> {
  const wanted = [...new Set([...packages, ...more])].sort();
  // The script counts too: what it leaves out or sets up is part of the tree.
  const hash = createHash('sha256').update(`${wanted.join()} ${make}`).digest('hex').slice(0, 12);
  const tree = join(cache, `${suite}-${hash}`);
  if (existsSync(tree)) return tree;
  mkdirSync(cache, { recursive: true });
  process.stderr.write(`netsteward: making ${tree} (${suite}: about a minute, once on this machine)\n`);
  // The lock makes a second process wait for the first one's tree. A mount namespace of its own: debootstrap mounts
  // /proc in the tree, and must leave nothing mounted if it is killed.
  const alone = ['unshare', '--mount', '--propagation=private', 'bash', '-euc', make, 'bash'];
  const parameters = [tree, suite, wanted.join(','), mirror()];
  const { code, output } = await outcome('flock', [`${tree}.lock`, ...alone, ...parameters]);
  if (code !== 0 || !existsSync(tree)) throw new Error(`debootstrap of ${suite} failed:\n${output.slice(-6000)}`);
  return tree;
}

const make = `
tree=$1 suite=$2 packages=$3 mirror=$4
if [ -d "$tree" ]; then exit 0; fi
rm -rf --one-file-system "$tree".new.*
new=$(mktemp -d "$tree.new.XXXXXX")
trap 'rm -rf --one-file-system "$new"' EXIT
debootstrap --variant=minbase --include="$packages" "$suite" "$new" "$mirror"
umount -R "$new/proc" "$new/sys" 2>/dev/null || true
rm -rf "$new"/var/cache/apt/* "$new"/var/lib/apt/lists/* "$new"/usr/share/doc/* "$new"/usr/share/man/* \
  "$new"/usr/share/locale/* "$new"/var/log/*
# Timers and console logins that Debian enables are none of a test's business: only what systemd itself wants runs.
find "$new/etc/systemd/system" -mindepth 1 -maxdepth 1 -name '*.wants' -exec rm -r {} +
chmod 755 "$new"
mv "$new" "$tree"
`;

/** The archive that apt uses on this machine; Debian's own name for it elsewhere. */
function mirror(): string {
  const lists = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(lists) ? readdirSync(lists).map((name) => join(lists, name)) : []),
  ];
  for (const file of files.filter((name) => existsSync(name))) {
    const [found] =
      /https?:\/\/\S+\/debian\/?(?=\s|$)/m.exec(readFileSync(file, 'utf8').replace(/^\s*#.*$/gm, '')) ?? [];
    if (found !== undefined) return found;
  }
  return 'http://deb.debian.org/debian';
}

function outcome(command: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject).once('close', (code) => resolve({ code, output }));
  });
}
