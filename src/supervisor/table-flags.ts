/** From which versions on kernel and nft know the flags of an own table (pure). */
import { atLeast } from './version-order.ts';

export interface TableVersions {
  /** As `uname -r` prints it. */
  readonly kernel: string;
  readonly nft: string;
}

/** `flags owner`: nobody but its owner changes or removes the table, which ends with its owner. */
export const knowsOwner = ({ kernel, nft }: TableVersions): boolean => atLeast(kernel, '5.12') && atLeast(nft, '0.9.9');

/** `flags owner, persist`: it outlives its owner, and the next one adopts it. */
export const knowsPersist = ({ kernel, nft }: TableVersions): boolean =>
  atLeast(kernel, '6.9') && atLeast(nft, '1.0.9');
