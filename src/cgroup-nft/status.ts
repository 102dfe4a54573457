/** What `netsteward status` shows of cgroup-nft: JSON values only. Times are milliseconds since the epoch. */
import type { Margin } from './margin.ts';
import type { UnitStatement } from './rule.ts';

/** Of an element of a group's set or of the administrator's, or of a rule with the word `counter` in it. */
export interface EntryCounter {
  /** `group NAME`, or `file:line`. */
  readonly of: string;
  readonly packets: number;
  readonly bytes: number;
}

export interface UnitEntry {
  /** Of the cgroup, relative to the tree's root. */
  readonly path: string;
  readonly id: string;
  /** Groups that it is in. */
  readonly groups: readonly string[];
  /** Rules and elements of files that name it, as `file:line`. */
  readonly rules: readonly string[];
  /** Those of `rules` that are not in force: their chain or set is missing, or nft refused a rule of their unit. */
  readonly lacking: readonly string[];
  /** When it was in the kernel; null: not yet. */
  readonly since: number | null;
  /** Milliseconds by which the rule was there before the process's last start; negative: too late; null: not known. */
  readonly margin: number | null;
  readonly counters: readonly EntryCounter[];
}

export interface CgroupNftDetail {
  /** The newest first. */
  readonly entries: readonly UnitEntry[];
  /** Entries beyond those that are shown. */
  readonly more: number;
  /** Rules and elements whose cgroup does not exist now, as `UNIT (file:line)`. */
  readonly waiting: readonly string[];
  /** Comments in the files that were surely meant as rules but are none, each with its place; absent for none. */
  readonly remarks?: readonly string[];
  readonly table: 'owner' | 'owner-persist' | 'plain' | null;
  readonly tableName: string;
  readonly watches: number;
  readonly journal: 'read' | 'lost' | 'unused';
}

/** What is known of a member beside its path and id. */
export interface MemberRecord {
  readonly since: number | null;
  readonly margin: Margin | undefined;
}

/** `file:line` */
export function originOf({ place }: UnitStatement): string {
  return `${place.file}:${place.line}`;
}

export const mostEntries = 1000;
