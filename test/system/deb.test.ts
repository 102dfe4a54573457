/** The Debian package in a Debian 13 of its own: installed, started, upgraded without a gap, downgraded, removed, purged. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkout, mainJs } from '../checkout.ts';
import { bootContainer, type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import { debPackages } from './tree.ts';

const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
const later = `${version}+next`;
const unit = 'netsteward.service';
const agent = 'netsteward-nft.service';
const config = `[nbrpc]
check_lists = ["services.list"]
[nbrpc.timers]
pass = "1s"
[[cgroup-nft.group]]
name = "mail"
units = ["mail.service"]
mark = 0x100000
`;
/** Listed as not reachable, so it needs neither a check nor a network. */
const address = '9.9.9.9';

/** Writes `here` or `GONE` for each look at the sets of both modules, one after another, until it is killed. */
const looks = `#!/bin/sh
while :; do
  if nft list table inet netsteward-nbrpc 2>/dev/null | grep -q '${address}' &&
    nft list table inet netsteward-units 2>/dev/null | grep -q '"system.slice/mail.service"'
  then echo here; else echo GONE; fi
  sleep 0.02
done > /tmp/looks
`;

/** What apt, dpkg, systemd and man-db write for themselves; nothing of it has our name in it (tested apart). */
const theirs =
  /^\/(tmp|var\/tmp|var\/log|var\/cache\/(apt|man|debconf)|var\/lib\/(apt|dpkg|systemd|private)|etc\/(passwd|group|shadow|gshadow|\.pwd\.lock))(\/|-?$)/;

describe('the Debian package', { skip, timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-deb-'));
  const built: Record<string, string> = {};
  let box: Container;
  let files: readonly string[] = [];

  /** Writes a package of this build. */
  function buildDeb(of: string): string {
    const args = ['scripts/deb.mjs', '--build', dirname(dirname(mainJs)), '--out', folder, '--version', of];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: checkout, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.trim().replace(/^.*\//, '/debs/');
  }
  const apt = (...args: string[]): Promise<string> =>
    box.run(['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y', ...args], { timeout: 120_000 });
  const show = async (property: string, name = unit): Promise<string> =>
    (await box.run(['systemctl', 'show', '-P', property, name])).trim();
  const allFiles = async (): Promise<readonly string[]> =>
    (await box.run(['find', '/', '-xdev', '-not', '-type', 'd', '-o', '-name', '*netsteward*']))
      .split('\n')
      .filter((path) => path !== '' && !path.startsWith('/opt/netsteward'));
  const elementIsThere = async (): Promise<boolean> =>
    (await box.exec(['nft', 'list', 'table', 'inet', 'netsteward-nbrpc'])).stdout.includes(address);
  const journal = async (): Promise<string> =>
    (await box.journal('-u', unit)).map(({ MESSAGE }) => String(MESSAGE)).join('\n');

  before(async () => {
    for (const each of [version, later]) built[each] = buildDeb(each);
    box = await bootContainer({
      tree: 'trixie',
      packages: debPackages,
      nspawn: [`--bind-ro=${folder}:/debs`],
      files: { '/etc/systemd/system/mail.service': '[Service]\nExecStart=/bin/sleep infinity\n' },
    });
    // The container's own way to this build: here the package alone is to be found.
    await box.run(['rm', '/usr/local/bin/netsteward']);
    files = await allFiles();
  });
  after(async () => {
    await box?.stop();
    rmSync(folder, { recursive: true });
  });

  test('apt installs it, and starts nothing that has no configuration yet', async () => {
    await apt('install', built[version] ?? '');
    assert.equal((await box.run(['netsteward', '--version'])).trim(), version);
    for (const name of await units()) {
      assert.equal((await box.exec(['systemctl', 'is-active', name])).stdout, 'inactive\n', name);
      const enabled = (await box.exec(['systemctl', 'is-enabled', name])).stdout.trim();
      assert.ok(['disabled', 'static', 'indirect'].includes(enabled), `${name} is ${enabled}`);
    }
    await box.run(['systemctl', 'start', unit]);
    assert.deepEqual([await show('ActiveState'), await show('ConditionResult')], ['inactive', 'no']);
  });

  const units = async (): Promise<readonly string[]> =>
    (await box.run(['dpkg', '-L', 'netsteward']))
      .split('\n')
      .filter((path) => /^\/usr\/lib\/systemd\/system\/[^/]+\.[a-z]+$/.test(path))
      .map((path) => path.replace(/^.*\//, ''));

  test('everything in packaging/ that has a place of its own is there, and systemd finds no fault in its units', async () => {
    const names = await units();
    const packaged = readdirSync(join(checkout, 'packaging'));
    assert.deepEqual(
      [...names].sort(),
      packaged.filter((name) => /\.(service|socket|timer|path|target)$/.test(name)).sort(),
    );
    const { code, stdout, stderr } = await box.exec(['systemd-analyze', 'verify', '--man=no', ...names]);
    assert.deepEqual([code, stdout, stderr], [0, '', '']);
    for (const user of ['netsteward', 'netsteward-nft', 'netsteward-dyndns', 'netsteward-cgroup-nft']) {
      await box.run(['id', user]);
    }
    assert.equal((await box.run(['stat', '-c', '%U %a', '/var/lib/netsteward'])).trim(), 'netsteward 750');
  });

  test('there are man pages for every command and the configuration, which groff reads without a warning', async () => {
    const installed = (await box.run(['dpkg', '-L', 'netsteward'])).split('\n');
    const pages = installed.filter((path) => path.endsWith('.gz') && path.includes('/man/'));
    assert.equal((await box.run(['man', '-w', 'netsteward', 'netsteward.toml'])).trim().split('\n').length, 2);
    for (const name of ['nbrpc', 'nft-agent', 'cgroup-nft', 'dyndns', 'dnstest', 'run']) {
      assert.ok(
        pages.some((path) => path.endsWith(`/netsteward-${name}.1.gz`)),
        name,
      );
    }
    const { code, stdout, stderr } = await box.exec([
      'env',
      'MANWIDTH=80',
      'man',
      '--warnings',
      '--local-file',
      ...pages,
    ]);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /--check-list-file/);
    await box.run(['bash', '-n', '/usr/share/bash-completion/completions/netsteward']);
  });

  test('with a configuration it starts, and its table is in the kernel', async () => {
    await box.write('/etc/netsteward/netsteward.toml', config);
    await box.write('/etc/netsteward/services.list', `${address}=na\n`);
    await box.run(['netsteward', 'check', '-c', '/etc/netsteward/netsteward.toml']);
    await box.run(['systemctl', 'start', 'mail.service']);
    const { code } = await box.exec(['systemctl', 'enable', '--now', unit], { timeout: 120_000 });
    assert.equal(code, 0, await journal());
    await eventually('the address is in the set', elementIsThere, { seconds: 60 });
  });

  test('an upgrade starts the service again, keeps the agent, and no look finds a set without its element', async () => {
    await box.write(
      '/etc/netsteward/nft-agent.toml',
      'agent = "/run/netsteward-nft/nft.sock"\non_stop = "keep"\n[table]\nname = "held-by-agent"\n',
    );
    await box.run(['systemctl', 'start', agent], { timeout: 60_000 });
    const before = { service: await show('MainPID'), agent: await show('MainPID', agent) };
    await box.write('/tmp/look', looks);
    const watcher = box.spawn(['/tmp/look']);
    await eventually('it looks', async () => (await box.exec(['cat', '/tmp/looks'])).stdout.includes('here'));
    await apt('install', built[later] ?? '');
    assert.equal((await box.run(['netsteward', '--version'])).trim(), later);
    assert.equal(await show('ActiveState'), 'active', await journal());
    assert.notEqual(await show('MainPID'), before.service);
    assert.equal(await show('MainPID', agent), before.agent);
    const upTo = (await box.read('/tmp/looks')).split('\n').length;
    await eventually('it goes on looking', async () => (await box.read('/tmp/looks')).split('\n').length > upTo + 50);
    await box.run(['sh', '-c', 'kill "$(pgrep -o -x -f "/bin/sh /tmp/look")"']);
    await watcher.finished;
    const seen = (await box.read('/tmp/looks')).trim().split('\n');
    assert.deepEqual(
      seen.filter((look) => look !== 'here'),
      [],
      `${seen.length} looks`,
    );
  });

  test('a downgrade works; an agent that speaks another protocol than the new clients is started again', async () => {
    const before = await show('MainPID', agent);
    await box.write('/usr/lib/netsteward/agent-protocol', 'another\n');
    await apt('install', '--allow-downgrades', built[version] ?? '');
    assert.equal((await box.run(['netsteward', '--version'])).trim(), version);
    assert.equal(await show('ActiveState'), 'active', await journal());
    assert.notEqual(await show('MainPID', agent), before);
    await eventually('the address is in the set', elementIsThere);
  });

  test('a removal stops it and leaves configuration, state and table', async () => {
    await apt('remove', 'netsteward');
    assert.equal((await box.exec(['systemctl', 'is-active', unit, agent])).stdout, 'inactive\ninactive\n');
    await box.run(['ls', '/etc/netsteward/netsteward.toml', '/var/lib/netsteward/nbrpc.db']);
    assert.ok(await elementIsThere());
  });

  test('a purge leaves nothing but its users, who may own files elsewhere', async () => {
    await apt('purge', 'netsteward');
    const now = await allFiles();
    assert.deepEqual(
      now.filter((path) => !files.includes(path) && (path.includes('netsteward') || !theirs.test(path))),
      [],
    );
    assert.doesNotMatch(await box.run(['nft', 'list', 'tables']), /netsteward/);
    await box.run(['id', 'netsteward']);
    assert.equal((await box.run(['systemctl', 'is-system-running'])).trim(), 'running');
  });
});
