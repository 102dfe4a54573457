/** The addresses that an interval of a set covers, as libnftables-json(5) shows it (pure). */
import { Address4, Address6 } from 'ip-address';
import { canonicalAddress } from '../nft-address.ts';
import { member } from '../nft-names.ts';

/** Undefined for what is no interval, and for `most` addresses or more. */
export function addressesIn(value: unknown, most: bigint): Iterable<string> | undefined {
  const range = rangeOf(value);
  return range === undefined || range.last - range.first >= most ? undefined : each(range);
}

function* each({ first, last, six }: AddressRange): Generator<string> {
  for (let at = first; at <= last; at++) yield (six ? Address6.fromBigInt(at) : Address4.fromBigInt(at)).correctForm();
}

interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
  readonly six: boolean;
}

/** Sets with intervals show neighbours as {"prefix": {"addr", "len"}} or {"range": [first, last]}. */
function rangeOf(value: unknown): AddressRange | undefined {
  const prefix = member(value, 'prefix');
  if (prefix !== undefined) {
    const address = number(member(prefix, 'addr'));
    const length = member(prefix, 'len');
    if (address === undefined || typeof length !== 'number') return undefined;
    const free = BigInt((address.six ? 128 : 32) - length);
    return { first: address.value, last: address.value + (1n << free) - 1n, six: address.six };
  }
  const range = member(value, 'range');
  if (!Array.isArray(range)) return undefined;
  const [first, last] = [number(range[0]), number(range[1])];
  if (first === undefined || last === undefined) return undefined;
  return { first: first.value, last: last.value, six: first.six };
}

function number(text: unknown): { readonly value: bigint; readonly six: boolean } | undefined {
  const address = typeof text === 'string' ? canonicalAddress(text) : undefined;
  if (address === undefined) return undefined;
  const six = address.includes(':');
  return { value: (six ? new Address6(address) : new Address4(address)).bigInt(), six };
}
