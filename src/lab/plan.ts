/** The plan of the lab: its hosts, the links between them, and which address is whose. */

import type { HostName } from './vocabulary.ts';

export interface LinkEnd {
  readonly host: HostName;
  readonly device: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface Link {
  readonly name: string;
  readonly ends: readonly [LinkEnd, LinkEnd];
  readonly mtu: number;
}

/** Prefix lengths of every link. */
export const linkPrefix = { ipv4: 24, ipv6: 64 } as const;

/** What the router gives packets that are to take the tunnel, and the table it looks them up in. */
export const tunnelRoute = { mark: 0x10000, mask: 0x10000, table: 100, priority: 100 } as const;
/** The same for another tunnel, which nothing takes unless it is told to. */
export const secondRoute = { mark: 0x20000, mask: 0x20000, table: 101, priority: 101 } as const;
/** Which host is at the far end of each, as the router sees it. */
export const tunnelRoutes = { exit: tunnelRoute, exit2: secondRoute } as const;

// Addresses that count as public (the software under test refuses others); they never leave the lab's namespaces.
export const links: readonly Link[] = [
  {
    name: 'lan',
    mtu: 1500,
    ends: [
      { host: 'lan', device: 'router', ipv4: '192.168.77.2', ipv6: '2a10:77::2' },
      { host: 'router', device: 'lan', ipv4: '192.168.77.1', ipv6: '2a10:77::1' },
    ],
  },
  {
    name: 'uplink',
    mtu: 1500,
    ends: [
      { host: 'router', device: 'uplink', ipv4: '62.10.1.2', ipv6: '2a10:1::2' },
      { host: 'isp', device: 'router', ipv4: '62.10.1.1', ipv6: '2a10:1::1' },
    ],
  },
  {
    name: 'tunnel',
    // As of a WireGuard link, so that path MTU discovery and MSS clamping have something to do.
    mtu: 1420,
    ends: [
      { host: 'router', device: 'tunnel', ipv4: '62.10.2.2', ipv6: '2a10:2::2' },
      { host: 'exit', device: 'router', ipv4: '62.10.2.1', ipv6: '2a10:2::1' },
    ],
  },
  {
    name: 'tunnel2',
    mtu: 1420,
    ends: [
      { host: 'router', device: 'tunnel2', ipv4: '62.10.5.2', ipv6: '2a10:5::2' },
      { host: 'exit2', device: 'router', ipv4: '62.10.5.1', ipv6: '2a10:5::1' },
    ],
  },
  {
    name: 'isp-world',
    mtu: 1500,
    ends: [
      { host: 'isp', device: 'world', ipv4: '62.10.3.2', ipv6: '2a10:3::2' },
      { host: 'world', device: 'isp', ipv4: '62.10.3.1', ipv6: '2a10:3::1' },
    ],
  },
  {
    name: 'exit-world',
    mtu: 1500,
    ends: [
      { host: 'exit', device: 'world', ipv4: '62.10.4.2', ipv6: '2a10:4::2' },
      { host: 'world', device: 'exit', ipv4: '62.10.4.1', ipv6: '2a10:4::1' },
    ],
  },
  {
    name: 'exit2-world',
    mtu: 1500,
    ends: [
      { host: 'exit2', device: 'world', ipv4: '62.10.6.2', ipv6: '2a10:6::2' },
      { host: 'world', device: 'exit2', ipv4: '62.10.6.1', ipv6: '2a10:6::1' },
    ],
  },
];

/** The resolvers of everyone in the lab; they live in `world`. */
export const resolvers = ['62.53.0.53', '2a10:53::53'] as const;

/** Others there, which nobody in the lab uses by himself, and whose answers the censor leaves alone. */
export const farResolvers = ['62.77.0.53', '2a10:77::53'] as const;

/** What the poisoned answers of the `dns` censor say unless told otherwise. */
export const defaultPoison = ['10.66.66.66', 'fd66::66'] as const;

/** The end of the link between two hosts that is `host`'s. */
export function linkEnd(host: HostName, peer: HostName): LinkEnd {
  for (const { ends } of links) {
    if (ends[0].host === host && ends[1].host === peer) return ends[0];
    if (ends[1].host === host && ends[0].host === peer) return ends[1];
  }
  throw new TypeError(`the lab has no link between ${host} and ${peer}`);
}

/** All ends that `host` has, each with the opposite one. */
export function linksOf(
  host: HostName,
): readonly { readonly end: LinkEnd; readonly peer: LinkEnd; readonly mtu: number }[] {
  return links.flatMap(({ ends, mtu }) => {
    if (ends[0].host === host) return [{ end: ends[0], peer: ends[1], mtu }];
    if (ends[1].host === host) return [{ end: ends[1], peer: ends[0], mtu }];
    return [];
  });
}

/** Address number `slot` (from 0) of service number `service` (from 0): unique below 250 × 250 services and 65 000 slots. */
export function serviceAddress(family: 4 | 6, service: number, slot: number): string {
  if (family === 6) return `2a10:80:${(service + 1).toString(16)}::${(slot + 1).toString(16)}`;
  // 62.80.0.0/12 holds 2^20 addresses: 16 a service, 62 500 services.
  const number = service * 16 + slot + 1;
  return `62.${80 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}
