/** The own table in the kernel: made in one transaction, its members added as they come and taken out when they are gone. */
import { refusalOf } from '../system/nft-error.ts';
import { isCgroupPath, type NftOperation, type NftTable, nftScript } from '../system/nft-script.ts';
import { deletionOf, type OwnNames, tableOwned } from '../system/own-table-rest.ts';
import type { Nft } from '../system/ports.ts';
import { TableOwnership } from '../system/table-ownership.ts';
import type { KernelRuleset } from '../system/unit-ports.ts';
import { applyParts } from './apply-parts.ts';
import {
  chainNames,
  chainsOf,
  deepest,
  isSetName,
  layoutOperations,
  levelOf,
  levelOperations,
  type MarkedGroup,
  partsOfSetName,
  setName,
} from './groups-table.ts';

/** By group name: path to id. */
export type GroupMembers = ReadonlyMap<string, ReadonlyMap<string, bigint>>;
/** By set name. */
type SetMembers = ReadonlyMap<string, ReadonlyMap<string, bigint>>;

const own: OwnNames = { chain: (name) => chainNames.includes(name), set: isSetName, key: 'cgroup-nft.table.name' };

export interface GroupsSinkOptions {
  readonly nft: Nft;
  readonly kernel: KernelRuleset;
  /** Whether what `kernel` changes goes over the socket of `nft`. */
  readonly shared: boolean;
  /** Whether there is a cgroup of this path now. */
  readonly exists: (path: string) => boolean;
}

export class GroupsSink {
  readonly table: NftTable;
  readonly #options: GroupsSinkOptions;
  #groups: ReadonlyMap<string, MarkedGroup> = new Map();
  readonly #ownership = new TableOwnership();
  #made = false;
  /** By set name: path to id, as the kernel was told. */
  #held = new Map<string, Map<string, bigint>>();

  constructor(options: GroupsSinkOptions, tableName: string, groups: readonly MarkedGroup[]) {
    this.#options = options;
    this.table = { family: 'inet', name: tableName };
    this.configure(groups);
  }

  /** Other groups, which the next make() brings in. */
  configure(groups: readonly MarkedGroup[]): void {
    this.#groups = new Map(groups.map((group) => [group.name, group]));
  }

  get groups(): readonly MarkedGroup[] {
    return [...this.#groups.values()];
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

  get held(): SetMembers {
    return this.#held;
  }

  /**
   * The whole table in one transaction, whatever was there before under its name. Rejects with NftError, `table-foreign` or
   * `table-owned`. Members whose cgroup is gone by now are left out.
   */
  async make(members: GroupMembers): Promise<void> {
    const rest = restOfOwnTable(this.#options.kernel, this.table);
    await this.#withoutVanished(setsOf(members), (sets) =>
      this.#ownership.make(async (flags) => {
        const layout = layoutOperations(this.table, flags, this.groups);
        const content = [...sets].flatMap(([set, paths]) => [...this.#levelOf(set), this.#added(set, paths)]);
        try {
          await applyParts(this.#options.nft, [...rest, ...layout, ...content]);
        } catch (error) {
          if (refusalOf(error) === 'not-permitted' && rest.length > 0) throw tableOwned(this.table, error);
          throw error;
        }
        this.#held = new Map([...sets].map(([set, paths]) => [set, new Map(paths)]));
        this.#made = true;
      }),
    );
    if (this.#writable) this.#compareIds();
  }

  /** One transaction; cgroups that are gone by now are passed over. Rejects with NftError: `missing` when the table is gone. */
  async add(members: GroupMembers): Promise<void> {
    const sets = setsOf(members);
    const [known, fresh] = [
      new Map<string, ReadonlyMap<string, bigint>>(),
      new Map<string, ReadonlyMap<string, bigint>>(),
    ];
    for (const [set, paths] of sets) (this.#held.has(set) && this.#writable ? known : fresh).set(set, paths);
    const { table } = this;
    for (const [set, paths] of known) this.#options.kernel.addCgroups(table, set, [...paths.values()]);
    this.#hold(known);
    if (fresh.size === 0) return;
    await this.#withoutVanished(fresh, async (living) => {
      const operations = [...living].flatMap(([set, paths]): readonly NftOperation[] => [
        ...(this.#held.has(set) ? [] : this.#levelOf(set)),
        this.#added(set, paths),
      ]);
      await applyParts(this.#options.nft, operations);
      this.#hold(living);
    });
  }

  /**
   * Takes out what is dead. By its id where that is possible; nft's text can name a living path only, so then the sets
   * concerned are emptied and filled with `members` in one transaction. Rejects with NftError.
   */
  async remove(dead: ReadonlyMap<string, ReadonlySet<bigint>>, members: () => GroupMembers): Promise<void> {
    for (const [set, ids] of dead) {
      const held = this.#held.get(set) ?? new Map<string, bigint>();
      for (const [path, id] of held) if (ids.has(id)) held.delete(path);
      if (this.#writable) this.#options.kernel.removeCgroups(this.table, set, [...ids]);
    }
    if (this.#writable) return;
    const all = setsOf(members());
    const emptied = [...dead.keys()].filter((set) => this.#held.has(set));
    const wanted = new Map(emptied.map((set) => [set, all.get(set) ?? new Map<string, bigint>()]));
    await this.#withoutVanished(wanted, async (living) => {
      const operations = [...living].flatMap(([set, paths]): readonly NftOperation[] => [
        { op: 'flush-set', table: this.table, set },
        this.#added(set, paths),
      ]);
      await applyParts(this.#options.nft, operations);
      for (const [set, paths] of living) this.#held.set(set, new Map(paths));
    });
  }

  /** Whether the kernel has what make(), add() and remove() have left there. Throws NftError. */
  stands(): boolean {
    const { kernel } = this.#options;
    for (const chain of chainsOf(this.groups)) {
      const sets = [...this.#held.keys()].filter((set) => this.#directionsOf(set).includes(chain.direction));
      if (kernel.rules(this.table, chain.name)?.length !== sets.length) return false;
    }
    for (const [set, paths] of this.#held) {
      const found = kernel.cgroups(this.table, set);
      const wanted = new Set(paths.values());
      if (found?.size !== wanted.size || ![...wanted].every((id) => found.has(id))) return false;
    }
    return true;
  }

  /** What stays in the kernel when the process ends. */
  async release(mode: 'keep' | 'flush'): Promise<void> {
    if (mode === 'keep' || !this.#made) return;
    try {
      await this.#options.nft.apply(nftScript({ op: 'delete-table', table: this.table }));
    } catch (error) {
      if (refusalOf(error) !== 'missing' || this.#options.kernel.hasTable(this.table)) throw error;
    }
    this.#made = false;
  }

  /** A table with an owner can be changed over its socket alone. */
  get #writable(): boolean {
    return this.#options.shared || this.openToOthers;
  }

  /** nft has looked the ids up itself: a cgroup that was made anew meanwhile has another one than is known here. */
  #compareIds(): void {
    const { kernel } = this.#options;
    for (const [set, paths] of this.#held) {
      const found = kernel.cgroups(this.table, set) ?? new Map<bigint, unknown>();
      const wanted = new Set(paths.values());
      const missing = [...wanted].filter((id) => !found.has(id));
      const surplus = [...found.keys()].filter((id) => !wanted.has(id));
      if (missing.length > 0) kernel.addCgroups(this.table, set, missing);
      if (surplus.length > 0) kernel.removeCgroups(this.table, set, surplus);
    }
  }

  /** nft refuses all when one path is gone (ENOENT): what is gone by now is left out then. */
  async #withoutVanished(sets: SetMembers, apply: (living: SetMembers) => Promise<void>): Promise<void> {
    try {
      return await apply(sets);
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
      const { exists } = this.#options;
      const living = new Map(
        [...sets].map(([set, paths]) => [set, new Map([...paths].filter(([path]) => exists(path)))]),
      );
      const vanished = [...sets].some(([set, paths]) => living.get(set)?.size !== paths.size);
      // Otherwise it was no cgroup that was missing, but the table or a set.
      if (!vanished) throw error;
      return this.#withoutVanished(living, apply);
    }
  }

  #hold(sets: SetMembers): void {
    for (const [set, paths] of sets) {
      const held = this.#held.get(set) ?? new Map<string, bigint>();
      for (const [path, id] of paths) held.set(path, id);
      this.#held.set(set, held);
    }
  }

  #added(set: string, paths: ReadonlyMap<string, bigint>): NftOperation {
    return { op: 'add-cgroups', table: this.table, set, paths: [...paths.keys()] };
  }

  #directionsOf(set: string): MarkedGroup['directions'] {
    return this.#groups.get(partsOfSetName(set).group)?.directions ?? [];
  }

  #levelOf(set: string): readonly NftOperation[] {
    const { group: name, level } = partsOfSetName(set);
    const group = this.#groups.get(name);
    return group === undefined ? [] : levelOperations(this.table, group, level);
  }
}

/**
 * Operations that delete what an earlier run has left under the name of the own table, if anything. Throws `table-foreign`.
 * (nft's own listing would look up each cgroup of all sets of the family: 20 s for 500.)
 */
export function restOfOwnTable(kernel: KernelRuleset, table: NftTable): readonly NftOperation[] {
  if (!kernel.hasTable(table)) return [];
  const namesIn = (all: readonly { readonly table: NftTable; readonly name: string }[]): readonly string[] =>
    all.filter((one) => one.table.family === table.family && one.table.name === table.name).map(({ name }) => name);
  return deletionOf({ table, chains: namesIn(kernel.chains()), sets: namesIn(kernel.sets()) }, own);
}

/** What nft's text or the kernel cannot say is passed over: neither can a rule match it. */
function setsOf(members: GroupMembers): Map<string, Map<string, bigint>> {
  const sets = new Map<string, Map<string, bigint>>();
  for (const [group, paths] of members) {
    for (const [path, id] of paths) {
      if (!isCgroupPath(path) || levelOf(path) > deepest) continue;
      const name = setName(group, levelOf(path));
      const set = sets.get(name) ?? new Map<string, bigint>();
      sets.set(name, set.set(path, id));
    }
  }
  return sets;
}
