/** A rule or set element that belongs to a unit, as it was written into a comment of a configuration file. */
import type { NftFamily } from '../system/nft-script.ts';

/** Where a text begins: line and column from 1, the column in characters. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A cgroup that a statement names: `socket cgroupv2 level LEVEL "PATH"`, or an element of a set (then without level). */
export interface CgroupReference {
  readonly level: number | undefined;
  /** Relative to the cgroup2 mount, without slashes at the ends. May have globs (`*`, `?`, `[…]`) in its names. */
  readonly path: string;
  /** Of the path's text (with its quotes, if any) within the statement: index of its first character and past its last. */
  readonly start: number;
  readonly end: number;
}

/** A stretch of a statement that stands in one line of its file. */
export interface Piece {
  /** Index within the statement where it begins. */
  readonly at: number;
  readonly line: number;
  readonly column: number;
}

interface Written {
  /** The trigger unit: its jobs in the journal let the rule be resolved anew. */
  readonly unit: string;
  readonly family: NftFamily;
  readonly table: string;
  /** On one line, as nft takes it; continuations are joined by single spaces. */
  readonly statement: string;
  readonly cgroups: readonly CgroupReference[];
  /** Of the trigger unit's name. */
  readonly place: Place;
  /** Where the statement's text stands, piece by piece; without them it was not read from a file. */
  readonly pieces?: readonly Piece[];
}

/** `# UNIT :: add rule FAMILY TABLE CHAIN STATEMENT` */
export interface UnitRule extends Written {
  readonly kind: 'rule';
  readonly chain: string;
}

/** `# UNIT :: add element FAMILY TABLE SET { "PATH" }`; the statement is what stands between the braces. */
export interface UnitElement extends Written {
  readonly kind: 'element';
  readonly set: string;
}

export type UnitStatement = UnitRule | UnitElement;
