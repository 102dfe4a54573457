/** nftables in memory: interprets the operations of a script, with owners, transactions and notifications as the kernel has them. */
import { NftError } from '../../src/system/nft-error.ts';
import type { NftOperation, NftScript, NftTable, TableFlag } from '../../src/system/nft-script.ts';
import type { Nft, RulesetChange, RulesetEvents } from '../../src/system/ports.ts';
import { absent, type FakeTables, keyOf, perform, refused, type Transaction } from './fake-tables.ts';

/** One network namespace's ruleset, shared by any number of FakeNft. */
export class FakeRuleset {
  tables: FakeTables = new Map();
  /** Flags that this kernel and nft know. */
  known: ReadonlySet<TableFlag> = new Set(['owner', 'persist']);
  /** Elements that one message carries. */
  mostElements = Number.POSITIVE_INFINITY;
  /** Operations that one transaction carries. */
  mostOperations = Number.POSITIVE_INFINITY;
  /** Scripts that were applied, in order. */
  readonly applied: string[] = [];
  /** Transactions so far, whoever made them. */
  generation = 1;
  /** Set it to make the next transaction fail. */
  failNext: NftError | undefined;
  /** Id of a cgroup, for what names some by path. */
  cgroup: (path: string) => bigint | undefined = () => undefined;
  /** Called before each transaction that FakeNft makes: others may come in between. */
  before: () => void = () => {};
  readonly #watchers = new Set<(writer: number, tables: Set<string>, sets: Set<string>) => void>();
  readonly #ports = new Set<number>();
  #nextPort = 1000;

  /** Another netlink socket. */
  open(): FakeNft {
    return new FakeNft(this, this.newPort());
  }

  newPort(): number {
    this.#nextPort += 1;
    this.#ports.add(this.#nextPort);
    return this.#nextPort;
  }

  /** Whether there is a socket with this port id. */
  hasPort(port: number): boolean {
    return this.#ports.has(port);
  }

  commit(port: number, script: NftScript, dry: boolean): void {
    this.before();
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw failure;
    let elements = 0;
    const work = (transaction: Transaction): void => {
      for (const operation of script.operations) {
        if ('addresses' in operation) elements += operation.addresses.length;
        if ('paths' in operation) elements += operation.paths.length;
        if ('members' in operation) elements += operation.members.length;
        perform(transaction, operation);
      }
      if (elements > this.mostElements || script.operations.length > this.mostOperations) {
        throw refused('too-long', 'Could not process rule: Message too long');
      }
    };
    this.change(port, work, dry);
    if (!dry) this.applied.push(script.text);
  }

  /** One transaction: all of it or nothing. */
  change(port: number, work: (transaction: Transaction) => void, dry = false): void {
    const tables = structuredClone(this.tables);
    const touched = { tables: new Set<string>(), sets: new Set<string>() };
    work({ tables, touched, port, known: this.known, cgroup: (path) => this.cgroup(path) });
    if (dry) return;
    this.tables = tables;
    this.generation += 1;
    this.#notify(port, touched.tables, touched.sets);
  }

  /** `nft flush ruleset` by another process: owned tables stay. */
  flush(): void {
    const gone = [...this.tables].filter(([, table]) => table.owner === undefined);
    for (const [key] of gone) this.tables.delete(key);
    const sets = gone.flatMap(([, table]) => [...table.sets.keys()]);
    this.generation += 1;
    this.#notify(1, new Set(gone.map(([, table]) => table.name)), new Set(sets));
  }

  /** The kernel's clean-up after a closed socket. */
  release(port: number): void {
    this.#ports.delete(port);
    for (const [key, table] of this.tables) {
      if (table.owner !== port) continue;
      if (table.persist) table.owner = undefined;
      else {
        this.tables.delete(key);
        this.generation += 1;
        this.#notify(port, new Set([table.name]), new Set(table.sets.keys()));
      }
    }
  }

  elements(table: NftTable, set: string): readonly string[] {
    return [...(this.tables.get(keyOf(table))?.sets.get(set)?.elements.keys() ?? [])].sort();
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
    if (set === undefined) throw absent();
    const { family, name: table } = operation.table;
    const { lifetime, ages = new Map<string, number>() } = set;
    const keys = [...set.elements.keys()];
    const elements =
      lifetime === undefined
        ? keys
        : keys.map((val) => ({ elem: { val, expires: Math.ceil(lifetime - (ages.get(val) ?? 0)) } }));
    const elem = keys.length === 0 ? {} : { elem: elements };
    const timeout = lifetime === undefined ? {} : { flags: ['timeout'], timeout: lifetime };
    return [{ metainfo: {} }, { set: { family, table, name: operation.set, type: set.type, ...timeout, ...elem } }];
  }

  /** A packet has gone there so many seconds ago, and a rule has put it into the set: no notification comes of that. */
  packet(table: NftTable, name: string, address: string, ago: number): void {
    const set = this.tables.get(keyOf(table))?.sets.get(name);
    if (set === undefined) throw absent();
    set.elements.set(address, { id: undefined, comment: undefined });
    set.ages?.set(address, ago);
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
}

export class FakeNft implements Nft {
  kind = 'libnftables';
  portId: number | undefined;
  readonly #ruleset: FakeRuleset;
  #port: number;
  #open = true;
  readonly #lost: (() => void)[] = [];

  constructor(ruleset: FakeRuleset, port: number) {
    this.#ruleset = ruleset;
    this.#port = port;
    this.portId = port;
  }

  /** Called before each command: that of a child process takes a while. In-process there is nothing to wait for. */
  delay: (() => Promise<void>) | undefined;

  async apply(script: NftScript): Promise<void> {
    if (this.delay !== undefined) await this.delay();
    this.#mustBeOpen();
    if (!script.empty) this.#ruleset.commit(this.#port, script, false);
  }

  async check(script: NftScript): Promise<void> {
    if (this.delay !== undefined) await this.delay();
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
    this.#port = this.#ruleset.newPort();
    this.portId = this.#port;
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
