/** nftables in memory: interprets the operations of a script, with owners, transactions and notifications as the kernel has them. */
import { canonicalAddress } from '../../src/system/nft-address.ts';
import { NftError, type NftRefusal } from '../../src/system/nft-error.ts';
import type { NftOperation, NftScript, NftTable, TableFlag } from '../../src/system/nft-script.ts';
import type { Nft, RulesetChange, RulesetEvents } from '../../src/system/ports.ts';

interface FakeSet {
  readonly type: string;
  readonly elements: Set<string>;
}

interface FakeTable {
  readonly family: string;
  readonly name: string;
  /** Port id. */
  owner: number | undefined;
  persist: boolean;
  readonly sets: Map<string, FakeSet>;
  readonly chains: Map<string, string[]>;
}

const refused = (refusal: NftRefusal, text: string): NftError => new NftError(refusal, `Error: ${text}`);
const keyOf = ({ family, name }: NftTable): string => `${family} ${name}`;

/** One network namespace's ruleset, shared by any number of FakeNft. */
export class FakeRuleset {
  tables = new Map<string, FakeTable>();
  /** Flags that this kernel and nft know. */
  known: ReadonlySet<TableFlag> = new Set(['owner', 'persist']);
  /** Elements that one message carries. */
  mostElements = Number.POSITIVE_INFINITY;
  /** Scripts that were applied, in order. */
  readonly applied: string[] = [];
  /** Set it to make the next transaction fail. */
  failNext: NftError | undefined;
  readonly #watchers = new Set<(writer: number, tables: Set<string>, sets: Set<string>) => void>();
  #nextPort = 1000;

  /** Another netlink socket. */
  open(): FakeNft {
    this.#nextPort += 1;
    return new FakeNft(this, this.#nextPort);
  }

  commit(port: number, script: NftScript, dry: boolean): void {
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw failure;
    const tables = structuredClone(this.tables);
    const touched = { tables: new Set<string>(), sets: new Set<string>() };
    let elements = 0;
    for (const operation of script.operations) {
      if ('addresses' in operation) elements += operation.addresses.length;
      this.#perform(tables, port, operation, touched);
    }
    if (elements > this.mostElements) throw refused('too-long', 'Could not process rule: Message too long');
    if (dry) return;
    this.tables = tables;
    this.applied.push(script.text);
    this.#notify(port, touched.tables, touched.sets);
  }

  /** `nft flush ruleset` by another process: owned tables stay. */
  flush(): void {
    const gone = [...this.tables].filter(([, table]) => table.owner === undefined);
    for (const [key] of gone) this.tables.delete(key);
    const sets = gone.flatMap(([, table]) => [...table.sets.keys()]);
    this.#notify(1, new Set(gone.map(([, table]) => table.name)), new Set(sets));
  }

  /** The kernel's clean-up after a closed socket. */
  release(port: number): void {
    for (const [key, table] of this.tables) {
      if (table.owner !== port) continue;
      if (table.persist) table.owner = undefined;
      else {
        this.tables.delete(key);
        this.#notify(port, new Set([table.name]), new Set(table.sets.keys()));
      }
    }
  }

  elements(table: NftTable, set: string): readonly string[] {
    return [...(this.tables.get(keyOf(table))?.sets.get(set)?.elements ?? [])].sort();
  }

  listing(operation: NftOperation): readonly unknown[] {
    if (operation.op === 'list-tables') {
      return [...this.tables.values()].map(({ family, name }) => ({ table: { family, name } }));
    }
    if (operation.op === 'list-chains' || operation.op === 'list-sets') {
      const kind = operation.op === 'list-chains' ? 'chain' : 'set';
      return [...this.tables.values()]
        .filter(({ family }) => family === operation.family)
        .flatMap(({ family, name: table, chains, sets }) =>
          [...(kind === 'chain' ? chains : sets).keys()].map((name) => ({ [kind]: { family, table, name } })),
        );
    }
    if (operation.op !== 'list-set') throw refused('other', `not a listing this fake knows: ${operation.op}`);
    const set = this.tables.get(keyOf(operation.table))?.sets.get(operation.set);
    if (set === undefined) throw refused('missing', 'No such file or directory');
    const { family, name: table } = operation.table;
    const elem = set.elements.size === 0 ? {} : { elem: [...set.elements] };
    return [{ metainfo: {} }, { set: { family, table, name: operation.set, type: set.type, ...elem } }];
  }

  events(): RulesetEvents {
    return {
      watch: (ignore, onChange) => {
        const told = (writer: number, tables: Set<string>, sets: Set<string>): void => {
          if (ignore().has(writer)) return;
          const change: RulesetChange = { portIds: new Set([writer]), tables, sets };
          setImmediate(() => this.#watchers.has(told) && onChange(change));
        };
        this.#watchers.add(told);
        return {
          close: async () => {
            this.#watchers.delete(told);
          },
        };
      },
    };
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  #notify(writer: number, tables: Set<string>, sets: Set<string>): void {
    if (tables.size > 0) for (const told of this.#watchers) told(writer, tables, sets);
  }

  #perform(
    tables: Map<string, FakeTable>,
    port: number,
    operation: NftOperation,
    touched: { tables: Set<string>; sets: Set<string> },
  ): void {
    if (!('table' in operation)) throw refused('other', 'a listing is no change');
    const key = keyOf(operation.table);
    if (operation.op === 'add-table') {
      this.#addTable(tables, port, operation.table, operation.flags ?? []);
      touched.tables.add(operation.table.name);
      return;
    }
    const table = tables.get(key);
    if (table === undefined) throw refused('missing', 'No such file or directory');
    if (table.owner !== undefined && table.owner !== port) throw refused('not-permitted', 'Operation not permitted');
    touched.tables.add(table.name);
    if (operation.op === 'delete-table') {
      for (const set of table.sets.keys()) touched.sets.add(set);
      tables.delete(key);
    } else if (operation.op === 'add-chain') table.chains.set(operation.chain, []);
    else if (operation.op === 'add-rule') {
      const rules = table.chains.get(operation.chain);
      if (rules === undefined) throw refused('missing', 'No such file or directory');
      rules.push(JSON.stringify([operation.when, operation.action]));
    } else if (operation.op === 'add-set') {
      touched.sets.add(operation.set);
      if (!table.sets.has(operation.set)) table.sets.set(operation.set, { type: operation.type, elements: new Set() });
    } else if ('set' in operation) this.#performOnSet(table, operation, touched.sets);
  }

  #performOnSet(table: FakeTable, operation: NftOperation & { readonly set: string }, touched: Set<string>): void {
    const set = table.sets.get(operation.set);
    if (set === undefined) throw refused('missing', 'No such file or directory');
    touched.add(operation.set);
    if (operation.op === 'flush-set') set.elements.clear();
    if (!('addresses' in operation)) return;
    for (const text of operation.addresses) {
      const address = canonicalAddress(text) ?? text;
      if ((set.type === 'ipv6_addr') !== address.includes(':')) throw refused('other', 'wrong family');
      if (operation.op === 'add-elements') set.elements.add(address);
      else if (!set.elements.delete(address)) throw refused('missing', 'No such file or directory');
    }
  }

  #addTable(tables: Map<string, FakeTable>, port: number, table: NftTable, flags: readonly TableFlag[]): void {
    for (const flag of flags) if (!this.known.has(flag)) throw refused('syntax', `syntax error, unexpected ${flag}`);
    const present = tables.get(keyOf(table));
    if (present === undefined) {
      const owner = flags.includes('owner') ? port : undefined;
      const persist = flags.includes('persist');
      tables.set(keyOf(table), { ...table, owner, persist, sets: new Map(), chains: new Map() });
      return;
    }
    if (present.owner !== undefined && present.owner !== port)
      throw refused('not-permitted', 'Operation not permitted');
    if (flags.includes('owner') && present.owner === undefined) throw refused('unsupported', 'Operation not supported');
  }
}

export class FakeNft implements Nft {
  kind = 'libnftables';
  portId: number | undefined;
  readonly #ruleset: FakeRuleset;
  readonly #port: number;
  #open = true;
  readonly #lost: (() => void)[] = [];

  constructor(ruleset: FakeRuleset, port: number) {
    this.#ruleset = ruleset;
    this.#port = port;
    this.portId = port;
  }

  async apply(script: NftScript): Promise<void> {
    this.#mustBeOpen();
    if (!script.empty) this.#ruleset.commit(this.#port, script, false);
  }

  async check(script: NftScript): Promise<void> {
    this.#mustBeOpen();
    this.#ruleset.commit(this.#port, script, true);
  }

  async list(script: NftScript): Promise<readonly unknown[]> {
    this.#mustBeOpen();
    return script.operations.flatMap((operation) => this.#ruleset.listing(operation));
  }

  onLost(listener: () => void): void {
    this.#lost.push(listener);
  }

  /** As if the child died and another one took its place at the next call. */
  die(): void {
    this.#ruleset.release(this.#port);
    for (const listener of this.#lost) listener();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#ruleset.release(this.#port);
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new NftError('died', 'the nft context is closed');
  }
}
