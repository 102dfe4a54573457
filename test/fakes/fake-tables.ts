/** Tables of nftables in memory, and what each operation does to them: owners, references and refusals as the kernel has them. */
import { canonicalAddress } from '../../src/system/nft-address.ts';
import { NftError, type NftRefusal } from '../../src/system/nft-error.ts';
import type { NftOperation, NftTable, TableFlag } from '../../src/system/nft-script.ts';

export interface FakeElement {
  /** Of the cgroup that the key begins with. */
  readonly id: bigint | undefined;
  readonly comment: string | undefined;
}

export interface FakeSet {
  readonly type: string;
  /** Of one that packets fill: seconds that an element stays, and how many of them have passed, by key. */
  readonly lifetime?: number;
  readonly ages?: Map<string, number>;
  /** By key: a canonical address, or a cgroup's id and what follows it. */
  readonly elements: Map<string, FakeElement>;
}

export interface FakeRule {
  readonly handle: number;
  /** Cgroup ids in place of their paths. */
  readonly text: string;
  /** Where it does nothing else. */
  readonly jump: string | undefined;
}

export interface FakeChain {
  readonly comment: string | undefined;
  readonly rules: FakeRule[];
}

export interface FakeTable {
  readonly family: NftTable['family'];
  readonly name: string;
  /** Port id. */
  owner: number | undefined;
  persist: boolean;
  handles: number;
  readonly sets: Map<string, FakeSet>;
  readonly chains: Map<string, FakeChain>;
}

export type FakeTables = Map<string, FakeTable>;

export interface Touched {
  readonly tables: Set<string>;
  readonly sets: Set<string>;
}

/** What a transaction is done with. */
export interface Transaction {
  readonly tables: FakeTables;
  readonly touched: Touched;
  /** Of the socket. */
  readonly port: number;
  readonly known: ReadonlySet<TableFlag>;
  /** Id of a cgroup; undefined when there is none. */
  readonly cgroup: (path: string) => bigint | undefined;
}

export const refused = (refusal: NftRefusal, text: string): NftError => new NftError(refusal, `Error: ${text}`);
export const absent = (): NftError => refused('missing', 'No such file or directory');
export const keyOf = ({ family, name }: NftTable): string => `${family} ${name}`;

/** The table, which must be there and open to this socket. */
export function openTable({ tables, port, touched }: Transaction, table: NftTable): FakeTable {
  const found = tables.get(keyOf(table));
  if (found === undefined) throw absent();
  if (found.owner !== undefined && found.owner !== port) throw refused('not-permitted', 'Operation not permitted');
  touched.tables.add(found.name);
  return found;
}

export function perform(transaction: Transaction, operation: NftOperation): void {
  if (!('table' in operation)) throw refused('other', 'a listing is no change');
  if (operation.op === 'add-table') {
    addTable(transaction, operation.table, operation.flags ?? []);
    return;
  }
  const table = openTable(transaction, operation.table);
  if (operation.op === 'delete-table') {
    for (const set of table.sets.keys()) transaction.touched.sets.add(set);
    transaction.tables.delete(keyOf(operation.table));
  } else if ('chain' in operation) performOnChain(transaction, table, operation);
  else if (operation.op === 'add-set') {
    transaction.touched.sets.add(operation.set);
    const { type, filledByPackets: filled } = operation;
    const packets = filled === undefined ? {} : { lifetime: filled.seconds, ages: new Map<string, number>() };
    if (!table.sets.has(operation.set)) table.sets.set(operation.set, { type, ...packets, elements: new Map() });
  } else if ('set' in operation) performOnSet(transaction, table, operation);
}

function addTable({ tables, port, known, touched }: Transaction, table: NftTable, flags: readonly TableFlag[]): void {
  touched.tables.add(table.name);
  for (const flag of flags) if (!known.has(flag)) throw refused('syntax', `syntax error, unexpected ${flag}`);
  const present = tables.get(keyOf(table));
  if (present === undefined) {
    const owner = flags.includes('owner') ? port : undefined;
    const made = { ...table, owner, persist: flags.includes('persist'), handles: 0 };
    tables.set(keyOf(table), { ...made, sets: new Map(), chains: new Map() });
    return;
  }
  if (present.owner !== undefined && present.owner !== port) throw refused('not-permitted', 'Operation not permitted');
  if (flags.includes('owner') && present.owner === undefined) throw refused('unsupported', 'Operation not supported');
}

function performOnChain(
  transaction: Transaction,
  table: FakeTable,
  operation: NftOperation & { readonly chain: string },
): void {
  if (operation.op === 'add-chain' || operation.op === 'add-plain-chain') {
    const comment = operation.op === 'add-plain-chain' ? operation.comment : undefined;
    if (!table.chains.has(operation.chain)) table.chains.set(operation.chain, { comment, rules: [] });
    return;
  }
  const chain = table.chains.get(operation.chain);
  if (chain === undefined) throw absent();
  if (operation.op === 'flush-chain') chain.rules.length = 0;
  else if (operation.op === 'delete-chain') {
    const used = [...table.chains.values()].some(({ rules }) => rules.some(({ jump }) => jump === operation.chain));
    if (used) throw refused('other', 'Could not process rule: Device or resource busy');
    table.chains.delete(operation.chain);
  } else if (operation.op === 'add-rule') {
    const jump = operation.action.kind === 'jump' ? operation.action.chain : undefined;
    if (jump !== undefined && !table.chains.has(jump)) throw absent();
    addRule(table, chain, JSON.stringify([operation.when, operation.action]), jump);
  } else if (operation.op === 'add-statement') {
    addRule(table, chain, resolved(transaction, table, operation.statement), undefined);
  }
}

function addRule(table: FakeTable, chain: FakeChain, text: string, jump: string | undefined): void {
  table.handles += 1;
  chain.rules.push({ handle: table.handles, text, jump });
}

/** A statement with ids for paths. Refuses the word `dprt`, sets that are not there, and cgroups that do not exist, as nft does. */
function resolved(transaction: Transaction, table: FakeTable, statement: string): string {
  if (/\bdprt\b/.test(statement)) throw refused('syntax', 'syntax error, unexpected string');
  for (const [, set = ''] of statement.matchAll(/@(\S+)/g)) if (!table.sets.has(set)) throw absent();
  return statement.replace(/"([^"]+)"/g, (_, path: string) => `#${idOf(transaction, path)}`);
}

export function idOf({ cgroup }: Transaction, path: string): bigint {
  const id = cgroup(path);
  if (id === undefined) throw refused('missing', 'cgroupv2 path fails: No such file or directory');
  return id;
}

function performOnSet(
  transaction: Transaction,
  table: FakeTable,
  operation: NftOperation & { readonly set: string },
): void {
  const set = table.sets.get(operation.set);
  if (set === undefined) throw absent();
  transaction.touched.sets.add(operation.set);
  if (operation.op === 'flush-set') set.elements.clear();
  else if (operation.op === 'add-cgroups') {
    for (const path of operation.paths) {
      const id = idOf(transaction, path);
      if (!set.elements.has(`${id}`)) set.elements.set(`${id}`, { id, comment: undefined });
    }
  } else if (operation.op === 'add-members') {
    for (const member of operation.members) addMember(transaction, set, member);
  } else if ('addresses' in operation) {
    for (const text of operation.addresses) {
      const address = canonicalAddress(text) ?? text;
      if ((set.type === 'ipv6_addr') !== address.includes(':')) throw refused('other', 'wrong family');
      if (operation.op === 'add-elements') set.elements.set(address, { id: undefined, comment: undefined });
      else if (!set.elements.delete(address)) throw absent();
    }
  }
}

/** `"PATH" REST comment "…" : DATA`; re-adding a key succeeds and changes nothing. */
function addMember(transaction: Transaction, set: FakeSet, member: string): void {
  const match = /^"([^"]+)"(.*?)(?: comment "([^"]*)")?( : .*)?$/.exec(member);
  if (match === null || /\bdprt\b/.test(member)) throw refused('syntax', 'syntax error, unexpected string');
  const [, path = '', rest = '', comment] = match;
  const id = idOf(transaction, path);
  const key = `${id}${rest}`;
  if (!set.elements.has(key)) set.elements.set(key, { id, comment });
}
