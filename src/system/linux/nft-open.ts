/** Opens the nftables adapter that this machine can carry: in-process libnftables, else a kept-open `nft -i`. */
import { isMainThread } from 'node:worker_threads';
import { describeError, errnoOf, NetstewardError } from '../../core/errors.ts';
import { refusalOf } from '../nft-error.ts';
import { nftScript } from '../nft-script.ts';
import type { Nft } from '../ports.ts';
import { InteractiveNft } from './nft-interactive.ts';
import { LibnftablesNft } from './nft-libnftables.ts';

export type NftKind = 'libnftables' | 'nft -i';

/**
 * With `prefer` that one and no other. Rejects with NetstewardError: `nft-missing` (neither library nor program),
 * `nft-not-permitted` (no CAP_NET_ADMIN), `nft-in-worker` (a context of a worker thread outlives it and keeps its table locked).
 */
export async function openNft(prefer?: NftKind): Promise<Nft> {
  if (!isMainThread) throw new NetstewardError('nft-in-worker', 'nftables may be opened in a main thread only');
  const nft = await openAdapter(prefer);
  try {
    await nft.list(nftScript({ op: 'list-tables' }));
    return nft;
  } catch (error) {
    await nft.close();
    if (refusalOf(error) === 'not-permitted') {
      throw new NetstewardError('nft-not-permitted', 'this process may not use nftables: it lacks CAP_NET_ADMIN', {
        remedy: 'Run it as root, or give its unit AmbientCapabilities=CAP_NET_ADMIN.',
        cause: error,
      });
    }
    if (errnoOf(error) === 'ENOENT') throw missing(error);
    throw error;
  }
}

async function openAdapter(prefer: NftKind | undefined): Promise<Nft> {
  if (prefer !== 'nft -i') {
    try {
      return await LibnftablesNft.open();
    } catch (error) {
      if (prefer === 'libnftables') throw missing(error);
    }
  }
  try {
    return await InteractiveNft.open();
  } catch (error) {
    throw missing(error);
  }
}

function missing(cause: unknown): NetstewardError {
  return new NetstewardError('nft-missing', `nftables is not installed: ${describeError(cause)}`, {
    remedy: 'Install the package nftables (it brings nft and libnftables).',
    cause,
  });
}
