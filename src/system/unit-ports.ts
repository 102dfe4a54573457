/** systemd's units as cgroup-nft sees them: the cgroup tree, the journal's job entries, when a unit's process began. */
import type { NftTable } from './nft-script.ts';

/** What a watched directory tells. Paths are relative to the tree's root, `/` between the names, `''` the root itself. */
export interface CgroupListener {
  /** A directory was made in a watched one. It may be gone already, and may have got children before anybody looks. */
  created(path: string): void;
  /** A directory in a watched one was removed; a watch on it has ended by itself. */
  removed(path: string): void;
  /** The kernel dropped events (inotify(7), IN_Q_OVERFLOW): anything may have changed. */
  overflow(): void;
  /** Nothing is told any more. */
  failed(error: Error): void;
}

export interface CgroupWatch {
  /**
   * Tells of directories made and removed in this one from now on. False when it does not exist (any more). Twice is once.
   * Where it exists but cannot be watched, true, and failed() follows.
   */
  add(path: string): boolean;
  remove(path: string): void;
  close(): void;
}

/** A cgroup2 file system (cgroups(7)). Its calls take microseconds, so they are synchronous: none may come between look and act. */
export interface CgroupTree {
  /** Where it is mounted. */
  readonly root: string;
  watch(listener: CgroupListener): CgroupWatch;
  /** Names of the child directories; undefined when there is no such directory. */
  children(path: string): readonly string[] | undefined;
  /** The cgroup's id, which is its directory's inode number (64 bits); undefined when there is none. */
  id(path: string): bigint | undefined;
  /** Ids of its processes (not of those in child cgroups); empty when it is gone. */
  processes(path: string): readonly number[];
}

/** A job of systemd, from the journal: entries that systemd itself wrote (the underscore fields cannot be forged). */
export interface UnitJob {
  /** Of the unit, with its ending. */
  readonly unit: string;
  /** Whether a user manager (systemd --user) wrote it. */
  readonly user: boolean;
  /** Wall clock, microseconds since the epoch, when the entry was written. */
  readonly at: number;
}

export interface JournalListener {
  job(job: UnitJob): void;
  /** Nothing can be read at the moment, for people; the adapter goes on trying. */
  lost(reason: string): void;
  /** It can be read (again). */
  found(): void;
}

export interface Journal {
  /** Jobs from now on; after an interruption those that were missed meanwhile too. */
  follow(listener: JournalListener): { close(): Promise<void> };
}

/** When the main processes of units began. */
export interface UnitStarts {
  /** CLOCK_MONOTONIC in microseconds, as systemd's own time stamps count. */
  now(): number;
  /**
   * CLOCK_MONOTONIC in microseconds, by unit of the system (no user manager is asked); units without a main process (scopes,
   * slices) or unknown ones are left out.
   * Never rejects.
   */
  mainStarts(units: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
}

export interface KernelCounter {
  readonly packets: number;
  readonly bytes: number;
}

export interface KernelRule {
  readonly handle: number;
  /** The first counter in it, if any. */
  readonly counter: KernelCounter | undefined;
  /** The chain that it jumps to, where it does nothing else. */
  readonly jump: string | undefined;
}

export interface KernelChain {
  readonly table: NftTable;
  readonly name: string;
  readonly comment: string | undefined;
}

export interface KernelSet {
  readonly table: NftTable;
  readonly name: string;
  /** Whether it has a name of its own, and its keys are cgroups or begin with one. */
  readonly cgroups: boolean;
}

/** As the kernel has it; `end` where it is a range. */
export interface ElementKey {
  readonly key: Uint8Array;
  readonly end: Uint8Array | undefined;
}

export interface KernelElement extends ElementKey {
  /** Of the cgroup that the key begins with. */
  readonly id: bigint;
  readonly comment: string | undefined;
  readonly counter: KernelCounter | undefined;
}

/**
 * Sets and rules by number, as the kernel has them: nft would look each cgroup id up by a walk through the whole tree (500 of
 * them take 20 s). Calls take from some ten microseconds up to milliseconds, and are synchronous: nothing of this process
 * comes between look and act. They throw NftError.
 */
export interface KernelSets {
  /** Ids in a set of type cgroupsv2, or of a concatenation that begins with it; with counters where the set has them. Undefined when there is no such set. */
  cgroups(table: NftTable, set: string): ReadonlyMap<bigint, KernelCounter | undefined> | undefined;
  /** In order; undefined when there is no such chain. */
  rules(table: NftTable, chain: string): readonly KernelRule[] | undefined;
  /** Of a set of type cgroupsv2, in one transaction; ids that are not in it are passed over. */
  removeCgroups(table: NftTable, set: string, ids: readonly bigint[]): void;
  close(): void;
}

/** All that keeping units' rules takes beyond nft's text, which reads all chains of all tables for each command. */
export interface KernelRuleset extends KernelSets {
  /** Netlink port id of the socket that changes go over: notifications tell them by it. */
  readonly portId: number | undefined;
  /**
   * From now on changes go over the socket of this process that has this port id, so that a table can be changed that belongs
   * to it. False when there is no such socket; then nothing changes.
   */
  changeOver(portId: number | undefined): boolean;
  hasTable(table: NftTable): boolean;
  /** Of all tables. */
  chains(): readonly KernelChain[];
  /** Of all tables. */
  sets(): readonly KernelSet[];
  /** Of all chains of a table that have some; empty when there is no such table. */
  rulesOf(table: NftTable): ReadonlyMap<string, readonly KernelRule[]>;
  /** As cgroups(), element by element. */
  elements(table: NftTable, set: string): readonly KernelElement[] | undefined;
  /** Of a set of type cgroupsv2, in one transaction; what is in it stays. */
  addCgroups(table: NftTable, set: string, ids: readonly bigint[]): void;
  /** In one transaction; those that are not there any more are passed over. */
  removeElements(table: NftTable, set: string, keys: readonly ElementKey[]): void;
  /** A number that each committed transaction, of whomever, changes. */
  generation(): number;
  /**
   * In one transaction, and only as long as nothing has changed since `generation` was asked: a handle may mean another rule
   * after that. False when something has; then nothing is removed.
   */
  removeRules(table: NftTable, rules: readonly RulePlace[], generation: number): boolean;
}

export interface RulePlace {
  readonly chain: string;
  readonly handle: number;
}
