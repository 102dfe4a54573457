/** What iproute2 says of addresses and default routes, as comparable lines (pure; ip-address(8), ip-route(8), ip-monitor(8)). */

/** Whether a line of `ip -oneline monitor link address route` can mean another `addressState`. */
export function isAddressEvent(line: string): boolean {
  // `Deleted 2: eth0    inet 192.0.2.7/24 …`, `2: eth0: <BROADCAST,…`, `default via 192.0.2.1 dev eth0 …`, `Deleted default …`
  return /^(?:Deleted )?(?:\d+: \S+(?:\s+inet6? |: <)|default )/.test(line);
}

/** Of `ip -json address show` and `ip -json [-6] route show default`; throws TypeError or SyntaxError where it is none. */
export function addressState(addressJson: string, routeJsons: readonly string[]): readonly string[] {
  const addresses = entries(addressJson).flatMap((device) =>
    entriesOf(device.addr_info ?? [])
      // One that is being tried or was found twice cannot be sent from, one that is deprecated will not (RFC 4862 §5.4, 5.5.4).
      .filter(
        ({ scope, tentative, dadfailed, deprecated }) => scope === 'global' && !tentative && !dadfailed && !deprecated,
      )
      .map(({ local, prefixlen }) => `${device.ifname} ${local}/${prefixlen}`),
  );
  const routes = routeJsons.flatMap(entries).flatMap((route) => {
    if (route.dst !== 'default') return [];
    const hops = route.nexthops === undefined ? [route] : entriesOf(route.nexthops);
    return hops
      .filter(isAlive)
      .map((hop) => `default ${deviceText(hop, route)}${gatewayText(hop)}${sourceText(route)}`);
  });
  return [...new Set([...addresses, ...routes])].sort();
}

type Entry = Readonly<Record<string, unknown>>;

/** iproute2 writes nothing at all where there is nothing to tell. */
function entries(json: string): readonly Entry[] {
  return json.trim() === '' ? [] : entriesOf(JSON.parse(json));
}

function entriesOf(value: unknown): readonly Entry[] {
  if (!Array.isArray(value)) throw new TypeError('not a list');
  return value.filter((each): each is Entry => typeof each === 'object' && each !== null);
}

/** The cable is plugged, and the device up (RTNH_F_LINKDOWN and RTNH_F_DEAD, linux/rtnetlink.h). */
function isAlive({ flags }: Entry): boolean {
  return !Array.isArray(flags) || !flags.some((flag) => flag === 'linkdown' || flag === 'dead');
}

/** A route that leads nowhere has a type instead: unreachable, blackhole, prohibit. */
function deviceText(hop: Entry, route: Entry): string {
  return [hop.dev, route.type].find((each) => typeof each === 'string') ?? '';
}

function gatewayText({ gateway, via }: Entry): string {
  if (typeof gateway === 'string') return ` via ${gateway}`;
  // An IPv4 route over an IPv6 next hop.
  const host = typeof via === 'object' && via !== null ? (via as Entry).host : undefined;
  return typeof host === 'string' ? ` via ${host}` : '';
}

function sourceText({ prefsrc }: Entry): string {
  return typeof prefsrc === 'string' ? ` src ${prefsrc}` : '';
}
