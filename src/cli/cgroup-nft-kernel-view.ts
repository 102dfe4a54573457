/** What the kernel has of groups and rules that cover a cgroup, by number: nft would walk the tree for each id. */
import { unitChain, unitsChain } from '../cgroup-nft/chain-names.ts';
import type { Covering } from '../cgroup-nft/explain.ts';
import { levelOf, setName } from '../cgroup-nft/groups-table.ts';
import type { Members } from '../cgroup-nft/living.ts';
import type { UnitElement, UnitRule } from '../cgroup-nft/rule.ts';
import { ruleCounters } from '../cgroup-nft/rule-counters.ts';
import { chainKey, type Selection } from '../cgroup-nft/selection.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { NftTable } from '../system/nft-script.ts';
import type { KernelCounter, KernelSets } from '../system/unit-ports.ts';
import { counterText } from './cgroup-nft-view.ts';

/** What is asked of the kernel; nothing is changed. */
export type ReadableKernel = Pick<KernelSets, 'cgroups' | 'rules' | 'close'>;

export class KernelView {
  readonly #kernel: ReadableKernel | undefined;
  readonly #table: NftTable;
  readonly #members: Members;
  readonly #selection: Selection;
  #trouble: string | undefined;

  private constructor(
    kernel: ReadableKernel | undefined,
    table: NftTable,
    members: Members,
    selection: Selection,
    trouble?: string,
  ) {
    this.#kernel = kernel;
    this.#table = table;
    this.#members = members;
    this.#selection = selection;
    this.#trouble = trouble;
  }

  /** `members`: cgroups that the selection is about, as they live now. Never rejects for want of permission. */
  static async open(
    open: () => Promise<ReadableKernel>,
    tableName: string,
    members: Members,
    selection: Selection,
  ): Promise<KernelView> {
    const table: NftTable = { family: 'inet', name: tableName };
    try {
      return new KernelView(await open(), table, members, selection);
    } catch (error) {
      return new KernelView(undefined, table, members, selection, describeError(error));
    }
  }

  /** Why there is nothing to see. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  lines(covering: Covering): readonly string[] {
    const kernel = this.#kernel;
    if (kernel === undefined || this.#trouble !== undefined) return [];
    try {
      const id = this.#members.get(covering.path) ?? 0n;
      if (covering.kind === 'group') {
        const set = setName(covering.group, levelOf(covering.path));
        return [setLine(kernel, this.#table, set, id)];
      }
      const { statement } = covering;
      if (statement.kind === 'rule') return this.#ruleLines(kernel, statement, covering.path);
      return [setLine(kernel, tableOf(statement), statement.set, id)];
    } catch (error) {
      if (!(error instanceof NetstewardError)) throw error;
      this.#trouble = describeError(error);
      return [];
    }
  }

  close(): void {
    this.#kernel?.close();
  }

  #ruleLines(kernel: ReadableKernel, rule: UnitRule, path: string): readonly string[] {
    const table = tableOf(rule);
    const { chain, unit } = rule;
    const name = `${table.family} ${table.name} ${chain}`;
    const found = kernel.rules(table, chain);
    if (found === undefined) return [`the ruleset has no chain ${name}: the rule waits for it`];
    const own = unitChain(chain, unit);
    const leads = found.some(({ jump }) => jump === unitsChain(chain));
    const rules = leads ? kernel.rules(table, own) : undefined;
    if (rules === undefined) return [`not in force: the chain ${name} does not lead to netsteward's`];
    const all = this.#selection.chains.get(chainKey(rule))?.units.get(unit) ?? [];
    const counter = ruleCounters(all, this.#members, rules)(rule, path);
    return [
      `in the chain ${own}, which ${chain} leads to: ${rules.length} rule${rules.length === 1 ? '' : 's'} of ${unit}${counterSuffix(counter)}`,
    ];
  }
}

function tableOf({ family, table }: UnitRule | UnitElement): NftTable {
  return { family, name: table };
}

function setLine(kernel: ReadableKernel, table: NftTable, set: string, id: bigint): string {
  const name = `${table.family} ${table.name} ${set}`;
  const found = kernel.cgroups(table, set);
  if (found === undefined) return `not in force: the kernel has no set ${name}`;
  if (!found.has(id)) return `not in force: the set ${name} does not have it`;
  return `in the set ${name}${counterSuffix(found.get(id))}`;
}

function counterSuffix(counter: KernelCounter | undefined): string {
  return counter === undefined ? '' : `, ${counterText(counter)}`;
}
