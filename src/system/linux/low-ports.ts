/** Which ports this process and netsteward.service may bind. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { LowPorts } from '../dns-listen-ports.ts';

/** linux/capability.h */
const CAP_NET_BIND_SERVICE = 10n;
/** The kernel's own value where none is to be read (net/ipv4/af_inet.c). */
const usual = 1024;

/** Only reads. Never rejects: what cannot be found out counts as allowed. */
export async function readLowPorts(): Promise<LowPorts> {
  const [status, start, unit] = await Promise.all([
    readFile('/proc/self/status', 'utf8').catch(() => ''),
    readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8').catch(() => ''),
    show(['show', '--property=LoadState,User,AmbientCapabilities', 'netsteward.service']),
  ]);
  const effective = /^CapEff:\t([0-9a-f]+)$/m.exec(status)?.[1];
  const may = effective === undefined || ((BigInt(`0x${effective}`) >> CAP_NET_BIND_SERVICE) & 1n) === 1n;
  return { first: start.trim() === '' ? usual : Number(start), may, unitMay: unitMay(unit) };
}

/** Undefined where there is no such unit, or no systemd. A unit without a user is root's. */
function unitMay(shown: string): boolean | undefined {
  if (!/^LoadState=loaded$/m.test(shown)) return undefined;
  if (/^User=(?:root|0)?$/m.test(shown)) return true;
  return /^AmbientCapabilities=.*\bcap_net_bind_service\b/im.test(shown);
}

function show(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile('systemctl', args, { timeout: 5000 }, (error, stdout) => resolve(error === null ? stdout : ''));
  });
}
