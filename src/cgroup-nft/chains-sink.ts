/** Keeps the rules of units in the administrator's chains: each unit's in a chain of our own, all of them behind one jump. */
import { namesIn } from '../system/nft-names.ts';
import { type NftOperation, type NftTable, nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';
import type { KernelSets } from '../system/unit-ports.ts';
import { chainPrefix, unitChain, unitsChain } from './chain-names.ts';

/** A rule as it shall be in the kernel now: its cgroups exist. */
export interface LivingRule {
  readonly statement: string;
  /** For messages: which rule of which file. */
  readonly origin: string;
}

/** What one chain of the administrator shall lead to. Units in the order of the files, units without a living rule too. */
export interface ChainContent {
  readonly table: NftTable;
  readonly chain: string;
  readonly units: ReadonlyMap<string, readonly LivingRule[]>;
}

export interface RefusedRule {
  readonly unit: string;
  readonly rule: LivingRule;
  /** nft's own words. */
  readonly reason: string;
}

/** `missing-chain`: the administrator's chain or its table does not exist (yet). */
export type ChainOutcome =
  | { readonly kind: 'applied'; readonly refused: readonly RefusedRule[] }
  | { readonly kind: 'missing-chain' };

export class ChainsSink {
  readonly #nft: Nft;
  readonly #kernel: Pick<KernelSets, 'rules'>;

  constructor(nft: Nft, kernel: Pick<KernelSets, 'rules'>) {
    this.#nft = nft;
    this.#kernel = kernel;
  }

  /** Whether the jump and our chains behind it are as make() has left them; their rules are not looked at. */
  async stands({ table, chain, units }: ChainContent): Promise<boolean> {
    const first = unitsChain(chain);
    if (this.#jumps(table, chain, first)?.length !== 1) return false;
    const found = (this.#kernel.rules(table, first) ?? []).map((rule) => rule.jump);
    const wanted = [...units.keys()].map((unit) => unitChain(chain, unit));
    return found.length === wanted.length && wanted.every((name, index) => name === found[index]);
  }

  /**
   * Everything of one chain in one transaction, whatever was there; rules that nft refuses are left out, and told. With
   * `flush` what the administrator himself has in the chain goes (the flag --flush). Rejects with NftError.
   */
  async make(content: ChainContent, flush: boolean): Promise<ChainOutcome> {
    const { table, chain } = content;
    const found = this.#jumps(table, chain, unitsChain(chain));
    if (found === undefined) return { kind: 'missing-chain' };
    const jumps = flush ? [] : found;
    const left = await this.#leftOver(content);
    const refused: RefusedRule[] = [];
    const units = await this.#accepted(content, refused);
    const [, ...surplus] = jumps;
    await this.#nft.apply(
      nftScript(
        ...(flush ? [{ op: 'flush-chain', table, chain } as const] : []),
        ...frame(content, left),
        ...[...units].flatMap(([unit, rules]) => rules.map((rule) => statement(content, unit, rule))),
        ...(jumps.length === 0 ? [jump(content, chain, unitsChain(chain))] : []),
        ...surplus.map((handle): NftOperation => ({ op: 'delete-rule', table, chain, handle })),
      ),
    );
    return { kind: 'applied', refused };
  }

  /** Replaces the rules of these units, in one transaction; the frame must stand. Rejects with NftError: `missing` when it does not. */
  async replace(content: ChainContent, units: readonly string[]): Promise<readonly RefusedRule[]> {
    const wanted = new Map(units.map((unit) => [unit, content.units.get(unit) ?? []]));
    try {
      await this.#nft.apply(nftScript(...replacement(content, wanted)));
      return [];
    } catch (error) {
      const refused: RefusedRule[] = [];
      const accepted = await this.#accepted({ ...content, units: wanted }, refused);
      if (refused.length === 0) throw error;
      await this.#nft.apply(nftScript(...replacement(content, accepted)));
      return refused;
    }
  }

  /** Takes away the jump and our chains. Rejects with NftError. */
  async remove(table: NftTable, chain: string): Promise<void> {
    const ours = await this.#ownChains(table, chain);
    const jumps = this.#jumps(table, chain, unitsChain(chain)) ?? [];
    await this.#nft.apply(
      nftScript(
        ...jumps.map((handle): NftOperation => ({ op: 'delete-rule', table, chain, handle })),
        ...ours.map((own): NftOperation => ({ op: 'flush-chain', table, chain: own })),
        ...ours.map((own): NftOperation => ({ op: 'delete-chain', table, chain: own })),
      ),
    );
  }

  /** Which rules nft takes: all at once in its check mode, and one by one only where that fails. */
  async #accepted(content: ChainContent, refused: RefusedRule[]): Promise<ReadonlyMap<string, readonly LivingRule[]>> {
    const all = [...content.units].flatMap(([unit, rules]) => rules.map((rule) => ({ unit, rule })));
    const accepted = await this.#sift(content, all, refused);
    const units = new Map([...content.units.keys()].map((unit) => [unit, [] as LivingRule[]]));
    for (const { unit, rule } of accepted) units.get(unit)?.push(rule);
    return units;
  }

  /** Halves what is refused until the culprits stand alone: 10 000 rules with one bad one take some 14 checks, not 10 000. */
  async #sift(content: ChainContent, rules: readonly UnitAndRule[], refused: RefusedRule[]): Promise<UnitAndRule[]> {
    if (rules.length === 0) return [];
    try {
      const scratch = { ...content, units: new Map(rules.map(({ unit }) => [unit, []])) };
      await this.#nft.check(
        nftScript(...frame(scratch, []), ...rules.map(({ unit, rule }) => statement(content, unit, rule))),
      );
      return [...rules];
    } catch (error) {
      const [only, ...more] = rules;
      if (only !== undefined && more.length === 0) {
        // Below it nft shows the whole transaction.
        const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
        refused.push({ ...only, reason });
        return [];
      }
      const middle = rules.length >> 1;
      const first = await this.#sift(content, rules.slice(0, middle), refused);
      return [...first, ...(await this.#sift(content, rules.slice(middle), refused))];
    }
  }

  /** Our chains beside this one that no unit of the content needs: a file that was edited, an earlier run. */
  async #leftOver(content: ChainContent): Promise<readonly string[]> {
    const needed = new Set([...content.units.keys()].map((unit) => unitChain(content.chain, unit)));
    needed.add(unitsChain(content.chain));
    return (await this.#ownChains(content.table, content.chain)).filter((name) => !needed.has(name));
  }

  async #ownChains(table: NftTable, chain: string): Promise<readonly string[]> {
    const names = namesIn(await this.#nft.list(nftScript({ op: 'list-chains', family: table.family })), 'chain', table);
    const first = unitsChain(chain);
    if (!names.includes(first)) return [];
    const ours = new Set(names.filter((name) => name.startsWith(chainPrefix)));
    const behind = (this.#kernel.rules(table, first) ?? []).flatMap(({ jump }) => jump ?? []);
    return [first, ...behind.filter((name) => ours.has(name))];
  }

  /** Handles of the rules that do nothing but jump there; undefined when there is no such chain. */
  #jumps(table: NftTable, chain: string, target: string): readonly number[] | undefined {
    return this.#kernel
      .rules(table, chain)
      ?.filter((rule) => rule.jump === target)
      .map(({ handle }) => handle);
  }
}

interface UnitAndRule {
  readonly unit: string;
  readonly rule: LivingRule;
}

/** Our chains, empty but for the jumps from the one to the others. */
function frame({ table, chain, units }: ChainContent, left: readonly string[]): readonly NftOperation[] {
  const first = unitsChain(chain);
  return [
    { op: 'add-plain-chain', table, chain: first, comment: `rules of units for the chain ${chain}` },
    { op: 'flush-chain', table, chain: first },
    ...left.map((own): NftOperation => ({ op: 'flush-chain', table, chain: own })),
    ...left.map((own): NftOperation => ({ op: 'delete-chain', table, chain: own })),
    ...[...units.keys()].flatMap((unit): readonly NftOperation[] => {
      const own = unitChain(chain, unit);
      return [
        { op: 'add-plain-chain', table, chain: own, comment: `rules of ${unit} for the chain ${chain}` },
        { op: 'flush-chain', table, chain: own },
        { op: 'add-rule', table, chain: first, when: [], action: { kind: 'jump', chain: own } },
      ];
    }),
  ];
}

function replacement(
  content: ChainContent,
  units: ReadonlyMap<string, readonly LivingRule[]>,
): readonly NftOperation[] {
  const { table, chain } = content;
  return [...units].flatMap(([unit, rules]): readonly NftOperation[] => [
    { op: 'flush-chain', table, chain: unitChain(chain, unit) },
    ...rules.map((rule) => statement(content, unit, rule)),
  ]);
}

function statement({ table, chain }: ChainContent, unit: string, rule: LivingRule): NftOperation {
  return { op: 'add-statement', table, chain: unitChain(chain, unit), statement: rule.statement };
}

function jump({ table }: ChainContent, from: string, to: string): NftOperation {
  return { op: 'add-rule', table, chain: from, when: [], action: { kind: 'jump', chain: to } };
}
