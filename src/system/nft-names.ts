/** Names in listings of nft, as libnftables-json(5) shows them (pure). */
import type { NftTable } from './nft-script.ts';

type Json = Readonly<Record<string, unknown>>;

export function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Json)[key] : undefined;
}

export function hasTable(listing: readonly unknown[], { family, name }: NftTable): boolean {
  return listing.some((entry) => {
    const table = member(entry, 'table');
    return member(table, 'family') === family && member(table, 'name') === name;
  });
}

/** Names of the chains or sets of one table in a listing of all. */
export function namesIn(listing: readonly unknown[], kind: 'chain' | 'set', { family, name }: NftTable): string[] {
  return listing
    .map((entry) => member(entry, kind))
    .filter((entry) => member(entry, 'family') === family && member(entry, 'table') === name)
    .map((entry) => String(member(entry, 'name')));
}
