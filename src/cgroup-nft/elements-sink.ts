/** Keeps the elements of units in the administrator's sets: what lives is added, what was ours and is dead is taken out by its id. */
import { nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';
import type { KernelSets } from '../system/unit-ports.ts';
import { livingReferences } from './living.ts';
import type { SetTarget } from './selection.ts';
import { expandStatement } from './statement.ts';

export class ElementsSink {
  readonly #nft: Nft;
  readonly #kernel: Pick<KernelSets, 'cgroups' | 'removeCgroups'>;
  /** By the target's key: the ids that we have put in. */
  readonly #held = new Map<string, Set<bigint>>();

  constructor(nft: Nft, kernel: Pick<KernelSets, 'cgroups' | 'removeCgroups'>) {
    this.#nft = nft;
    this.#kernel = kernel;
  }

  /** False when there is no such set. Rejects with NftError: `missing` when a cgroup is gone by now, which its own notification will tell. */
  async hold(target: SetTarget, members: ReadonlyMap<string, bigint>): Promise<boolean> {
    const { key, table, set } = target;
    const found = this.#kernel.cgroups(table, set);
    if (found === undefined) return false;
    const wanted = new Set<bigint>();
    const missing: string[] = [];
    for (const element of target.elements) {
      const living = livingReferences(element, members);
      const fresh = living.map((paths) => paths.filter((path) => !found.has(members.get(path) ?? 0n)));
      missing.push(...expandStatement(element, fresh));
      for (const path of living.flat()) wanted.add(members.get(path) ?? 0n);
    }
    const held = this.#held.get(key) ?? new Set<bigint>();
    const dead = [...held].filter((id) => !wanted.has(id) && found.has(id));
    this.#kernel.removeCgroups(table, set, dead);
    await this.#nft.apply(nftScript({ op: 'add-members', table, set, members: [...new Set(missing)] }));
    this.#held.set(key, wanted);
    return true;
  }

  /** Takes out what we have put in. */
  async remove({ key, table, set }: SetTarget): Promise<void> {
    const found = this.#kernel.cgroups(table, set);
    const held = this.#held.get(key) ?? new Set<bigint>();
    this.#held.delete(key);
    if (found !== undefined)
      this.#kernel.removeCgroups(
        table,
        set,
        [...held].filter((id) => found.has(id)),
      );
  }
}
