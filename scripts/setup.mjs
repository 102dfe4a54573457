/** Set-up that `npm start`, `npm test` and `npm run bench` share: Node's version, apt packages, npm packages, build. Node built-ins only. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as buildInto } from './build.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Debian packages by the command, or the file, that shows that they are there. */
export const packages = {
  run: {
    nft: 'nftables',
    ip: 'iproute2',
    curl: 'curl',
    unshare: 'util-linux',
    nsenter: 'util-linux',
  },
  test: {
    openssl: 'openssl',
    setpriv: 'util-linux',
    python3: 'python3-minimal',
    bash: 'bash',
    pgrep: 'procps',
    unbound: 'unbound',
    dnsmasq: 'dnsmasq-base',
    dash: 'dash',
    tinydns: 'tinydns',
    dnscache: 'dnscache',
    dig: 'bind9-dnsutils',
    named: 'bind9',
    kresd: 'knot-resolver',
    pdns_recursor: 'pdns-recursor',
    fping: 'fping',
    promtool: 'prometheus',
    chromium: 'chromium',
    gcc: 'gcc',
    '/usr/include/stdio.h': 'libc6-dev',
    'systemd-socket-activate': 'systemd',
  },
  // For test/system: containers with systemd as pid 1, and the program in C that runs in them. Root's alone: an
  // ordinary user cannot start them, and is not asked to install what these tests, skipped then, would need.
  rootTest: {
    '/usr/lib/systemd/systemd': 'systemd',
    'systemd-nspawn': 'systemd-container',
    'dbus-daemon': 'dbus',
    debootstrap: 'debootstrap',
  },
};

/** Packages that would start a service of their own, which the tests do not need: it stays off. */
const services = {
  unbound: 'unbound.service',
  tinydns: 'tinydns.service',
  dnscache: 'dnscache.service',
  bind9: 'named.service',
  'knot-resolver': 'kresd@1.service',
  'pdns-recursor': 'pdns-recursor.service',
  prometheus: 'prometheus.service',
};
const policyFile = '/usr/sbin/policy-rc.d';

export function say(text) {
  process.stdout.write(`netsteward: ${text}\n`);
}

function fail(text, code = 1) {
  process.stderr.write(`netsteward: ${text}\n`);
  process.exit(code);
}

export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  return result.status ?? 1;
}

function isThere(command) {
  if (command.startsWith('/')) return existsSync(command);
  // Debian keeps nft and ip in sbin, which is not on an ordinary user's PATH.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node.js ${process.versions.node} is too old: 20.19 or newer is needed (README, "Requirements")`);
  }
}

function installDebianPackages(wanted) {
  const missing = [
    ...new Set(
      Object.entries(wanted)
        .filter(([command]) => !isThere(command))
        .map(([, name]) => name),
    ),
  ];
  if (missing.length === 0) return;
  const line = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid() !== 0 || !isThere('apt-get')) {
    fail(`these Debian packages are missing; run this line, then the same command again:\n  sudo ${line}`);
  }
  say(`installing Debian packages: ${missing.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = ['-qq', '-o', 'Dpkg::Use-Pty=0'];
  const install = () =>
    spawnSync('apt-get', [...quiet, 'install', '-y', '--no-install-recommends', ...missing], { env, encoding: 'utf8' });
  const result = withoutServices(missing, () => {
    const first = install();
    if (first.status === 0) return first;
    run('apt-get', [...quiet, 'update'], { env });
    return install();
  });
  if (result.status !== 0) fail(`${line} failed:\n${result.stdout}${result.stderr}`);
}

/** Installs with services neither started (invoke-rc.d asks policy-rc.d; 101 forbids) nor enabled for the next boot. */
function withoutServices(names, install) {
  const units = names.map((name) => services[name]).filter((unit) => unit !== undefined);
  const forbid = units.length > 0 && !existsSync(policyFile);
  if (forbid) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return install();
  } finally {
    if (forbid) rmSync(policyFile);
    if (existsSync('/run/systemd/system')) for (const unit of units) run('systemctl', ['--quiet', 'disable', unit]);
  }
}

function installNpmPackages() {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.netsteward-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  say('installing npm packages from the lockfile (no package runs code at install)');
  const result = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (result.status !== 0) fail(`npm ci failed:\n${result.stdout ?? ''}${result.stderr ?? result.error?.message}`);
  writeFileSync(stamp, hash);
}

function newestChange(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) newest = Math.max(newest, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  }
  return newest;
}

function build() {
  const stamp = join(root, 'dist', '.built');
  const sources = Math.max(
    ...['src', 'test', 'bench', 'web'].map((folder) => newestChange(join(root, folder))),
    ...['tsconfig.json', 'package-lock.json', join('scripts', 'build.mjs')].map(
      (file) => statSync(join(root, file)).mtimeMs,
    ),
  );
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= sources) return;
  say('building');
  if (buildInto() !== 0) fail('the build failed');
  mkdirSync(dirname(stamp), { recursive: true });
  // npm does this at its install, tsc never.
  chmodSync(join(root, 'dist', 'src', 'main.js'), 0o755);
  writeFileSync(stamp, '');
}

/** Brings this checkout to where it can run: quick when nothing is missing. */
export function setUp({ forTests = false } = {}) {
  checkNode();
  installDebianPackages({
    ...packages.run,
    ...(forTests ? packages.test : {}),
    ...(forTests && process.getuid() === 0 ? packages.rootTest : {}),
  });
  installNpmPackages();
  build();
}
