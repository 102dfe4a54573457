/** What the units in packaging/ say, against each other, the program and the pages: rights, exit codes, ports. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mustStartFailed } from '../../src/cli/run-exit.ts';
import { exitCodes } from '../../src/core/exit-codes.ts';
import { checkout } from '../checkout.ts';

const folder = join(checkout, 'packaging');
const services = readdirSync(folder).filter((name) => name.endsWith('.service'));
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** The last word on a key; undefined where it is not there. */
const settingOf = (name: string, key: string): string | undefined =>
  [...textOf(name).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].at(-1)?.[1];

const having = (key: string, holds: (value: string) => boolean): readonly string[] =>
  services.filter((name) => holds(settingOf(name, key) ?? '')).sort();

test('each service says why it has no MemoryDenyWriteExecute=', () => {
  assert.ok(services.length >= 9, services.join());
  for (const name of services) {
    assert.equal(settingOf(name, 'MemoryDenyWriteExecute'), undefined, name);
    assert.match(textOf(name), /^#.*No MemoryDenyWriteExecute=: V8 compiles JavaScript/m, name);
  }
});

test('the journal is for those alone that run cgroup-nft, and the hardened service gives it up', () => {
  const reads = having('SupplementaryGroups', (groups) => groups.includes('systemd-journal'));
  assert.deepEqual(reads, ['netsteward-cgroup-nft.service', 'netsteward.service']);
  assert.match(readFileSync(join(folder, 'netsteward-hardened.conf'), 'utf8'), /^SupplementaryGroups=$/m);
});

test('what holds nftables and nothing else speaks netlink and unix sockets alone, with no capability but CAP_NET_ADMIN', () => {
  const closed = having('RestrictAddressFamilies', (families) => families === 'AF_NETLINK AF_UNIX');
  assert.deepEqual(closed, ['netsteward-cgroup-nft.service', 'netsteward-guard.service', 'netsteward-nft.service']);
  assert.equal(settingOf('netsteward-nft.service', 'CapabilityBoundingSet'), 'CAP_NET_ADMIN');
  assert.equal(settingOf('netsteward-nft.service', 'AmbientCapabilities'), 'CAP_NET_ADMIN');
});

test('what a restart does not cure is not tried again, a module that must start is, and both stand in the unit and in install.md', () => {
  assert.equal(settingOf('netsteward.service', 'RestartPreventExitStatus'), `${exitCodes.usage} ${exitCodes.config}`);
  assert.equal(settingOf('netsteward.service', 'RestartForceExitStatus'), String(mustStartFailed));
  assert.equal(settingOf('netsteward.service', 'Restart'), 'on-failure');
  const page = readFileSync(join(checkout, 'docs', 'install.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+) \| (.+) \| (yes|no) \|$/gm)].map(([, code, , again]) => [code, again]);
  assert.deepEqual(rows, [
    [String(exitCodes.ok), 'no'],
    [String(exitCodes.failure), 'yes'],
    [String(exitCodes.usage), 'no'],
    [String(mustStartFailed), 'yes'],
    [String(exitCodes.config), 'no'],
  ]);
  for (const [code] of rows.slice(1)) assert.match(textOf('netsteward.service'), new RegExp(`^#.*\\b${code}\\b`, 'm'));
});

test('the dyndns socket has the port of the original, and the services that listen or watch are fed or end idle', () => {
  assert.equal(settingOf('netsteward-dyndns.socket', 'ListenDatagram'), '[::]:5533');
  assert.match(settingOf('netsteward-dyndns.service', 'ExecStart') ?? '', /--idle-exit/);
  for (const name of ['netsteward.service', 'netsteward-resolver-watch.service']) {
    assert.ok(settingOf(name, 'WatchdogSec') !== undefined, name);
  }
});
