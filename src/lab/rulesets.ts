/** The rulesets that the hosts of the lab start with, as text for `nft -f` (pure). */
import { familyOf } from './address.ts';
import type { Outage, Service } from './service.ts';

const protocol = { 4: 'ip', 6: 'ip6' } as const;

/** Masquerading and MSS clamping, as an administrator would write it; with `flush ruleset`, as Debian's /etc/nftables.conf has it. */
export const routerRuleset = `#!/usr/sbin/nft -f
# The administrator's ruleset of the lab's router. Reload it with: nft -f FILE
flush ruleset

table inet lab-router {
  chain forward {
    type filter hook forward priority filter
    oifname { "tunnel", "tunnel2" } tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    # The router's own packets too: their source was chosen before the mark sent them through the tunnel.
    oifname { "uplink", "tunnel", "tunnel2" } masquerade
  }
}
`;

/** Packets and bytes by address of the far side, in dynamic sets. Counted first of all, so that what is censored counts as sent. */
function sums(): string {
  const sets = ([4, 6] as const).flatMap((family) =>
    (['sent', 'received'] as const).map(
      (way) => `  set ${way}${family} {
    type ipv${family}_addr
    size 262144
    flags dynamic
    counter
  }`,
    ),
  );
  return `${sets.join('\n')}
  chain sums {
    type filter hook prerouting priority -310
    iifname "router" update @sent4 { ip daddr counter }
    iifname "router" ip6 daddr 2000::/3 update @sent6 { ip6 daddr counter }
    iifname "world" update @received4 { ip saddr counter }
    iifname "world" ip6 saddr 2000::/3 update @received6 { ip6 saddr counter }
  }`;
}

const masquerade = `  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "world" masquerade
  }`;

/** A verdict map for each family, and what its verdicts jump to. */
const verdicts = `  map verdict4 {
    type ipv4_addr : verdict
  }
  map verdict6 {
    type ipv6_addr : verdict
  }
  chain with-rst {
    meta l4proto tcp reject with tcp reset
    drop
  }
  chain with-icmp {
    reject with icmpx admin-prohibited
  }`;

function portMap(layer: 'tcp' | 'udp', family: 4 | 6): string {
  return `  map ${layer}${family} {
    type ipv${family}_addr . inet_service : inet_service
  }`;
}

function divert(layer: 'tcp' | 'udp', family: 4 | 6): string {
  return `    iifname "router" meta l4proto ${layer} redirect to : ${protocol[family]} daddr . ${layer} dport map @${layer}${family}`;
}

/**
 * The direct path. The censor's verdicts stand between conntrack (-200) and destination NAT (-100): every packet meets
 * them under the address that the client meant, those of open and of diverted connections too.
 */
export const ispRuleset = `table inet lab {
${sums()}
${verdicts}
${portMap('tcp', 4)}
${portMap('tcp', 6)}
${portMap('udp', 4)}
${portMap('udp', 6)}
  chain family4 {
  }
  chain family6 {
  }
  chain censor {
    type filter hook prerouting priority mangle
    # Neighbour discovery belongs to the link, not to anyone's address (RFC 4861).
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
    iifname "router" ip daddr vmap @verdict4
    iifname "router" ip6 daddr vmap @verdict6
    iifname "router" meta nfproto ipv4 jump family4
    iifname "router" meta nfproto ipv6 jump family6
  }
  chain divert {
    type nat hook prerouting priority dstnat
${divert('tcp', 4)}
${divert('tcp', 6)}
${divert('udp', 4)}
${divert('udp', 6)}
  }
${masquerade}
}
`;

/** The far end of a tunnel. */
export const exitRuleset = `table inet lab {
${sums()}
${masquerade}
}
`;

/** Services that are out of order. */
export const worldRuleset = `table inet lab {
${verdicts}
  chain outage {
    type filter hook prerouting priority mangle
    ip daddr vmap @verdict4
    ip6 daddr vmap @verdict6
  }
}
`;

/** One transaction that makes `world` refuse exactly the services that are out of order. */
export function outageScript(services: readonly Service[]): string {
  const verdict: Readonly<Record<Exclude<Outage, 'none'>, string>> = {
    drop: 'drop',
    rst: 'goto with-rst',
    icmp: 'goto with-icmp',
  };
  const elements = new Map<string, string>();
  for (const { addresses, outage } of services) {
    if (outage !== 'none') for (const address of addresses) elements.set(address, `${address} : ${verdict[outage]}`);
  }
  return ([4, 6] as const)
    .flatMap((family) => {
      const mine = [...elements].filter(([address]) => familyOf(address) === family).map(([, element]) => element);
      const flush = `flush map inet lab verdict${family}`;
      return mine.length === 0 ? [flush] : [flush, `add element inet lab verdict${family} { ${mine.join(', ')} }`];
    })
    .join('\n');
}
