/** IP addresses in their one canonical text, and which of them count as public (pure). */
import { isIPv4, isIPv6 } from 'node:net';
import { Address4, Address6 } from 'ip-address';
import type { Family } from './model.ts';

/** IPv6 compressed in lower case (RFC 5952), `::ffff:1.2.3.4` as IPv4; undefined for what is no address, or has a zone. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const address = new Address6(text);
  // ::ffff:0:0/96, "IPv4-mapped" (RFC 4291 §2.5.5.2): a resolver that maps hides the family that is really used.
  if (address.isMapped4()) return address.to4().correctForm();
  return address.correctForm();
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** Globally reachable by the IANA special-purpose registries; takes canonical text. */
export function isPublicAddress(address: string): boolean {
  return familyOf(address) === 4 ? new Address4(address).isGlobal() : new Address6(address).isGlobal();
}
