/** An IP address as an nftables set holds it: canonical text, no prefix length, no zone (pure). */
import { isIPv4, isIPv6 } from 'node:net';
import type { AddressType } from './nft-script.ts';

/** The one text that all of netsteward compares by (RFC 5952 but for mapped addresses, all hexadecimal), or undefined. */
export function canonicalAddress(text: string): string | undefined {
  if (typeof text !== 'string' || text.length > 45) return undefined;
  // isIPv4 takes four decimal numbers without leading zeros only: already canonical.
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  // The URL Standard's "IPv6 serializer" is just that form; a library for addresses would cost each process that is here 0.5 MB.
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** Of a valid address. */
export function addressTypeOf(address: string): AddressType {
  return address.includes(':') ? 'ipv6_addr' : 'ipv4_addr';
}
