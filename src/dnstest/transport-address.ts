/** Which resolver a check asks, as people write it: `192.0.2.1`, `tls://[2001:db8::1]`, `https://dns.example/dns-query`, `system` (pure). */
import { isIP, isIPv6 } from 'node:net';
import type { DnsProtocol, DnsServer } from '../system/dns-client-ports.ts';

export type ResolverChoice =
  /** getaddrinfo(3): resolv.conf, nsswitch, hosts and all. */
  | { readonly kind: 'system'; readonly label: string }
  /** `label`: the address in one form, for people and as a key. */
  | { readonly kind: 'server'; readonly label: string; readonly server: DnsServer };

export type ReadResolver =
  | { readonly choice: ResolverChoice; readonly problem?: undefined }
  | { readonly problem: string; readonly choice?: undefined };

export const systemChoice: ResolverChoice = { kind: 'system', label: 'system' };

const ports: Readonly<Record<DnsProtocol, number>> = { udp: 53, tcp: 53, tls: 853, https: 443 };

/**
 * `address`, `address:port` and `udp://`, `tcp://` take an IP address (IPv6 with a port in brackets). `tls://` and `https://`
 * take a host name too, which the certificate must be for; `#address` after it says where it is, else libc is asked for that.
 */
export function readResolver(text: string): ReadResolver {
  if (text === 'system') return { choice: systemChoice };
  const [, scheme = 'udp', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(text) ?? [];
  if (!isProtocol(scheme)) return no(text, `"${scheme}" is no way to ask: udp, tcp, tls and https are`);
  const [, host = '', path = '', , fragment] = /^([^/#]*)(\/[^#]*)?(#(.*))?$/s.exec(rest) ?? [];
  const place = readPlace(host, ports[scheme]);
  if (place === undefined) return no(text, 'it has no address, or its port is not from 1 to 65535');
  if (path !== '' && scheme !== 'https') return no(text, 'only https:// has a path');
  if (!/^[\x21-\x7e]*$/.test(path)) return no(text, 'its path has spaces or characters beyond ASCII');
  if (fragment !== undefined && isIP(fragment) === 0) return no(text, `"${fragment}" after "#" is no IP address`);
  const secure = scheme === 'tls' || scheme === 'https';
  const named = isIP(place.host) === 0;
  if (!named && fragment !== undefined) return no(text, 'the address after "#" is for host names');
  if (named && !secure) return no(text, `"${place.host}" is no IP address: a resolver cannot be looked up by itself`);
  if (named && !/^(?!-)[a-z0-9_.-]{1,253}$/i.test(place.host)) return no(text, `"${place.host}" is no host name`);
  return choose({
    protocol: scheme,
    address: named ? fragment : place.host,
    port: place.port,
    name: named ? place.host.toLowerCase() : undefined,
    path: scheme === 'https' ? path || '/dns-query' : '',
  });
}

/** The resolver in one form of writing; what is none stays as it is. */
export function labelOf(address: string): string {
  const read = readResolver(address);
  return read.problem === undefined ? read.choice.label : address;
}

function choose(server: DnsServer): ReadResolver {
  const host = server.name ?? server.address ?? '';
  const where = `${isIPv6(host) ? `[${host}]` : host}:${server.port}`;
  const at = server.name !== undefined && server.address !== undefined ? `#${server.address}` : '';
  return { choice: { kind: 'server', label: `${server.protocol}://${where}${server.path}${at}`, server } };
}

const isProtocol = (scheme: string): scheme is DnsProtocol => Object.hasOwn(ports, scheme);

const no = (text: string, why: string): ReadResolver => ({ problem: `"${text}" is no resolver: ${why}` });

/** `fe80::1%eth0` is an address too. */
function readPlace(text: string, standard: number): { host: string; port: number } | undefined {
  if (isIPv6(text)) return { host: text, port: standard };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = digits === undefined ? standard : Number(digits);
  if (host === '' || port < 1 || port > 65535 || (bracketed !== undefined && !isIPv6(bracketed))) return undefined;
  return { host, port };
}
