/** nftables for `netsteward guard`. */
import type { Nft } from '../system/ports.ts';

/** Rejects with `nft-missing` and `nft-not-permitted`. Close it. */
export async function composeNft(): Promise<Nft> {
  return (await import('../system/linux/nft-open.ts')).openNft();
}
