/** Which cgroups count, and for what: the groups of the configuration and the rules of its files, by path (pure). */
import type { NftTable } from '../system/nft-script.ts';
import type { GroupConfig } from './config.ts';
import { compilePattern, compileUnitPattern, PatternIndex } from './glob.ts';
import { NameGlob, nameGlobProblem } from './name-glob.ts';
import type { UnitElement, UnitRule, UnitStatement } from './rule.ts';
import type { Interest } from './watch.ts';

/** A chain of the administrator and the rules that units have for it, in the order of the files. */
export interface ChainTarget {
  readonly key: string;
  readonly table: NftTable;
  readonly chain: string;
  readonly units: ReadonlyMap<string, readonly UnitRule[]>;
}

/** A set of the administrator and the elements that units have for it. */
export interface SetTarget {
  readonly key: string;
  readonly table: NftTable;
  readonly set: string;
  readonly elements: readonly UnitElement[];
}

/** What a change of one cgroup touches. */
export interface Touched {
  readonly groups: readonly string[];
  readonly statements: readonly UnitStatement[];
}

export class Selection {
  readonly groups: readonly GroupConfig[];
  readonly chains: ReadonlyMap<string, ChainTarget>;
  readonly sets: ReadonlyMap<string, SetTarget>;
  readonly statements: readonly UnitStatement[];
  readonly #index: PatternIndex<string | UnitStatement>;
  /** Trigger units as they are written, and those among them that are globs. */
  readonly #triggers: ReadonlySet<string>;
  readonly #triggerGlobs: readonly NameGlob[];

  constructor(groups: readonly GroupConfig[], statements: readonly UnitStatement[]) {
    this.groups = groups;
    this.statements = statements;
    this.chains = chainTargets(statements);
    this.sets = setTargets(statements);
    const ofGroups = groups.flatMap(({ name, units }) =>
      units.map((unit) => [compileUnitPattern(unit), name] as const),
    );
    const ofStatements = statements.flatMap((statement) =>
      statement.cgroups.map(({ path }) => [compilePattern(path), statement] as const),
    );
    this.#index = new PatternIndex<string | UnitStatement>([...ofGroups, ...ofStatements]);
    this.#triggers = new Set(statements.map(({ unit }) => unit));
    this.#triggerGlobs = [...this.#triggers]
      .filter((unit) => nameGlobProblem(unit) === undefined)
      .map((unit) => new NameGlob(unit))
      .filter(({ literal }) => !literal);
  }

  /** Trigger units, as they are written in the files, that this unit is or matches. */
  triggersOf(unit: string): readonly string[] {
    const globs = this.#triggerGlobs.filter((glob) => glob.matches(unit)).map(({ text }) => text);
    return this.#triggers.has(unit) ? [unit, ...globs.filter((text) => text !== unit)] : globs;
  }

  readonly interest: Interest = (path) => this.#index.at(path);

  touchedBy(path: string): Touched {
    const { values } = this.#index.at(path);
    return {
      groups: values.filter((value) => typeof value === 'string'),
      statements: values.filter((value) => typeof value !== 'string'),
    };
  }

  groupsOf(path: string): readonly string[] {
    return this.touchedBy(path).groups;
  }
}

function chainTargets(statements: readonly UnitStatement[]): ReadonlyMap<string, ChainTarget> {
  const targets = new Map<string, { key: string; table: NftTable; chain: string; units: Map<string, UnitRule[]> }>();
  for (const statement of statements) {
    if (statement.kind !== 'rule') continue;
    const key = chainKey(statement);
    const { family, chain } = statement;
    const target = targets.get(key) ?? { key, table: { family, name: statement.table }, chain, units: new Map() };
    push(target.units, statement.unit, statement);
    targets.set(key, target);
  }
  return targets;
}

function setTargets(statements: readonly UnitStatement[]): ReadonlyMap<string, SetTarget> {
  const targets = new Map<string, { key: string; table: NftTable; set: string; elements: UnitElement[] }>();
  for (const statement of statements) {
    if (statement.kind !== 'element') continue;
    const key = setKey(statement);
    const { family, set } = statement;
    const target = targets.get(key) ?? { key, table: { family, name: statement.table }, set, elements: [] };
    target.elements.push(statement);
    targets.set(key, target);
  }
  return targets;
}

export function chainKey({ family, table, chain }: UnitRule): string {
  return `${family} ${table} ${chain}`;
}

export function setKey({ family, table, set }: UnitElement): string {
  return `${family} ${table} ${set}`;
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
