/** The Uplink port: whether the kernel has a way to the internet, and whether the link of the default route is up. */
import { readFile } from 'node:fs/promises';
import type { Uplink, UplinkState } from '../ports.ts';
import { hasRoute } from './route-lookup.ts';

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
  /** Whether the kernel has a route to the internet for our packets. */
  readonly lookup?: (family: 4 | 6) => Promise<boolean>;
}

export class LinkState implements Uplink {
  readonly #proc: string;
  readonly #sys: string;
  readonly #lookup: (family: 4 | 6) => Promise<boolean>;

  constructor({ proc = '/proc', sys = '/sys', lookup = hasRoute }: LinkStateOptions = {}) {
    this.#proc = proc;
    this.#sys = sys;
    this.#lookup = lookup;
  }

  async state(): Promise<UplinkState> {
    const [four, six, found4, found6] = await Promise.all([
      textOf(`${this.#proc}/net/route`),
      textOf(`${this.#proc}/net/ipv6_route`),
      this.#lookup(4),
      this.#lookup(6),
    ]);
    if (four === undefined && six === undefined && !found4 && !found6) return { up: true };
    // Without a default route in the main table it may stand in another (ip-rule(8)), or the machine knows all networks (BGP):
    // then the lookup alone knows, and nothing is known of the link. A rule for ports or users that are not ours can hide a
    // default route from it: then what the table says is enough.
    const main4 = defaultDevices4(four ?? '');
    const routed = { 4: main4.length > 0 || found4, 6: found6 };
    const without = ([4, 6] as const).filter((family) => !routed[family]);
    // IPv4's file is exact, IPv6's also names the tunnel's table: it counts only where there is no IPv4 at all.
    const devices = routed[4] ? main4 : defaultDevices6(six ?? '');
    if (devices.length === 0 && without.length === 2) return { up: false, detail: 'there is no default route' };
    const ups = await Promise.all(devices.map((device) => this.#linkUp(device)));
    if (devices.length > 0 && !ups.includes(true)) {
      return { up: false, detail: `the default route's link ${devices.join(', ')} is down` };
    }
    return without.length === 1 ? { up: true, without } : { up: true };
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
