/** An IP address as a packet's source tells it and as zone records write it (pure). */
import { isIPv4, isIPv6 } from 'node:net';
import { Address6 } from 'ip-address';

export type Family = 4 | 6;

/** What two texts of one address share: IPv4 as an unsigned 32-bit number, IPv6 as 32 lower-case hex digits. */
export type AddressValue = number | string;

export interface Address {
  readonly family: Family;
  /** Dotted quad, or RFC 5952 text. */
  readonly text: string;
  readonly value: AddressValue;
}

/**
 * A packet's source as node:dgram gives it. `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2) is IPv4. Undefined for what is no
 * address, and for one with a zone (`fe80::1%eth0`), which means nothing outside of its link.
 */
export function readAddress(text: string): Address | undefined {
  if (isIPv4(text)) return ipv4(quadValue(text));
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const address = new Address6(text);
  if (address.isMapped4()) return ipv4(quadValue(address.to4().correctForm()));
  return ipv6(address.canonicalForm().replaceAll(':', ''));
}

/** The family alone of what `readAddress` would give, for the way of a packet that is most likely refused: no parse. */
export function familyOfSource(text: string): Family {
  if (!text.includes(':')) return 4;
  return text.startsWith('::ffff:') && text.includes('.') ? 4 : 6;
}

export function addressOf(value: AddressValue): Address {
  return typeof value === 'number' ? ipv4(value) : ipv6(value);
}

function ipv4(value: number): Address {
  return { family: 4, text: [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.'), value };
}

function ipv6(hex: string): Address {
  const groups = hex.match(/.{4}/g) ?? [];
  return { family: 6, text: new Address6(groups.join(':')).correctForm(), value: hex };
}

function quadValue(text: string): number {
  return text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

/** inet_aton(3) as glibc reads it: one to four decimal, octal (`010`) or hexadecimal (`0x7f`) parts; undefined if refused. */
export function inetAton(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length > 4) return undefined;
  let value = 0;
  for (const [index, part] of parts.entries()) {
    const number = cNumber(part);
    const last = index === parts.length - 1;
    // The last part fills all the bytes that are left.
    const limit = last ? 256 ** (4 - index) : 256;
    if (number === undefined || number >= limit) return undefined;
    value = value * limit + number;
  }
  return value;
}

function cNumber(part: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(part)) return Number.parseInt(part.slice(2), 16);
  if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
  return /^[1-9][0-9]*$/.test(part) ? Number.parseInt(part, 10) : undefined;
}

/** How tinydns-data reads an address: four decimal numbers, the low byte of each (ip4_scan); undefined: it publishes none. */
export function tinydnsQuad(text: string): number | undefined {
  const parts = /^(\d+)\.(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (parts === null) return undefined;
  // The last 8 digits have all that the low byte depends on: 10^8 is a multiple of 2^8.
  return parts.slice(1).reduce((value, part) => value * 256 + (Number(part.slice(-8)) & 255), 0);
}

/** The 16 bytes of a generic record's data: `\052\000…` (tinydns-data's octal escapes). */
export function octalOf(hex: string): string {
  const bytes = hex.match(/../g) ?? [];
  return bytes.map((byte) => `\\${Number.parseInt(byte, 16).toString(8).padStart(3, '0')}`).join('');
}
