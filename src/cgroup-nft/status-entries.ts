/** The entries of the status: each cgroup that is meant, what means it, since when it is in force, and what was counted. */
import type { ActiveWarning } from '../core/warnings.ts';
import type { NftTable } from '../system/nft-script.ts';
import type { KernelCounter, KernelSets } from '../system/unit-ports.ts';
import { unitChain } from './chain-names.ts';
import { levelOf, setName } from './groups-table.ts';
import type { Members } from './living.ts';
import type { UnitRule, UnitStatement } from './rule.ts';
import { type CounterOf, counts, ruleCounters } from './rule-counters.ts';
import { chainKey, type Selection, setKey } from './selection.ts';
import { type EntryCounter, type MemberRecord, mostEntries, originOf, type UnitEntry } from './status.ts';

/** Chains that are read for their counters; each costs the kernel some ten microseconds. */
const mostChains = 200;

export interface EntrySource {
  readonly members: Members;
  readonly records: ReadonlyMap<string, MemberRecord>;
  readonly selection: Selection;
  readonly kernel: Pick<KernelSets, 'cgroups' | 'rules'>;
  /** The own table, where there is one. */
  readonly table: NftTable | undefined;
  readonly warnings: readonly ActiveWarning[];
}

/** The newest first. */
export function unitEntries(source: EntrySource): readonly UnitEntry[] {
  const { members, records, selection } = source;
  const since = (path: string): number => records.get(path)?.since ?? Number.POSITIVE_INFINITY;
  const newest = [...members].sort(([a], [b]) => since(b) - since(a) || (a < b ? -1 : 1));
  const counters = new Counters(source);
  const lacks = lacking(source.warnings);
  return newest.slice(0, mostEntries).map(([path, id]): UnitEntry => {
    const { groups, statements } = selection.touchedBy(path);
    const record = records.get(path);
    return {
      path,
      id: String(id),
      groups,
      rules: statements.map(originOf),
      lacking: statements.filter(lacks).map(originOf),
      since: record?.since ?? null,
      margin: record?.margin?.ms ?? null,
      counters: [
        ...groups.flatMap((group) => entryCounter(`group ${group}`, counters.ofGroup(group, path, id))),
        ...statements.flatMap((statement) => entryCounter(originOf(statement), counters.of(statement, path, id))),
      ],
    };
  });
}

function entryCounter(of: string, counter: KernelCounter | undefined): readonly EntryCounter[] {
  return counter === undefined ? [] : [{ of, packets: counter.packets, bytes: counter.bytes }];
}

/** Of what the warnings say that it is not in force: its chain or set is missing or cannot be changed, or nft refused a rule of its unit. */
function lacking(warnings: readonly ActiveWarning[]): (statement: UnitStatement) => boolean {
  const subjects = (code: ActiveWarning['code']): ReadonlySet<string> =>
    new Set(warnings.filter((warning) => warning.code === code).map(({ subject }) => subject));
  const missing = new Set([...subjects('unit-chain-missing'), ...subjects('units-not-applied')]);
  const refused = subjects('unit-rule-refused');
  return (statement) => {
    const key = statement.kind === 'rule' ? chainKey(statement) : setKey(statement);
    return missing.has(key) || refused.has(`${key} ${statement.unit}`);
  };
}

/** Each set and each chain is read once; what cannot be read counts nothing. */
class Counters {
  readonly #source: EntrySource;
  readonly #sets = new Map<string, ReadonlyMap<bigint, KernelCounter | undefined>>();
  readonly #chains = new Map<string, CounterOf>();

  constructor(source: EntrySource) {
    this.#source = source;
  }

  ofGroup(group: string, path: string, id: bigint): KernelCounter | undefined {
    const { table } = this.#source;
    return table === undefined ? undefined : this.#inSet(table, setName(group, levelOf(path)), id);
  }

  of(statement: UnitStatement, path: string, id: bigint): KernelCounter | undefined {
    if (statement.kind === 'rule') return this.#ofRule(statement, path);
    return this.#inSet({ family: statement.family, name: statement.table }, statement.set, id);
  }

  #inSet(table: NftTable, set: string, id: bigint): KernelCounter | undefined {
    const key = `${table.family} ${table.name} ${set}`;
    const known = this.#sets.get(key) ?? readable(() => this.#source.kernel.cgroups(table, set)) ?? new Map();
    this.#sets.set(key, known);
    return known.get(id);
  }

  #ofRule(rule: UnitRule, path: string): KernelCounter | undefined {
    if (!counts(rule)) return undefined;
    const { selection, members, kernel } = this.#source;
    const target = chainKey(rule);
    const key = `${target} ${rule.unit}`;
    const known = this.#chains.get(key);
    if (known !== undefined) return known(rule, path);
    if (this.#chains.size >= mostChains) return undefined;
    const table: NftTable = { family: rule.family, name: rule.table };
    const found = readable(() => kernel.rules(table, unitChain(rule.chain, rule.unit))) ?? [];
    const counter = ruleCounters(selection.chains.get(target)?.units.get(rule.unit) ?? [], members, found);
    this.#chains.set(key, counter);
    return counter(rule, path);
  }
}

/** A table of another socket's that vanishes meanwhile must not cost the whole status. */
function readable<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
