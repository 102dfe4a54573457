/** Reads sets that packets write to: which addresses are in them, and how long ago a packet last went there. */
import { NetstewardError } from '../../core/errors.ts';
import { canonicalAddress } from '../nft-address.ts';
import { refusalOf } from '../nft-error.ts';
import { member } from '../nft-names.ts';
import { type NftTable, nftScript } from '../nft-script.ts';
import type { Nft } from '../ports.ts';

/** Addresses that are told of: those of the last packets. */
export const mostSightings = 4096;

/** By canonical address, seconds since the last packet. */
export type Sightings = ReadonlyMap<string, number>;

/** Rejects with NetstewardError `seen-set-missing` or `seen-set-lasting`, or NftError. */
export async function readSeenSets(nft: Nft, table: NftTable, sets: readonly string[]): Promise<Sightings> {
  const found: (readonly [address: string, ago: number])[] = [];
  for (const set of sets) {
    let listing: readonly unknown[];
    try {
      listing = await nft.list(nftScript({ op: 'list-set', table, set }));
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
      throw new NetstewardError('seen-set-missing', `there is no set ${table.family} ${table.name} ${set}`, {
        remedy: 'Add it to the ruleset: flags dynamic, timeout; timeout 10m; size 4096; and a rule that updates it.',
        cause: error,
      });
    }
    const sightings = sightingsOf(listing);
    if (sightings === undefined) {
      throw new NetstewardError(
        'seen-set-lasting',
        `the set ${table.family} ${table.name} ${set} has no "timeout": it cannot tell when a packet was last seen`,
        { remedy: `Declare it with: flags dynamic, timeout; timeout 10m; size 4096;` },
      );
    }
    for (const each of sightings) found.push(each);
  }
  if (found.length > mostSightings) found.sort(([, a], [, b]) => a - b);
  return new Map(found.slice(0, mostSightings));
}

/** Of `list set`; undefined for a set without a time-out. What is no single address is left out. */
export function sightingsOf(listing: readonly unknown[]): readonly (readonly [string, number])[] | undefined {
  const set = listing.map((entry) => member(entry, 'set')).find((entry) => entry !== undefined);
  const lifetime = member(set, 'timeout');
  if (typeof lifetime !== 'number') return undefined;
  const elements = member(set, 'elem');
  return (Array.isArray(elements) ? elements : []).flatMap((entry) => {
    const element = member(entry, 'elem');
    const [value, left, own] = ['val', 'expires', 'timeout'].map((key) => member(element, key));
    const address = typeof value === 'string' ? canonicalAddress(value) : undefined;
    if (address === undefined || typeof left !== 'number') return [];
    return [[address, Math.max(0, (typeof own === 'number' ? own : lifetime) - left)] as const];
  });
}
