/** The words of the lab: its hosts, and what censor and DNS can be told. Imports nothing, so that the command line's help is cheap. */

export const hostNames = ['lan', 'router', 'isp', 'exit', 'exit2', 'world'] as const;
export type HostName = (typeof hostNames)[number];

/** Kinds of censorship, each with what it does. */
export const censorHelp = {
  none: 'lets it pass again',
  drop: 'packets vanish, those of open connections too',
  rst: 'TCP reset on connect and inside open connections; other packets vanish',
  // Linux drops an ICMPv6 error that comes while connect() still holds the socket (tcp_v6_err, net/ipv6/tcp_ipv6.c), and the lab
  // has no latency: over IPv6 it is the second SYN that shows the rejection.
  icmp: 'ICMP administratively prohibited (over IPv6 a client sees it after a second)',
  sni: 'TCP reset once the TLS ClientHello shows the server name; http passes',
  'sni-drop': 'silence once the TLS ClientHello shows the server name; http passes',
  hijack: 'https: a self-signed certificate; http: bytes that are no HTTP',
  blockpage: 'http: 403 with a page; https passes (nobody can sign such a page)',
  legal: 'http: 451 with a page; https passes',
  redirect: 'http: 302 to another site; https passes',
  stall: 'the first kilobytes of the answer, then silence on an open connection',
  cut: 'the first kilobytes of the answer, then TCP reset',
  throttle: 'so few bytes a second that no page is ever whole',
  dns: 'forged answers to DNS questions for the name, whichever of the usual resolvers was asked',
  nxdomain: 'the same: that there is no such name',
} as const;
export type CensorKind = keyof typeof censorHelp;
export const censorKinds = Object.keys(censorHelp) as CensorKind[];

/** What DNS can say of a name. */
export const dnsHelp = {
  normal: "the service's addresses",
  addresses: 'the given addresses, whatever they are',
  rotate: 'COUNT addresses of each family, the next ones at each question',
  shrink: 'only the first COUNT addresses of each family',
  junk: 'private and otherwise impossible addresses among the real ones',
  empty: 'the name exists, but has no address',
  nxdomain: 'no such name',
  servfail: 'server failure',
  refused: 'refused',
  silence: 'no answer',
  garbage: 'bytes that are no DNS',
} as const;
export type DnsKind = keyof typeof dnsHelp;
export const dnsKinds = Object.keys(dnsHelp) as DnsKind[];
