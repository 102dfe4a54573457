/** One chain of the administrator's in the kernel: the jump in it to a chain of our own, and from there to one for each unit. */
import { refusalOf } from '../system/nft-error.ts';
import { type NftOperation, type NftTable, nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';
import type { KernelRuleset } from '../system/unit-ports.ts';
import { applyParts } from './apply-parts.ts';
import { frameComment, unitChain, unitComment, unitsChain } from './chain-names.ts';
import { sift } from './sift.ts';

/** A rule as it shall be in the kernel now: its cgroups exist. */
export interface LivingRule {
  readonly statement: string;
  /** For messages: which rule of which file. */
  readonly origin: string;
  /** That rule's statement as it is written there. */
  readonly written: string;
}

/** What stands in the kernel for a chain of the administrator's. */
export interface ChainLook {
  /** Handles of the rules in it that do nothing but jump to ours. */
  readonly jumps: readonly number[];
  /** Chains that ours jumps to, in order. */
  readonly frame: readonly (string | undefined)[];
  /** Rules of a chain of the same table; undefined when there is no such chain, or nothing in it. */
  readonly count: (chain: string) => number | undefined;
}

/** How often others may change the ruleset between look and act before it is left for later. */
const mostRaces = 20;

export class ChainsSink {
  readonly table: NftTable;
  readonly chain: string;
  readonly #nft: Nft;
  readonly #kernel: KernelRuleset;

  constructor(nft: Nft, kernel: KernelRuleset, table: NftTable, chain: string) {
    this.#nft = nft;
    this.#kernel = kernel;
    this.table = table;
    this.chain = chain;
  }

  /** Whether the administrator's chain is there. Throws NftError. */
  exists(): boolean {
    return this.#kernel.rules(this.table, this.chain) !== undefined;
  }

  /** Whether the unit's chain is there. Throws NftError. */
  has(unit: string): boolean {
    return this.#kernel.rules(this.table, unitChain(this.chain, unit)) !== undefined;
  }

  /** Undefined when there is no such chain, or no such table. Throws NftError. */
  look(): ChainLook | undefined {
    const { table, chain } = this;
    const rules = this.#kernel.rules(table, chain);
    if (rules === undefined) return undefined;
    const frame = unitsChain(chain);
    const all = this.#kernel.rulesOf(table);
    return {
      jumps: rules.filter(({ jump }) => jump === frame).map(({ handle }) => handle),
      frame: (all.get(frame) ?? []).map(({ jump }) => jump),
      count: (name) => all.get(name)?.length,
    };
  }

  /** Makes the chains of these units (`fresh`), or empties them, and fills them: one transaction. Rejects with NftError. */
  async fill(units: ReadonlyMap<string, readonly LivingRule[]>, fresh: boolean): Promise<void> {
    await applyParts(
      this.#nft,
      [...units].flatMap(([unit, rules]) => this.#filled(unit, rules, fresh)),
    );
  }

  /** The rules of a unit that nft takes, tried in its check mode. */
  async accepted(
    unit: string,
    rules: readonly LivingRule[],
    refused: (rule: LivingRule, error: unknown) => void,
  ): Promise<readonly LivingRule[]> {
    return sift(rules, (some) => this.#nft.check(nftScript(...this.#filled(unit, some, true))), refused);
  }

  /**
   * Our own chain with a jump for each unit, in order, and the administrator's jump to it where there is none: one transaction.
   * The units' chains must be there. With `flush` what he has in his chain goes (the flag --flush). Rejects with NftError.
   */
  async frame(units: readonly string[], flush: boolean): Promise<void> {
    const { table, chain } = this;
    const frame = unitsChain(chain);
    const standing = flush ? 0 : (this.look()?.jumps.length ?? 0);
    await applyParts(this.#nft, [
      { op: 'add-plain-chain', table, chain: frame, comment: frameComment(chain) },
      { op: 'flush-chain', table, chain: frame },
      ...units.map((unit) => this.#jump(frame, unitChain(chain, unit))),
      ...(flush ? [{ op: 'flush-chain', table, chain } as const] : []),
      ...(standing === 0 ? [this.#jump(chain, frame)] : []),
    ]);
  }

  /** Leaves one jump to our chain, should there be more: a ruleset that was listed and loaded on top of itself. */
  dropSurplusJumps(): void {
    for (let races = 0; races < mostRaces; races++) {
      const generation = this.#kernel.generation();
      const [, ...surplus] = this.look()?.jumps ?? [];
      const places = surplus.map((handle) => ({ chain: this.chain, handle }));
      if (this.#kernel.removeRules(this.table, places, generation)) return;
    }
  }

  #filled(unit: string, rules: readonly LivingRule[], fresh: boolean): readonly NftOperation[] {
    const { table } = this;
    const chain = unitChain(this.chain, unit);
    return [
      ...(fresh ? [{ op: 'add-plain-chain', table, chain, comment: unitComment(unit, this.chain) } as const] : []),
      { op: 'flush-chain', table, chain },
      ...rules.map(({ statement }): NftOperation => ({ op: 'add-statement', table, chain, statement })),
    ];
  }

  #jump(chain: string, to: string): NftOperation {
    return { op: 'add-rule', table: this.table, chain, when: [], action: { kind: 'jump', chain: to } };
  }
}

/** Whether it says that the table or a chain is not there (any more). */
export function lacksChain(error: unknown): boolean {
  return refusalOf(error) === 'missing';
}
