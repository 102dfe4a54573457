/** What stands in the kernel under the name of a table of our own, before it is made: the rest of an earlier run, or somebody else's. */
import { NetstewardError } from '../core/errors.ts';
import { hasTable, namesIn } from './nft-names.ts';
import { type NftOperation, type NftTable, nftScript } from './nft-script.ts';
import type { Nft } from './ports.ts';

export interface OwnNames {
  readonly chain: (name: string) => boolean;
  readonly set: (name: string) => boolean;
  /** The configuration key that gives the table its name. */
  readonly key: string;
}

/** Operations that delete the rest of an earlier run, if any. Rejects with `table-foreign` for a table that has names of others. */
export async function restOfTable(nft: Nft, table: NftTable, own: OwnNames): Promise<readonly NftOperation[]> {
  if (!hasTable(await nft.list(nftScript({ op: 'list-tables' })), table)) return [];
  const { family } = table;
  const chains = namesIn(await nft.list(nftScript({ op: 'list-chains', family })), 'chain', table);
  const sets = namesIn(await nft.list(nftScript({ op: 'list-sets', family })), 'set', table);
  return deletionOf({ table, chains, sets }, own);
}

/** What a table that exists has in it. */
export interface TableContent {
  readonly table: NftTable;
  readonly chains: readonly string[];
  readonly sets: readonly string[];
}

/** The same for a table whose names are known. Throws `table-foreign`. */
export function deletionOf({ table, chains, sets }: TableContent, own: OwnNames): readonly NftOperation[] {
  const { family, name } = table;
  const strange = [
    ...chains.filter((chain) => !own.chain(chain)).map((chain) => `the chain ${chain}`),
    ...sets.filter((set) => !own.set(set)).map((set) => `the set ${set}`),
  ];
  if (strange.length === 0) return [{ op: 'delete-table', table }];
  const found = strange.slice(0, 5).join(', ');
  throw new NetstewardError(
    'table-foreign',
    `there is a table ${family} ${name} that was not made by netsteward: it has ${found}`,
    { remedy: `Rename or delete that table, or give ${own.key} another name.` },
  );
}

/** For a rest that cannot be deleted: another socket owns it. */
export function tableOwned({ family, name }: NftTable, cause: unknown): NetstewardError {
  return new NetstewardError('table-owned', `the table ${family} ${name} belongs to another living process`, {
    remedy: `Stop the other netsteward (nft list table ${family} ${name} names its program), or give this one another table name.`,
    cause,
  });
}
