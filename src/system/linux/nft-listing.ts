/** Reads listings of tables and of all else as libnftables-json(5) shows them (pure). */
import { NftError } from '../nft-error.ts';
import { member } from '../nft-names.ts';
import type { NftScript } from '../nft-script.ts';

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
