/** One transaction, or as few as it takes: in a user namespace a socket's send buffer may not hold thousands of rules (EMSGSIZE). */
import { refusalOf } from '../system/nft-error.ts';
import { type NftOperation, nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';

/** In order. Rejects with NftError; of several transactions, those before stay. */
export async function applyParts(nft: Nft, operations: readonly NftOperation[]): Promise<void> {
  try {
    await nft.apply(nftScript(...operations));
  } catch (error) {
    const halves = refusalOf(error) === 'too-long' ? halved(operations) : [];
    if (halves.length === 0) throw error;
    for (const half of halves) await applyParts(nft, half);
  }
}

function halved(operations: readonly NftOperation[]): readonly (readonly NftOperation[])[] {
  const middle = operations.length >> 1;
  if (middle > 0) return [operations.slice(0, middle), operations.slice(middle)];
  const [only] = operations;
  if (only?.op === 'add-cgroups' && only.paths.length > 1) {
    const at = only.paths.length >> 1;
    return [[{ ...only, paths: only.paths.slice(0, at) }], [{ ...only, paths: only.paths.slice(at) }]];
  }
  if (only?.op === 'add-members' && only.members.length > 1) {
    const at = only.members.length >> 1;
    return [[{ ...only, members: only.members.slice(0, at) }], [{ ...only, members: only.members.slice(at) }]];
  }
  return [];
}
