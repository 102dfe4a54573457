/** Reads a set from a listing, with the addresses that it covers (pure). */
import { canonicalAddress } from '../nft-address.ts';
import { member } from '../nft-names.ts';
import type { addressesIn } from './nft-address-range.ts';

export interface ListedSet {
  /** Undefined for a concatenation, which is a list of types. */
  readonly type: string | undefined;
  readonly interval: boolean;
  /** Elements go by themselves (`timeout`), or come from the packet path (`dynamic`). */
  readonly volatile: boolean;
  /** Canonical addresses; `'uncountable'` when intervals cover more than can sensibly be listed. */
  readonly addresses: ReadonlySet<string> | 'uncountable';
}

/** The first set of a listing; undefined when there is none (a map is none). */
export async function listedSet(listing: readonly unknown[]): Promise<ListedSet | undefined> {
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
    addresses: await addressesOf(Array.isArray(elements) ? elements : []),
  };
}

const mostExpanded = 1n << 20n;

async function addressesOf(elements: readonly unknown[]): Promise<ReadonlySet<string> | 'uncountable'> {
  const found = new Set<string>();
  let inside: typeof addressesIn | undefined;
  for (const element of elements) {
    // An element with a timeout, counter or comment is wrapped: {"elem": {"val": …}}.
    const value = member(member(element, 'elem'), 'val') ?? element;
    const single = typeof value === 'string' ? canonicalAddress(value) : undefined;
    if (single !== undefined) {
      found.add(single);
      continue;
    }
    // Few sets have intervals, and to count in them takes a library.
    inside ??= (await import('./nft-address-range.ts')).addressesIn;
    const covered = inside(value, mostExpanded - BigInt(found.size));
    if (covered === undefined) return 'uncountable';
    for (const address of covered) found.add(address);
  }
  return found;
}
