/** Where sets live, and what the two kinds of home (own table, administrator's sets) have in common. */
import { NetstewardError } from '../../core/errors.ts';
import { addressTypeOf } from '../nft-address.ts';
import { refusalOf } from '../nft-error.ts';
import { hasTable } from '../nft-names.ts';
import { type AddressType, type NftOperation, type NftTable, nftScript, splitOperations } from '../nft-script.ts';
import type { Nft } from '../ports.ts';
import type { OnStop, SetDelta, TableKind } from './nft-agent-protocol.ts';
import { listedSet } from './nft-listed-set.ts';

export interface SetSpec {
  readonly name: string;
  readonly type: AddressType;
}

export type Contents = ReadonlyMap<string, ReadonlySet<string>>;
/** By set name; a set that holds what cannot be listed one by one is 'uncountable'. */
export type ReadContents = ReadonlyMap<string, ReadonlySet<string> | 'uncountable'>;
export type Deltas = ReadonlyMap<string, SetDelta>;

/** All methods reject with NftError or NetstewardError; `contents` names every set of the home. */
export interface SetHome {
  readonly table: NftTable;
  readonly sets: readonly SetSpec[];
  /** Undefined before the first fill of an own table. */
  readonly kind: TableKind | undefined;
  /** Why it is not a better kind. */
  readonly reason: string | undefined;
  /** Whether others can change what is in it, so that it has to be watched. */
  readonly openToOthers: boolean;
  /** Whether it can be made anew when it is not there. */
  readonly mine: boolean;
  /** Checks that it can be filled; changes nothing. */
  inspect(): Promise<void>;
  /** The whole contents in one transaction. */
  fill(contents: Contents): Promise<void>;
  change(deltas: Deltas): Promise<void>;
  read(): Promise<ReadContents>;
  /** What stays in the kernel when the agent ends. */
  release(mode: OnStop): Promise<void>;
}

/** Small enough for a socket whose send buffer cannot be forced beyond net.core.wmem_default (208 kB): IPv6 takes 36 bytes. */
const elementsInSmallMessage = 2048;

/** One transaction; several only when netlink cannot carry one that large (inside a user namespace: no SO_SNDBUFFORCE). */
export async function applyOperations(nft: Nft, operations: readonly NftOperation[]): Promise<void> {
  try {
    await nft.apply(nftScript(...operations));
  } catch (error) {
    if (refusalOf(error) !== 'too-long') throw error;
    for (const script of splitOperations(operations, elementsInSmallMessage)) await nft.apply(script);
  }
}

export function addOperations(table: NftTable, contents: Contents): readonly NftOperation[] {
  return [...contents].map(([set, addresses]) => ({ op: 'add-elements', table, set, addresses: [...addresses] }));
}

export function refillOperations(table: NftTable, contents: Contents): readonly NftOperation[] {
  const flushes = [...contents.keys()].map((set): NftOperation => ({ op: 'flush-set', table, set }));
  return [...flushes, ...addOperations(table, contents)];
}

export function deltaOperations(table: NftTable, deltas: Deltas): readonly NftOperation[] {
  return [...deltas].flatMap(([set, delta]): readonly NftOperation[] => [
    { op: 'delete-elements', table, set, addresses: delta.delete },
    { op: 'add-elements', table, set, addresses: delta.add },
  ]);
}

/** Rejects with `table-missing`, `set-missing`, `set-wrong-type` or `set-volatile`. */
export async function readSets(nft: Nft, table: NftTable, sets: readonly SetSpec[]): Promise<ReadContents> {
  const contents = new Map<string, ReadonlySet<string> | 'uncountable'>();
  for (const { name, type } of sets) {
    let listing: readonly unknown[];
    try {
      listing = await nft.list(nftScript({ op: 'list-set', table, set: name }));
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
      throw await missing(nft, table, name, type);
    }
    const found = await listedSet(listing);
    if (found === undefined) throw await missing(nft, table, name, type);
    if (found.type !== type) throw wrongType(table, name, type, found.type);
    if (found.volatile) throw volatile(table, name);
    contents.set(name, found.addresses);
  }
  return contents;
}

async function missing(nft: Nft, table: NftTable, set: string, type: AddressType): Promise<NetstewardError> {
  const where = `${table.family} ${table.name}`;
  const tables = await nft.list(nftScript({ op: 'list-tables' }));
  if (!hasTable(tables, table)) {
    return new NetstewardError('table-missing', `the ruleset has no table ${where}`, {
      remedy: `Load the ruleset that defines it, or name the right table (nft list tables); the set ${set} belongs in it.`,
    });
  }
  return new NetstewardError('set-missing', `the table ${where} has no set ${set}`, {
    remedy: `Add it to the ruleset: set ${set} { type ${type}; }`,
  });
}

function volatile({ family, name }: NftTable, set: string): NetstewardError {
  return new NetstewardError(
    'set-volatile',
    `the set ${family} ${name} ${set} has "timeout" or "flags dynamic": its elements would vanish by themselves`,
    { remedy: `Take these words away from set ${set}.` },
  );
}

function wrongType(table: NftTable, set: string, wanted: AddressType, found: string | undefined): NetstewardError {
  const where = `${table.family} ${table.name} ${set}`;
  return new NetstewardError(
    'set-wrong-type',
    `the set ${where} is of type ${found ?? 'concatenation'}, not ${wanted}`,
    {
      remedy: `Declare it as: set ${set} { type ${wanted}; }, or name another set.`,
    },
  );
}

/** Wanted contents of every set of the home. Throws `set-unknown` or `set-wrong-family`. */
export function contentsFor(
  sets: readonly SetSpec[],
  wanted: ReadonlyMap<string, Iterable<string>>,
): Map<string, Set<string>> {
  const contents = new Map(sets.map(({ name }) => [name, new Set<string>()]));
  for (const [set, addresses] of wanted) {
    const type = sets.find(({ name }) => name === set)?.type;
    const into = contents.get(set);
    if (type === undefined || into === undefined) {
      const known = sets.map(({ name }) => name).join(', ');
      throw new NetstewardError('set-unknown', `nft-agent was not configured for a set ${set} (it has: ${known})`);
    }
    for (const address of addresses) {
      if (addressTypeOf(address) !== type) {
        throw new NetstewardError(
          'set-wrong-family',
          `${address} cannot be in the set ${set}, which is of type ${type}`,
        );
      }
      into.add(address);
    }
  }
  return contents;
}

/** What turns `before` into `after`, without sets that stay; undefined when `before` cannot be counted. */
export function difference(before: ReadContents, after: Contents): Deltas | undefined {
  const deltas = new Map<string, SetDelta>();
  for (const [set, wanted] of after) {
    const found = before.get(set) ?? new Set();
    if (found === 'uncountable') return undefined;
    const add = [...wanted].filter((address) => !found.has(address));
    const surplus = [...found].filter((address) => !wanted.has(address));
    if (add.length > 0 || surplus.length > 0) deltas.set(set, { add, delete: surplus });
  }
  return deltas;
}
