/** The port KernelRuleset over the ruleset in memory. */
import { NftError } from '../../src/system/nft-error.ts';
import type { NftTable } from '../../src/system/nft-script.ts';
import type {
  ElementKey,
  KernelChain,
  KernelCounter,
  KernelElement,
  KernelRule,
  KernelRuleset,
  KernelSet,
  RulePlace,
} from '../../src/system/unit-ports.ts';
import type { FakeRuleset } from './fake-nft.ts';
import { absent, type FakeRule, type FakeSet, keyOf, openTable } from './fake-tables.ts';

const bytesOf = (key: string): Uint8Array => Buffer.from(key);

export class FakeKernelRuleset implements KernelRuleset {
  readonly #all: FakeRuleset;
  #port: number;
  #closed = false;

  constructor(ruleset: FakeRuleset) {
    this.#all = ruleset;
    this.#port = ruleset.open().portId ?? 0;
  }

  get portId(): number {
    return this.#port;
  }

  changeOver(portId: number | undefined): boolean {
    if (portId === undefined || !this.#ruleset.hasPort(portId)) return false;
    this.#port = portId;
    return true;
  }

  hasTable(table: NftTable): boolean {
    return this.#ruleset.tables.has(keyOf(table));
  }

  chains(): readonly KernelChain[] {
    return [...this.#ruleset.tables.values()].flatMap(({ family, name: table, chains }) =>
      [...chains].map(([name, { comment }]) => ({ table: { family, name: table }, name, comment })),
    );
  }

  sets(): readonly KernelSet[] {
    return [...this.#ruleset.tables.values()].flatMap(({ family, name: table, sets }) =>
      [...sets].map(([name, { type }]) => ({ table: { family, name: table }, name, cgroups: type === 'cgroupsv2' })),
    );
  }

  rules(table: NftTable, chain: string): readonly KernelRule[] | undefined {
    return this.#ruleset.tables.get(keyOf(table))?.chains.get(chain)?.rules.map(kernelRule);
  }

  rulesOf(table: NftTable): ReadonlyMap<string, readonly KernelRule[]> {
    const chains = [...(this.#ruleset.tables.get(keyOf(table))?.chains ?? [])];
    return new Map(
      chains.flatMap(([name, { rules }]) => (rules.length === 0 ? [] : [[name, rules.map(kernelRule)] as const])),
    );
  }

  cgroups(table: NftTable, set: string): ReadonlyMap<bigint, KernelCounter | undefined> | undefined {
    const elements = this.elements(table, set);
    return elements && new Map(elements.map(({ id, counter }) => [id, counter]));
  }

  elements(table: NftTable, set: string): readonly KernelElement[] | undefined {
    const found = this.#ruleset.tables.get(keyOf(table))?.sets.get(set);
    if (found === undefined) return undefined;
    return [...found.elements].flatMap(([key, { id, comment }]) =>
      id === undefined ? [] : [{ id, comment, key: bytesOf(key), end: undefined, counter: undefined }],
    );
  }

  addCgroups(table: NftTable, set: string, ids: readonly bigint[]): void {
    this.#change(table, set, ({ elements }) => {
      for (const id of ids) if (!elements.has(`${id}`)) elements.set(`${id}`, { id, comment: undefined });
    });
  }

  removeCgroups(table: NftTable, set: string, ids: readonly bigint[]): void {
    this.#change(table, set, ({ elements }) => {
      for (const id of ids) elements.delete(`${id}`);
    });
  }

  removeElements(table: NftTable, set: string, keys: readonly ElementKey[]): void {
    if (keys.length === 0) return;
    this.#change(table, set, ({ elements }) => {
      for (const { key } of keys) elements.delete(Buffer.from(key).toString());
    });
  }

  generation(): number {
    return this.#ruleset.generation;
  }

  removeRules(table: NftTable, rules: readonly RulePlace[], generation: number): boolean {
    if (rules.length === 0) return true;
    if (generation !== this.#ruleset.generation) return false;
    this.#ruleset.change(this.#port, (transaction) => {
      const { chains } = openTable(transaction, table);
      for (const { chain, handle } of rules) {
        const found = chains.get(chain)?.rules ?? [];
        const at = found.findIndex((rule) => rule.handle === handle);
        if (at < 0) throw absent();
        found.splice(at, 1);
      }
    });
    return true;
  }

  close(): void {
    this.#closed = true;
  }

  get #ruleset(): FakeRuleset {
    if (this.#closed) throw new NftError('died', 'the netlink socket is closed');
    return this.#all;
  }

  #change(table: NftTable, set: string, work: (set: FakeSet) => void): void {
    this.#ruleset.change(this.#port, (transaction) => {
      const found = openTable(transaction, table).sets.get(set);
      if (found === undefined) throw absent();
      transaction.touched.sets.add(set);
      work(found);
    });
  }
}

function kernelRule({ handle, jump }: FakeRule): KernelRule {
  return { handle, jump, counter: undefined };
}
