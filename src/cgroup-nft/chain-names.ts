/** Names and comments of the chains of our own that stand beside a chain of the administrator (pure). */
import { createHash } from 'node:crypto';

const chainPrefix = 'netsteward-';

// NFT_CHAIN_MAXNAMELEN of linux/netfilter/nf_tables.h is 128, with the final NUL.
const longest = 127;
const digestLength = 8;

/** The chain that the administrator's one jumps to; it holds a jump for each unit. */
export function unitsChain(chain: string): string {
  return shortened(`${chainPrefix}${chain}`, chain);
}

/** The chain with the rules of one unit. */
export function unitChain(chain: string, unit: string): string {
  const key = `${chain} ${unit}`;
  return shortened(`${chainPrefix}${chain}-${unit.replace(/[^A-Za-z0-9_.-]/g, '_')}-${digest(key)}`, key);
}

export function frameComment(chain: string): string {
  return `rules of units for the chain ${chain}`;
}

export function unitComment(unit: string, chain: string): string {
  return `rules of ${unit} for the chain ${chain}`;
}

/** Whether a chain is one of ours, of whatever configuration: an earlier run may have left it. */
export function isOwnChain(name: string, comment: string | undefined): boolean {
  return name.startsWith(chainPrefix) && comment?.startsWith('rules of ') === true;
}

/** Readable as far as there is room; the digest keeps apart what is cut. */
function shortened(name: string, key: string): string {
  if (name.length <= longest) return name;
  return `${name.slice(0, longest - digestLength - 1)}-${digest(key)}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digestLength);
}
