/** A container with packaging/netsteward.service, as an administrator would have it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StatusReport } from '../../src/supervisor/status-report.ts';
import { checkout } from '../checkout.ts';
import { bootContainer, type Container, type ContainerOptions } from './container.ts';

export const unit = 'netsteward.service';
export const configFile = '/etc/netsteward/netsteward.toml';

export const nbrpc = '[nbrpc]\ncheck_lists = ["services.list"]\n';
/** nbrpc with a set, where there is no ruleset. */
export const nbrpcWithoutItsSet = `${nbrpc}[nbrpc.sets]\nblocked4 = "b4"\n`;
export const cgroupNft =
  '[cgroup-nft]\n[[cgroup-nft.group]]\nname = "mail"\nunits = ["mail.service"]\nmark = 0x100000\n';
export const dyndns = '[dyndns]\n[[dyndns.zone]]\nfile = "/var/lib/netsteward/zone"\n';

export const packaged = (file: string): string => readFileSync(join(checkout, 'packaging', file), 'utf8');

export interface ServiceOptions {
  /** Lines for [Service], beside the unit as it is packaged. */
  readonly dropIn?: string;
  /** More files, by their paths. */
  readonly files?: Readonly<Record<string, string>>;
  readonly tree?: ContainerOptions['tree'];
  readonly packages?: readonly string[];
}

/** What the tests of the service run on: this machine's systemd, and that of Debian 13. */
export const trees = ['host', 'trixie'] as const;

export async function bootService(
  config: string,
  { dropIn = '', files = {}, tree = 'host', packages = [] }: ServiceOptions = {},
): Promise<Container> {
  const box = await bootContainer({
    tree,
    packages,
    files: {
      '/usr/bin/netsteward': '#!/bin/sh\nexec /usr/local/bin/node /opt/netsteward/dist/src/main.js "$@"\n',
      [`/etc/systemd/system/${unit}`]: packaged(unit),
      ...(dropIn === '' ? {} : { [`/etc/systemd/system/${unit}.d/test.conf`]: `[Service]\n${dropIn}\n` }),
      '/etc/sysusers.d/netsteward.conf': packaged('netsteward.sysusers.conf'),
      '/etc/netsteward/services.list': '',
      [configFile]: config,
      ...files,
    },
  });
  await box.run(['systemd-sysusers']);
  return box;
}

/** A property of the unit, as systemd knows it. */
export async function property(box: Container, name: string): Promise<string> {
  return (await box.run(['systemctl', 'show', '-P', name, unit])).trim();
}

export async function status(box: Container): Promise<StatusReport> {
  // Exit code 1 where a module does not run.
  const { stdout, stderr } = await box.exec(['netsteward', 'status', '--json']);
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as StatusReport;
}

/** `nbrpc running`, `dyndns waiting` … */
export async function states(box: Container): Promise<readonly string[]> {
  return (await status(box)).modules.map(({ name, state }) => `${name} ${state}`);
}

/** What the service wrote to the journal. */
export async function said(box: Container): Promise<string> {
  return (await box.journal('-u', unit)).map(({ MESSAGE }) => String(MESSAGE)).join('\n');
}

/** Starts it; fails, with the journal, where that fails. */
export async function start(box: Container): Promise<void> {
  const { code } = await box.exec(['systemctl', 'start', unit], { timeout: 120_000 });
  assert.equal(code, 0, await said(box));
}

/** The process of cgroup-nft. */
export async function cgroupNftPid(box: Container): Promise<string> {
  return (await box.run(['pgrep', '-f', 'module-entry.js cgroup-nft'])).trim();
}
