/** What `isp` and `exit` counted, out of nft's JSON (libnftables-json(5)). */
import { canonicalAddress } from './address.ts';
import type { PathCounters, Traffic } from './control.ts';
import { links } from './plan.ts';

interface SetJson {
  readonly name: string;
  readonly elem?: readonly { readonly elem?: { readonly val: string; readonly counter: Traffic } }[];
}

const linkAddresses: ReadonlySet<string> = new Set(
  links.flatMap(({ ends }) => ends.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])),
);

const nothing: Traffic = { packets: 0, bytes: 0 };

/** `json`: the output of `nft -j list table inet lab`. What the hosts say to each other about their links is left out. */
export function countersOf(json: string): PathCounters {
  const { nftables } = JSON.parse(json) as { nftables: readonly { readonly set?: SetJson }[] };
  const counters: Record<string, PathCounters[string]> = {};
  for (const { set } of nftables) {
    const way = set === undefined ? undefined : /^(sent|received)[46]$/.exec(set.name)?.[1];
    if (way === undefined) continue;
    for (const { elem } of set?.elem ?? []) {
      const address = elem === undefined ? undefined : canonicalAddress(elem.val);
      if (elem === undefined || address === undefined || linkAddresses.has(address)) continue;
      const { packets, bytes } = elem.counter;
      const before = counters[address] ?? { sent: nothing, received: nothing };
      counters[address] = { ...before, [way]: { packets, bytes } };
    }
  }
  return counters;
}
