/** The Uplink port from the kernel's own files: which device the default route has, and whether its link is up. */
import { readFile } from 'node:fs/promises';
import type { Uplink, UplinkState } from '../ports.ts';

/** proc_net(5): `Iface Destination Gateway Flags … Mask`, numbers in hex; RTF_UP and RTF_REJECT of linux/route.h. */
const routeUp = 0x1;
const routeReject = 0x200;

/** Devices of the default routes in /proc/net/route, which is the main table. Two halves of /1 are one default route. */
export function defaultDevices4(text: string): readonly string[] {
  const found = new Set<string>();
  for (const line of text.split('\n').slice(1)) {
    const [device = '', destination = '', , flagText = '', , , , mask = ''] = line.trim().split(/\s+/);
    const flags = Number.parseInt(flagText, 16);
    if (device === '' || (flags & routeUp) === 0 || (flags & routeReject) !== 0) continue;
    const whole = destination === '00000000' && mask === '00000000';
    const half = /^0{6}(?:00|80)$/.test(destination) && mask === '00000080';
    if (whole || half) found.add(device);
  }
  return [...found];
}

/** The same of /proc/net/ipv6_route: `destination length … flags device`. It shows every table, also that of a tunnel. */
export function defaultDevices6(text: string): readonly string[] {
  const found = new Set<string>();
  for (const line of text.split('\n')) {
    const [destination = '', length = '', , , , , , , flagText = '', device = ''] = line.trim().split(/\s+/);
    const flags = Number.parseInt(flagText, 16);
    if (device === '' || device === 'lo' || (flags & routeUp) === 0 || (flags & routeReject) !== 0) continue;
    if (/^0+$/.test(destination) && length === '00') found.add(device);
  }
  return [...found];
}

/** `operstate` and `carrier` of sysfs (Documentation/ABI/testing/sysfs-class-net); undefined where it cannot be read. */
export function linkUp(operstate: string | undefined, carrier: string | undefined): boolean {
  // Tunnels and PPP say `unknown` while they work.
  if (operstate !== undefined && ['down', 'lowerlayerdown', 'notpresent', 'dormant'].includes(operstate)) return false;
  return carrier !== '0';
}

export interface LinkStateOptions {
  /** `/proc` and `/sys` but in tests. */
  readonly proc?: string;
  readonly sys?: string;
}

export class LinkState implements Uplink {
  readonly #proc: string;
  readonly #sys: string;

  constructor({ proc = '/proc', sys = '/sys' }: LinkStateOptions = {}) {
    this.#proc = proc;
    this.#sys = sys;
  }

  async state(): Promise<UplinkState> {
    const [four, six] = await Promise.all([textOf(`${this.#proc}/net/route`), textOf(`${this.#proc}/net/ipv6_route`)]);
    if (four === undefined && six === undefined) return { up: true };
    // IPv4's file is exact, IPv6's also names the tunnel's table: it counts only where there is no IPv4 at all.
    let devices = defaultDevices4(four ?? '');
    if (devices.length === 0) devices = defaultDevices6(six ?? '');
    if (devices.length === 0) return { up: false, detail: 'there is no default route' };
    const ups = await Promise.all(devices.map((device) => this.#linkUp(device)));
    if (ups.includes(true)) return { up: true };
    return { up: false, detail: `the default route's link ${devices.join(', ')} is down` };
  }

  /** A sysfs of another network namespace does not know the device: that is no reason to think it down. */
  async #linkUp(device: string): Promise<boolean> {
    const at = `${this.#sys}/class/net/${device}`;
    // Reading the carrier of a device that is administratively down fails with EINVAL; operstate says it then.
    const [operstate, carrier] = await Promise.all([textOf(`${at}/operstate`), textOf(`${at}/carrier`)]);
    return linkUp(operstate?.trim(), carrier?.trim());
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
