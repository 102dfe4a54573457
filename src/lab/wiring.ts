/** How the hosts are set up: links, addresses, routes and kernel settings, as text for `ip -batch` and `sh` (pure). */
import { familyOf } from './address.ts';
import { farResolvers, type LinkEnd, linkEnd, linkPrefix, links, linksOf, resolvers, tunnelRoutes } from './plan.ts';
import type { Service } from './service.ts';
import { type HostName, hostNames } from './vocabulary.ts';

/** For `ip -batch -` in the lab's root namespace. */
export function linkBatch(): string {
  const lines = hostNames.map((host) => `netns add ${host}`);
  for (const { ends, mtu } of links) {
    const [a, b] = ends;
    lines.push(
      // Different numbers at both ends: else the kernel takes the link for a plain device whose carrier is not urgent, and it is
      // up to a second late (linkwatch_urgent_event, net/core/link_watch.c).
      `link add ${describe(a, mtu)} netns ${a.host} type veth peer name ${describe(b, mtu)} netns ${b.host}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function describe(end: LinkEnd, mtu: number): string {
  return `${end.device} index ${deviceIndex(end)} address ${hardwareAddress(end)} mtu ${mtu}`;
}

/** From 11 on, no two alike in the whole lab. */
function deviceIndex({ host, device }: LinkEnd): number {
  const ends = links.flatMap((link) => link.ends);
  return 11 + ends.findIndex((end) => end.host === host && end.device === device);
}

/** Locally administered (bit 1 of the first byte). */
const hardwareAddress = (end: LinkEnd): string => `02:00:00:00:00:${deviceIndex(end)}`;

/** For `sh -e` inside the host, before any address is set. */
export function settingsScript(host: HostName): string {
  const forwards = host !== 'lan' && host !== 'world';
  const settings: [string, number][] = [
    ['ipv4/ip_forward', forwards ? 1 : 0],
    ['ipv6/conf/all/forwarding', forwards ? 1 : 0],
  ];
  const devices = linksOf(host).map(({ end }) => end.device);
  for (const device of ['all', 'default', ...devices]) {
    settings.push(
      // Addresses are usable at once: no duplicate address detection, no wait for a router's advertisement.
      [`ipv6/conf/${device}/disable_ipv6`, 0],
      [`ipv6/conf/${device}/accept_dad`, 0],
      [`ipv6/conf/${device}/accept_ra`, 0],
      // Loose, as systemd sets it: what comes out of the tunnel is from addresses that the main table has at the uplink; and strict
      // on the LAN side would drop each marked packet, for the tunnel's table knows no way back to the LAN.
      [`ipv4/conf/${device}/rp_filter`, host === 'router' ? 2 : 0],
    );
  }
  // Reverse path filtering looks the way back up with the packet's mark (ip-sysctl: src_valid_mark).
  if (host === 'router') settings.push(['ipv4/conf/all/src_valid_mark', 1]);
  return settings.map(([key, value]) => `echo ${value} > /proc/sys/net/${key}\n`).join('');
}

/** For `ip -n HOST -batch -`: addresses, every link up, and who is at its other end, so that no first packet waits for an answer. */
export function addressBatch(host: HostName): string {
  const lines = ['link set lo up'];
  for (const { end, peer } of linksOf(host)) {
    lines.push(
      `address add ${end.ipv4}/${linkPrefix.ipv4} dev ${end.device}`,
      `address add ${end.ipv6}/${linkPrefix.ipv6} dev ${end.device} nodad`,
      `link set ${end.device} up`,
      ...[peer.ipv4, peer.ipv6].map(
        (address) => `neighbour replace ${address} lladdr ${hardwareAddress(peer)} dev ${end.device} nud permanent`,
      ),
    );
  }
  if (host === 'world') {
    for (const address of [...resolvers, ...farResolvers]) {
      lines.push(
        `address add ${address}/${familyOf(address) === 4 ? 32 : 128} dev lo${familyOf(address) === 4 ? '' : ' nodad'}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

/**
 * For `sh -e` inside the host: returns when its links carry packets. The kernel tells a new link's carrier in a work item of its
 * own (net/core/link_watch.c); until then IPv6 is not ready on it.
 */
export function linksReadyScript(host: HostName): string {
  const files = linksOf(host).map(({ end }) => `/sys/class/net/${end.device}/operstate`);
  return `turn=0
for file in ${files.join(' ')}; do
  until [ "$(cat $file)" = up ]; do
    turn=$((turn + 1))
    [ $turn -lt 500 ] || { echo "no carrier: $file" >&2; exit 1; }
    sleep 0.01
  done
done
`;
}

/** For `ip -n HOST -batch -`, once the links of all hosts are up. */
export function routeBatch(host: HostName): string {
  const upstream = (
    { lan: 'router', router: 'isp', isp: 'world', exit: 'world', exit2: 'world', world: undefined } as const
  )[host];
  if (upstream === undefined) return '';
  const lines = defaultRoutes(host, upstream, '');
  if (host === 'router') {
    for (const exit of ['exit', 'exit2'] as const) {
      lines.push(...defaultRoutes('router', exit, ` table ${tunnelRoutes[exit].table}`));
    }
  }
  // The way back to clients that the router's ruleset, emptied or rewritten for a rehearsal, does not masquerade.
  if (host === 'isp' || host === 'exit' || host === 'exit2') lines.push(...lanRoutes(host));
  return `${lines.join('\n')}\n`;
}

/**
 * The router's rules, for `ip -4 -n router -batch -`, or with -6: by the mark, and by the source address that checks of an exit are
 * bound to (netsteward's `[[nbrpc.exit]]`).
 */
export function tunnelRules(family: 4 | 6): string {
  return (['exit', 'exit2'] as const)
    .map((exit) => {
      const { mark, mask, table, priority } = tunnelRoutes[exit];
      const source = linkEnd('router', exit)[family === 4 ? 'ipv4' : 'ipv6'];
      const add = `rule add priority ${priority}`;
      const marked = `fwmark 0x${mark.toString(16)}/0x${mask.toString(16)}`;
      return `${add} ${marked} lookup ${table}\n${add} from ${source} lookup ${table}\n`;
    })
    .join('');
}

function lanRoutes(host: 'isp' | 'exit' | 'exit2'): string[] {
  const end = linkEnd('lan', 'router');
  const via = linkEnd('router', host);
  return [
    `route add ${end.ipv4}/32 via ${via.ipv4} dev router`,
    `route add ${end.ipv6}/128 via ${via.ipv6} dev router`,
  ];
}

function defaultRoutes(host: HostName, gateway: HostName, suffix: string): string[] {
  const own = linkEnd(host, gateway);
  const peer = linkEnd(gateway, host);
  return [peer.ipv4, peer.ipv6].map((address) => `route add default via ${address} dev ${own.device}${suffix}`);
}

/** For `ip -n world -batch -`: makes `world` the owner of the services' addresses (local routes: as good as an address on lo, and quicker). */
export function ownershipBatch(services: readonly Service[], owned: ReadonlySet<string> = new Set()): string {
  const addresses = new Set(services.flatMap((service) => service.addresses));
  return [...addresses]
    .filter((address) => !owned.has(address))
    .map((address) => `route add local ${address} dev lo\n`)
    .join('');
}
