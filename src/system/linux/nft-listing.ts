/** Reads listings of tables and sets as libnftables-json(5) shows them (pure). */
import { Address4, Address6 } from 'ip-address';
import { canonicalAddress } from '../nft-address.ts';
import { NftError } from '../nft-error.ts';
import { member } from '../nft-names.ts';
import type { NftScript } from '../nft-script.ts';

export interface ListedSet {
  /** Undefined for a concatenation, which is a list of types. */
  readonly type: string | undefined;
  readonly interval: boolean;
  /** Elements go by themselves (`timeout`), or come from the packet path (`dynamic`). */
  readonly volatile: boolean;
  /** Canonical addresses; `'uncountable'` when intervals cover more than can sensibly be listed. */
  readonly addresses: ReadonlySet<string> | 'uncountable';
}

/**
 * `list tables` as text, in the shape of its JSON. nft 1.0.6 reads freed memory when it shows a table's flags as JSON
 * (`"flags": "…"` with whatever lies there), so tables are listed as text.
 */
export function tablesOfText(text: string): readonly unknown[] {
  return [...text.matchAll(/^table (\w+) (\S+)/gm)].map(([, family, name]) => ({ table: { family, name } }));
}

/** The `nftables` array of libnftables-json(5). */
export function parseListing(json: string): readonly unknown[] {
  if (json.trim() === '') return [];
  const listing = member(JSON.parse(json), 'nftables');
  if (Array.isArray(listing)) return listing;
  throw new NftError('other', 'the listing of nft is not what libnftables-json(5) says');
}

/** Whether this listing has to be text: tablesOfText() reads it then. */
export function listsTables(script: NftScript): boolean {
  return script.operations.some(({ op }) => op === 'list-tables');
}

/** The first set of a listing; undefined when there is none (a map is none). */
export function listedSet(listing: readonly unknown[]): ListedSet | undefined {
  const set = listing.map((entry) => member(entry, 'set')).find((entry) => entry !== undefined);
  if (set === undefined) return undefined;
  const type = member(set, 'type');
  const flags = member(set, 'flags');
  const elements = member(set, 'elem');
  return {
    type: typeof type === 'string' ? type : undefined,
    interval: Array.isArray(flags) && flags.includes('interval'),
    volatile:
      member(set, 'timeout') !== undefined ||
      (Array.isArray(flags) && (flags.includes('timeout') || flags.includes('dynamic'))),
    addresses: addressesOf(Array.isArray(elements) ? elements : []),
  };
}

const mostExpanded = 1n << 20n;

function addressesOf(elements: readonly unknown[]): ReadonlySet<string> | 'uncountable' {
  const found = new Set<string>();
  for (const element of elements) {
    // An element with a timeout, counter or comment is wrapped: {"elem": {"val": …}}.
    const value = member(member(element, 'elem'), 'val') ?? element;
    const single = typeof value === 'string' ? canonicalAddress(value) : undefined;
    if (single !== undefined) {
      found.add(single);
      continue;
    }
    const range = rangeOf(value);
    if (range === undefined || range.last - range.first + BigInt(found.size) >= mostExpanded) return 'uncountable';
    for (let at = range.first; at <= range.last; at++) {
      found.add((range.six ? Address6.fromBigInt(at) : Address4.fromBigInt(at)).correctForm());
    }
  }
  return found;
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
