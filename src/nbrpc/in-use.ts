/** Which listed addresses count as in use: those that packets went to lately, the kernel says, and not too many (pure). */

/** Addresses that count at a time: a busy LAN must not make netsteward ask everybody every two minutes. */
export const mostAddressesInUse = 200;
/** Seconds that an address counts after the last packet to it. */
export const inUseFor = 600;

export interface InUseLimits {
  readonly most: number;
  readonly seconds: number;
}

export const inUseLimits: InUseLimits = { most: mostAddressesInUse, seconds: inUseFor };

/** By address, when the last packet went to it as far as it is known: seconds of any clock that does not jump. */
export type LastPackets = ReadonlyMap<string, number>;

/** What the kernel told: by address, seconds since the last packet. */
export type Sightings = ReadonlyMap<string, number>;

/**
 * What is in use after these sightings. An address that is in use keeps its place as long as packets go to it, so that a list
 * longer than the limit does not take turns; free places go to those that were used last.
 */
export function nowInUse(before: LastPackets, seen: Sightings, at: number, limits = inUseLimits): LastPackets {
  const last = new Map(before);
  for (const [address, ago] of seen) {
    // A clock of the kernel that lags behind ours must not make an address younger than now.
    const when = at - Math.max(0, ago);
    last.set(address, Math.max(last.get(address) ?? Number.NEGATIVE_INFINITY, when));
  }
  const fresh = [...last].filter(([, when]) => at - when <= limits.seconds);
  if (fresh.length <= limits.most) return new Map(fresh);
  fresh.sort(([a, x], [b, y]) => Number(before.has(b)) - Number(before.has(a)) || y - x || (a < b ? -1 : 1));
  return new Map(fresh.slice(0, limits.most));
}

/** Addresses of which one map has another opinion than the other. */
export function changedUse(before: LastPackets, after: LastPackets): readonly string[] {
  return [
    ...[...before.keys()].filter((address) => !after.has(address)),
    ...[...after.keys()].filter((address) => !before.has(address)),
  ];
}
