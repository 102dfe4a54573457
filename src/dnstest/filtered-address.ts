/** Addresses that rebinding filters of resolvers take out of answers (pure). */
import { Address6 } from 'ip-address';

/**
 * All that unbound's `private-address:` (the list in unbound.conf(5)) and dnsmasq's `--stop-dns-rebind` drop: an answer in here
 * would be missing, though the resolver is well. First number, and how many bits count.
 */
const ranges4 = [
  ['0.0.0.0/8', 0x00000000, 8],
  ['10.0.0.0/8', 0x0a000000, 8],
  ['100.64.0.0/10', 0x64400000, 10],
  ['127.0.0.0/8', 0x7f000000, 8],
  ['169.254.0.0/16', 0xa9fe0000, 16],
  ['172.16.0.0/12', 0xac100000, 12],
  ['192.168.0.0/16', 0xc0a80000, 16],
] as const;

/** The range that filters drop `address` for, or undefined. `address`: canonical text of `family`. */
export function filteredRange(address: string, family: 4 | 6): string | undefined {
  return family === 4 ? filteredRange4(address) : filteredRange6(address);
}

function filteredRange4(address: string): string | undefined {
  const value = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return ranges4.find(([, first, bits]) => (value ^ first) >>> (32 - bits) === 0)?.[0];
}

function filteredRange6(address: string): string | undefined {
  // The first group decides but where it is 0, which chance gives once in 65 536 names: node:net's BlockList, which could
  // decide all, takes 15 times as long as the hash.
  const first = Number.parseInt(address, 16) || 0;
  if ((first & 0xfe00) === 0xfc00) return 'fc00::/7';
  if ((first & 0xffc0) === 0xfe80) return 'fe80::/10';
  if (first !== 0) return undefined;
  const value = new Address6(address);
  if (value.isMapped4()) return '::ffff:0:0/96';
  return ['::', '::1'].includes(value.correctForm()) ? '::/127' : undefined;
}
