/** Keeps the own table's sets at the living members of each group: what is new goes in at once, what is dead soon after. */
import { refusalOf } from '../system/nft-error.ts';
import { isCgroupPath, type NftOperation, type NftTable, nftScript } from '../system/nft-script.ts';
import { type OwnNames, restOfTable, tableOwned } from '../system/own-table-rest.ts';
import type { Nft } from '../system/ports.ts';
import { TableOwnership } from '../system/table-ownership.ts';
import {
  chainNames,
  isSetName,
  layoutOperations,
  levelOf,
  levelOperations,
  type MarkedGroup,
  setName,
} from './groups-table.ts';

/** Paths by group name. */
export type GroupMembers = ReadonlyMap<string, ReadonlySet<string>>;

const own: OwnNames = { chain: (name) => chainNames.includes(name), set: isSetName, key: 'cgroup-nft.table.name' };

export class GroupsSink {
  readonly table: NftTable;
  readonly #nft: Nft;
  readonly #exists: (path: string) => boolean;
  #groups: ReadonlyMap<string, MarkedGroup> = new Map();
  readonly #ownership = new TableOwnership();
  #made = false;
  /** Set name to the paths that the kernel was told of. */
  #held = new Map<string, Set<string>>();

  /** `exists`: whether there is a cgroup of this path now. */
  constructor(nft: Nft, tableName: string, groups: readonly MarkedGroup[], exists: (path: string) => boolean) {
    this.#nft = nft;
    this.#exists = exists;
    this.table = { family: 'inet', name: tableName };
    this.configure(groups);
  }

  /** Other groups, which the next make() brings in. */
  configure(groups: readonly MarkedGroup[]): void {
    this.#groups = new Map(groups.map((group) => [group.name, group]));
  }

  get kind() {
    return this.#made ? this.#ownership.kind : undefined;
  }

  /** Why the table is not of a better kind. */
  get reason(): string | undefined {
    return this.#ownership.reason;
  }

  /** Whether others can change it. */
  get openToOthers(): boolean {
    return this.kind === 'plain';
  }

  /** By set name. */
  get held(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#held;
  }

  /**
   * The whole table in one transaction, whatever was there before under its name. Rejects with NftError, `table-foreign` or
   * `table-owned`. Members whose cgroup is gone by now are left out.
   */
  async make(members: GroupMembers): Promise<void> {
    const rest = await restOfTable(this.#nft, this.table, own);
    await this.#withoutVanished(members, (living) =>
      this.#ownership.make(async (flags) => {
        const held = setsOf(living);
        const layout = layoutOperations(this.table, flags, [...this.#groups.values()]);
        try {
          await this.#nft.apply(nftScript(...rest, ...layout, ...this.#contentOperations(held)));
        } catch (error) {
          if (refusalOf(error) === 'not-permitted' && rest.length > 0) throw tableOwned(this.table, error);
          throw error;
        }
        this.#held = held;
        this.#made = true;
      }),
    );
  }

  /** One transaction; cgroups that are gone by now are passed over. Rejects with NftError. */
  async add(members: GroupMembers): Promise<void> {
    await this.#withoutVanished(members, async (living) => {
      const sets = setsOf(living);
      const operations = [...sets].flatMap(([set, paths]): readonly NftOperation[] => [
        ...(this.#held.has(set) ? [] : this.#levelOf(set)),
        { op: 'add-cgroups', table: this.table, set, paths: [...paths] },
      ]);
      await this.#nft.apply(nftScript(...operations));
      for (const [set, paths] of sets) {
        const held = this.#held.get(set) ?? new Set();
        for (const path of paths) held.add(path);
        this.#held.set(set, held);
      }
    });
  }

  /**
   * Takes out what is not in `members`, and dead ids of what is: nft can delete a cgroup by a living path only, so the sets
   * concerned are emptied and filled in one transaction. `sets`: names of those where something has died.
   */
  async refill(members: GroupMembers, sets: ReadonlySet<string>): Promise<void> {
    await this.#withoutVanished(members, async (living) => {
      const wanted = setsOf(living);
      const operations = [...sets]
        .filter((set) => this.#held.has(set))
        .flatMap((set): readonly NftOperation[] => [
          { op: 'flush-set', table: this.table, set },
          { op: 'add-cgroups', table: this.table, set, paths: [...(wanted.get(set) ?? [])] },
        ]);
      await this.#nft.apply(nftScript(...operations));
      for (const set of sets) if (this.#held.has(set)) this.#held.set(set, wanted.get(set) ?? new Set());
    });
  }

  /** What stays in the kernel when the process ends. */
  async release(mode: 'keep' | 'flush'): Promise<void> {
    if (mode === 'keep' || !this.#made) return;
    this.#made = false;
    try {
      await this.#nft.apply(nftScript({ op: 'delete-table', table: this.table }));
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
    }
  }

  /** nft refuses all when one path is gone (ENOENT): what is gone by now is left out then. */
  async #withoutVanished(members: GroupMembers, apply: (living: GroupMembers) => Promise<void>): Promise<void> {
    try {
      return await apply(members);
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
      const living = new Map([...members].map(([group, paths]) => [group, new Set([...paths].filter(this.#exists))]));
      const vanished = [...members].some(([group, paths]) => living.get(group)?.size !== paths.size);
      // Otherwise it was no cgroup that was missing, but the table or a set.
      if (!vanished) throw error;
      return this.#withoutVanished(living, apply);
    }
  }

  #contentOperations(sets: ReadonlyMap<string, ReadonlySet<string>>): readonly NftOperation[] {
    return [...sets].flatMap(([set, paths]): readonly NftOperation[] => [
      ...this.#levelOf(set),
      { op: 'add-cgroups', table: this.table, set, paths: [...paths] },
    ]);
  }

  #levelOf(set: string): readonly NftOperation[] {
    const at = set.lastIndexOf('.level');
    const group = this.#groups.get(set.slice(0, at));
    if (group === undefined) return [];
    return levelOperations(this.table, group, Number(set.slice(at + '.level'.length)));
  }
}

function setsOf(members: GroupMembers): Map<string, Set<string>> {
  const sets = new Map<string, Set<string>>();
  for (const [group, paths] of members) {
    for (const path of paths) {
      if (!isCgroupPath(path)) continue;
      const name = setName(group, levelOf(path));
      const set = sets.get(name) ?? new Set();
      sets.set(name, set.add(path));
    }
  }
  return sets;
}
