/** Brings every change into the kernel in the order of its haste: new members first, what is dead last; what fails is tried again. */
import { type Backoff, backoffDelay } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard } from '../core/warnings.ts';
import { refusalOf } from '../system/nft-error.ts';
import type { Nft, RulesetChange } from '../system/ports.ts';
import type { CgroupTree, KernelSets } from '../system/unit-ports.ts';
import { type ChainContent, ChainsSink, type RefusedRule } from './chains-sink.ts';
import { ElementsSink } from './elements-sink.ts';
import { GroupsSink } from './groups-sink.ts';
import { levelOf, setName } from './groups-table.ts';
import { livingRules } from './living.ts';
import { type ChainTarget, chainKey, type Selection, type SetTarget, setKey } from './selection.ts';
import type { MemberChanges } from './watch.ts';

/** A dead id matches nothing, ever; a short wait lets a burst of them be taken out at once, and never delays a new member. */
const deadWait = 50;
const retry: Backoff = { first: 200, most: 30_000 };

/** What nft says of a cgroup that does not exist (src/datatype.c). */
const pathFails = 'cgroupv2 path fails';

export interface ApplierOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly board: WarningBoard;
  readonly nft: Nft;
  readonly kernel: KernelSets;
  readonly tree: CgroupTree;
  /** Path to id, as they live now. */
  readonly members: () => ReadonlyMap<string, bigint>;
  /** These cgroups' elements and rules are in the kernel now. */
  readonly onApplied: (paths: Iterable<string>) => void;
}

export class Applier {
  readonly #options: ApplierOptions;
  readonly #chains: ChainsSink;
  readonly #elements: ElementsSink;
  #selection: Selection;
  #groups: GroupsSink | undefined;
  #fresh = new Map<string, Set<string>>();
  #freshPaths = new Set<string>();
  #dead = new Set<string>();
  #deadTimer: Timer | undefined;
  #deadDue = false;
  #rebuildGroups = false;
  #units = new Map<string, Set<string>>();
  #suspect = new Set<string>();
  #remake = new Set<string>();
  #flush = false;
  #sets = new Set<string>();
  #missing = new Set<string>();
  #failures = 0;
  #retryTimer: Timer | undefined;
  #work: Promise<void> | undefined;
  #stopped = false;

  constructor(options: ApplierOptions, selection: Selection, tableName: string) {
    this.#options = options;
    this.#selection = selection;
    this.#chains = new ChainsSink(options.nft, options.kernel);
    this.#elements = new ElementsSink(options.nft, options.kernel);
    this.#groups = this.#groupsSink(tableName);
  }

  get groups(): GroupsSink | undefined {
    return this.#groups;
  }

  /** Chains and sets that the ruleset does not have. */
  get missing(): ReadonlySet<string> {
    return this.#missing;
  }

  /** Everything from the beginning. Rejects with what was refused; what waits for a missing chain or cgroup is no failure. */
  async first(flush: boolean): Promise<void> {
    this.#everything(flush);
    await this.#step();
  }

  /** Other groups and rules. What is no longer wanted goes. Rejects as first(), the old ones then being partly in force. */
  async select(selection: Selection, tableName: string, flush: boolean): Promise<void> {
    await this.#work;
    const before = this.#selection;
    const groups = this.#groups;
    this.#selection = selection;
    if (groups?.table.name !== tableName) await groups?.release('flush');
    this.#groups = this.#groupsSink(tableName, groups);
    if (this.#groups === undefined) await groups?.release('flush');
    for (const [key, { table, chain }] of before.chains) {
      if (!selection.chains.has(key)) await this.#chains.remove(table, chain);
    }
    for (const [key, target] of before.sets) if (!selection.sets.has(key)) await this.#elements.remove(target);
    await this.first(flush);
  }

  /** Applies all again, as after a reload of the ruleset. */
  again(flush: boolean): void {
    this.#everything(flush);
    this.#go();
  }

  cgroups({ appeared, gone }: MemberChanges): void {
    for (const { path } of gone) {
      const { groups, statements } = this.#selection.touchedBy(path);
      for (const group of groups) this.#dead.add(setName(group, levelOf(path)));
      for (const statement of statements) {
        if (statement.kind === 'rule') this.#touchUnit(chainKey(statement), statement.unit);
        else this.#sets.add(setKey(statement));
      }
      this.#freshPaths.delete(path);
      for (const group of groups) this.#fresh.get(group)?.delete(path);
    }
    for (const { path } of appeared) {
      const { groups, statements } = this.#selection.touchedBy(path);
      for (const group of groups) this.#fresh.set(group, (this.#fresh.get(group) ?? new Set()).add(path));
      for (const statement of statements) {
        if (statement.kind === 'rule') this.#touchUnit(chainKey(statement), statement.unit);
        else this.#sets.add(setKey(statement));
      }
      this.#freshPaths.add(path);
    }
    if (this.#dead.size > 0 && !this.#deadDue) {
      this.#deadTimer ??= this.#options.clock.after(deadWait, () => {
        this.#deadTimer = undefined;
        this.#deadDue = true;
        this.#go();
      });
    }
    this.#go();
  }

  /** A job of this trigger unit was done or begins: its rules are resolved anew. */
  unit(unit: string): void {
    for (const [key, target] of this.#selection.chains) if (target.units.has(unit)) this.#touchUnit(key, unit);
    for (const [key, { elements }] of this.#selection.sets) {
      if (elements.some((element) => element.unit === unit)) this.#sets.add(key);
    }
    this.#go();
  }

  /** Others have changed the ruleset. */
  ruleset({ tables, sets }: RulesetChange): void {
    const touched = (table: string): boolean => tables === '*' || tables.has(table);
    if (this.#groups?.openToOthers === true && touched(this.#groups.table.name)) this.#rebuildGroups = true;
    for (const [key, { table }] of this.#selection.chains) if (touched(table.name)) this.#suspect.add(key);
    for (const [key, { table, set }] of this.#selection.sets) {
      if (touched(table.name) && (sets === '*' || sets.size === 0 || sets.has(set))) this.#sets.add(key);
    }
    this.#go();
  }

  /** The socket is gone and the own table with it. */
  lost(): void {
    this.#everything(false);
    this.#go();
  }

  /** Resolves when nothing is under way any more. */
  async stop(mode: 'keep' | 'flush'): Promise<void> {
    this.#stopped = true;
    this.#deadTimer?.cancel();
    this.#retryTimer?.cancel();
    await this.#work;
    await this.#groups?.release(mode);
    if (mode === 'keep') return;
    for (const { table, chain } of this.#selection.chains.values()) await this.#chains.remove(table, chain);
    for (const target of this.#selection.sets.values()) await this.#elements.remove(target);
  }

  #groupsSink(tableName: string, before?: GroupsSink): GroupsSink | undefined {
    const { groups } = this.#selection;
    if (groups.length === 0) return undefined;
    const { nft, tree } = this.#options;
    if (before?.table.name === tableName) {
      before.configure(groups);
      return before;
    }
    return new GroupsSink(nft, tableName, groups, (path) => tree.id(path) !== undefined);
  }

  #everything(flush: boolean): void {
    this.#rebuildGroups = this.#groups !== undefined;
    this.#remake = new Set(this.#selection.chains.keys());
    this.#sets = new Set(this.#selection.sets.keys());
    this.#flush ||= flush;
    for (const path of this.#options.members().keys()) this.#freshPaths.add(path);
  }

  #touchUnit(key: string, unit: string): void {
    this.#units.set(key, (this.#units.get(key) ?? new Set()).add(unit));
  }

  #go(): void {
    if (this.#stopped || this.#work !== undefined) return;
    // Synchronous up to the first transaction: in-process, a new member is in the kernel before anything else runs.
    this.#work = this.#run().finally(() => {
      this.#work = undefined;
      if (this.#waiting()) this.#go();
    });
  }

  #waiting(): boolean {
    if (this.#stopped || this.#retryTimer !== undefined) return false;
    const urgent = this.#fresh.size + this.#units.size + this.#suspect.size + this.#remake.size + this.#sets.size;
    return urgent > 0 || this.#rebuildGroups || (this.#deadDue && this.#dead.size > 0);
  }

  async #run(): Promise<void> {
    const { board, clock } = this.#options;
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    try {
      while (!this.#stopped && this.#waiting()) await this.#step();
      this.#failures = 0;
      board.clear('units-not-applied', '');
    } catch (error) {
      // Whatever it was, the next try makes all anew.
      this.#everything(false);
      this.#failures += 1;
      board.raise('units-not-applied', '', { reason: describeError(error) });
      this.#retryTimer = clock.after(backoffDelay(this.#failures, retry), () => {
        this.#retryTimer = undefined;
        this.#go();
      });
    }
  }

  async #step(): Promise<void> {
    const paths = this.#freshPaths;
    this.#freshPaths = new Set();
    await this.#applyGroups();
    await this.#applyUnits();
    await this.#applyChains();
    await this.#applySets();
    if (paths.size > 0) this.#options.onApplied(paths);
    await this.#applyDead();
  }

  async #applyGroups(): Promise<void> {
    const groups = this.#groups;
    const fresh = this.#fresh;
    this.#fresh = new Map();
    if (groups === undefined) return;
    if (this.#rebuildGroups) {
      this.#rebuildGroups = false;
      this.#dead.clear();
      return groups.make(this.#groupMembers());
    }
    if (fresh.size === 0) return;
    try {
      await groups.add(fresh);
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
      await groups.make(this.#groupMembers());
    }
  }

  async #applyDead(): Promise<void> {
    if (!this.#deadDue) return;
    const dead = this.#dead;
    this.#dead = new Set();
    this.#deadDue = false;
    if (dead.size > 0) await this.#groups?.refill(this.#groupMembers(), dead);
  }

  #groupMembers(): ReadonlyMap<string, ReadonlySet<string>> {
    const members = new Map(this.#selection.groups.map(({ name }) => [name, new Set<string>()]));
    for (const path of this.#options.members().keys()) {
      for (const group of this.#selection.groupsOf(path)) members.get(group)?.add(path);
    }
    return members;
  }

  async #applyUnits(): Promise<void> {
    const units = this.#units;
    this.#units = new Map();
    for (const [key, names] of units) {
      const target = this.#selection.chains.get(key);
      if (target === undefined || this.#remake.has(key) || this.#missing.has(key)) continue;
      try {
        this.#tellRefused(target, await this.#chains.replace(this.#content(target, names), [...names]), names);
      } catch (error) {
        if (refusalOf(error) !== 'missing') throw error;
        // Others have taken our chains away; the notification of it may come later.
        this.#remake.add(key);
      }
    }
  }

  async #applyChains(): Promise<void> {
    const [suspect, remake, flush] = [this.#suspect, this.#remake, this.#flush];
    [this.#suspect, this.#remake, this.#flush] = [new Set(), new Set(), false];
    for (const key of new Set([...remake, ...suspect])) {
      const target = this.#selection.chains.get(key);
      if (target === undefined) continue;
      const content = this.#content(target, target.units.keys());
      if (!remake.has(key) && (await this.#chains.stands(content))) continue;
      const outcome = await this.#chains.make(content, flush);
      const [name] = [`${target.table.family} ${target.table.name} ${target.chain}`];
      if (outcome.kind === 'missing-chain') {
        this.#missing.add(key);
        this.#options.board.raise('unit-chain-missing', key, { chain: name, units: String(target.units.size) });
        continue;
      }
      this.#missing.delete(key);
      this.#options.board.clear('unit-chain-missing', key);
      this.#options.log.debug('unit-rules-applied', { chain: name, units: target.units.size });
      this.#tellRefused(target, outcome.refused, target.units.keys());
    }
  }

  #content({ table, chain, units }: ChainTarget, names: Iterable<string>): ChainContent {
    const members = this.#options.members();
    const living = new Map([...names].map((unit) => [unit, livingRules(units.get(unit) ?? [], members)]));
    return { table, chain, units: living };
  }

  async #applySets(): Promise<void> {
    const sets = this.#sets;
    this.#sets = new Set();
    for (const key of sets) {
      const target = this.#selection.sets.get(key);
      if (target === undefined) continue;
      const found = await this.#held(target);
      if (found === undefined) continue;
      if (found) {
        this.#missing.delete(key);
        this.#options.board.clear('unit-chain-missing', key);
      } else {
        this.#missing.add(key);
        const units = String(new Set(target.elements.map(({ unit }) => unit)).size);
        this.#options.board.raise('unit-chain-missing', key, { chain: `set ${key}`, units });
      }
    }
  }

  /** Whether there is such a set; undefined when one of the cgroups was gone: the notification of it brings us back here. */
  async #held(target: SetTarget): Promise<boolean | undefined> {
    try {
      return await this.#elements.hold(target, this.#options.members());
    } catch (error) {
      if (describeError(error).includes(pathFails)) return undefined;
      throw error;
    }
  }

  #tellRefused(target: ChainTarget, refused: readonly RefusedRule[], units: Iterable<string>): void {
    const { board, log } = this.#options;
    const bad = new Map<string, RefusedRule>();
    for (const one of refused) {
      // A cgroup that was there a moment ago: no fault of the rule (contracts/cgroup-nft.md, "Actions").
      if (one.reason.includes(pathFails))
        log.debug('unit-rule-without-cgroup', { unit: one.unit, rule: one.rule.origin });
      else bad.set(one.unit, one);
    }
    for (const unit of units) {
      const subject = `${target.key} ${unit}`;
      const one = bad.get(unit);
      if (one === undefined) board.clear('unit-rule-refused', subject);
      else
        board.raise('unit-rule-refused', subject, {
          unit,
          rule: `${one.rule.origin}: ${one.rule.statement}`,
          reason: one.reason,
        });
    }
  }
}
