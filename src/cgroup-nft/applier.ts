/** Sends each change to the keepers of the parts of the ruleset that it touches: groups first, then chains, then sets. */
import { NetstewardError } from '../core/errors.ts';
import { isCgroupPath } from '../system/nft-script.ts';
import type { RulesetChange } from '../system/ports.ts';
import { ChainKeeper } from './chain-keeper.ts';
import { ElementsKeeper } from './elements-keeper.ts';
import { GroupsKeeper } from './groups-keeper.ts';
import type { GroupsSink } from './groups-sink.ts';
import { type KeeperOptions, type KeeperState, retry, tellFailure } from './keeper.ts';
import { type InUse, removeLeftovers } from './leftovers.ts';
import { markedGroup } from './marked-group.ts';
import { chainKey, type Selection, setKey } from './selection.ts';
import type { MemberChanges } from './watch.ts';
import { WorkLoop } from './work-loop.ts';

export interface ApplierOptions extends Omit<KeeperOptions, 'onQuiet'> {
  /** These cgroups' elements and rules are in the kernel now. */
  readonly onApplied: (paths: Iterable<string>) => void;
}

/** Members that are looked at for a rehearsal. */
const mostRehearsed = 100;

const nothing: InUse = { chains: new Map(), sets: new Map() };

export class Applier {
  readonly #options: ApplierOptions;
  readonly #keeperOptions: KeeperOptions;
  readonly #leftovers: WorkLoop;
  #leftoversDue = false;
  /** Their tables have to go. */
  #retired: readonly GroupsKeeper[] = [];
  #selection: Selection;
  #tableName: string;
  #groups: GroupsKeeper | undefined;
  #chains = new Map<string, ChainKeeper>();
  #sets = new Map<string, ElementsKeeper>();
  /** Members that are not told as applied yet: their keepers are at work. */
  readonly #fresh = new Set<string>();
  /** Their keepers wait for something, until what they wait for is another. */
  readonly #held = new Set<string>();
  #troubles = '';
  #stopped = false;

  constructor(options: ApplierOptions, selection: Selection, tableName: string) {
    this.#options = options;
    this.#selection = selection;
    this.#tableName = tableName;
    this.#keeperOptions = { ...options, onQuiet: () => this.#tellApplied() };
    this.#leftovers = new WorkLoop({
      clock: options.clock,
      retry,
      due: () => this.#leftoversDue,
      step: () => this.#removeLeftovers(),
      onFailed: (error) => {
        this.#leftoversDue = true;
        tellFailure(this.#keeperOptions, 'leftovers', error);
      },
      onQuiet: () => options.board.clear('units-not-applied', 'leftovers'),
    });
    this.#adopt(selection, tableName, false);
  }

  get groups(): GroupsSink | undefined {
    return this.#groups?.sink;
  }

  /**
   * Everything from the beginning. Rejects with what was refused; what waits for a missing chain or cgroup is no failure, but
   * with `flush` (`unit-chain-missing`).
   */
  async first(flush: boolean): Promise<void> {
    if (flush) this.#mustExist();
    for (const path of this.#options.members().keys()) this.#fresh.add(path);
    this.#groups?.remake();
    for (const keeper of this.#chains.values()) keeper.remake(flush);
    for (const keeper of this.#sets.values()) keeper.remake();
    await this.#finish();
  }

  /**
   * Takes the way of a new member once with one that is in force, which changes nothing: what has never run takes milliseconds
   * at its first time, and a unit may start as soon as the module is ready. Chains have had theirs filled in first() already.
   */
  rehearse(): void {
    const done = new Set<GroupsKeeper | ElementsKeeper>();
    let looked = 0;
    for (const [path, id] of this.#options.members()) {
      looked += 1;
      if (looked > mostRehearsed) break;
      const { groups, statements } = this.#selection.touchedBy(path);
      const sets = statements.map((each) => (each.kind === 'element' ? this.#sets.get(setKey(each)) : undefined));
      for (const keeper of [groups.length > 0 ? this.#groups : undefined, ...sets]) {
        if (keeper === undefined || done.has(keeper) || keeper.state !== 'done') continue;
        done.add(keeper);
        keeper.appeared({ path, id });
      }
    }
    this.#wake();
  }

  /** Other groups and rules. What is no longer wanted goes. Rejects as first(), the old ones then being partly in force. */
  async select(selection: Selection, tableName: string, flush: boolean): Promise<void> {
    const before = this.#groups;
    const dropped = [...this.#chains, ...this.#sets];
    this.#selection = selection;
    this.#tableName = tableName;
    this.#adopt(selection, tableName, flush);
    for (const path of this.#options.members().keys()) this.#fresh.add(path);
    for (const [key, keeper] of dropped) {
      if (this.#chains.get(key) !== keeper && this.#sets.get(key) !== keeper) await keeper.stop();
    }
    try {
      await this.#finish();
    } catch (error) {
      if (before !== this.#groups) this.#retire(this.#groups);
      this.#groups = before;
      throw error;
    }
    if (before !== this.#groups) this.#retire(before);
    await this.#leftovers.finish().catch(() => undefined);
  }

  /** Applies all again, as after a reload of the ruleset. */
  again(flush: boolean): void {
    this.#groups?.compare();
    for (const keeper of this.#chains.values()) keeper.remake(flush);
    for (const keeper of this.#sets.values()) keeper.remake();
    // Of a reload that failed, and whose undoing failed as well, something may be there.
    this.#leftoversDue = true;
    this.#leftovers.wake();
    this.#wake();
  }

  cgroups({ appeared, gone }: MemberChanges): void {
    for (const member of gone) {
      this.#groups?.gone(member);
      for (const statement of this.#selection.touchedBy(member.path).statements) {
        if (statement.kind === 'rule') this.#chains.get(chainKey(statement))?.touch(statement.unit);
        else this.#sets.get(setKey(statement))?.gone(member);
      }
      this.#fresh.delete(member.path);
      this.#held.delete(member.path);
    }
    for (const member of appeared) {
      this.#groups?.appeared(member);
      for (const statement of this.#selection.touchedBy(member.path).statements) {
        if (statement.kind === 'rule') this.#chains.get(chainKey(statement))?.touch(statement.unit);
        else this.#sets.get(setKey(statement))?.appeared(member);
      }
      this.#fresh.add(member.path);
    }
    this.#wake();
  }

  /** A job of this unit was done or begins: rules that it triggers are resolved anew. */
  unit(unit: string): void {
    for (const trigger of this.#selection.triggersOf(unit)) {
      for (const keeper of this.#chains.values()) keeper.touch(trigger);
      for (const keeper of this.#sets.values()) keeper.touch(trigger);
    }
    this.#wake();
  }

  /** Others have changed the ruleset. */
  ruleset({ tables, sets }: RulesetChange): void {
    const touched = (table: string): boolean => tables === '*' || tables.has(table);
    if (this.#groups !== undefined && touched(this.#groups.sink.table.name)) this.#groups.suspect();
    for (const [key, { table }] of this.#selection.chains) if (touched(table.name)) this.#chains.get(key)?.suspect();
    for (const [key, { table, set }] of this.#selection.sets) {
      if (touched(table.name) && (sets === '*' || sets.size === 0 || sets.has(set))) this.#sets.get(key)?.suspect();
    }
  }

  /** The socket of `nft` is gone, and a table that belonged to it. */
  lost(): void {
    this.#groups?.remake();
    this.#groups?.wake();
    this.ruleset({ portIds: new Set(), tables: '*', sets: '*' });
  }

  /** Resolves when nothing is under way any more. Rejects with what cannot be taken away. */
  async stop(mode: 'keep' | 'flush'): Promise<void> {
    this.#stopped = true;
    await this.#leftovers.stop();
    for (const groups of this.#retired) await groups.stop('flush').catch(() => undefined);
    for (const keeper of [...this.#chains.values(), ...this.#sets.values()]) await keeper.stop();
    const groups = this.#groups?.stop(mode);
    if (mode === 'flush') await removeLeftovers(this.#options, nothing);
    await groups;
  }

  /** Keepers for this selection, of which those that there are go on. */
  #adopt(selection: Selection, tableName: string, flush: boolean): void {
    const groups = selection.groups.map(markedGroup);
    const groupsOf = (path: string): readonly string[] => this.#selection.groupsOf(path);
    if (groups.length === 0) this.#groups = undefined;
    else if (this.#groups?.sink.table.name === tableName) this.#groups.configure(groups);
    else {
      this.#groups = new GroupsKeeper(this.#keeperOptions, tableName, groups, groupsOf);
      this.#groups.remake();
    }
    const [chains, sets] = [this.#chains, this.#sets];
    this.#chains = new Map();
    this.#sets = new Map();
    for (const [key, target] of selection.chains) {
      const keeper = chains.get(key) ?? new ChainKeeper(this.#keeperOptions, target);
      keeper.configure(target, flush);
      this.#chains.set(key, keeper);
    }
    for (const [key, target] of selection.sets) {
      const keeper = sets.get(key) ?? new ElementsKeeper(this.#keeperOptions, target);
      keeper.configure(target);
      this.#sets.set(key, keeper);
    }
  }

  #mustExist(): void {
    const missing = [...this.#chains].filter(([, keeper]) => !keeper.exists()).map(([key]) => key);
    if (missing.length === 0) return;
    throw new NetstewardError('unit-chain-missing', `there is no chain ${missing.join(', nor ')} to be flushed`, {
      remedy: 'Load the ruleset that defines it before netsteward starts, or leave out --flush.',
    });
  }

  /** Does all that is due, one keeper after the other. Rejects with the first failure, after all have been tried. */
  async #finish(): Promise<void> {
    const failures: unknown[] = [];
    const keepers = [
      ...(this.#groups === undefined ? [] : [this.#groups]),
      ...this.#chains.values(),
      ...this.#sets.values(),
    ];
    for (const keeper of keepers) await keeper.finish().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    this.#leftoversDue = true;
    // Of what fails there is a warning, and another try.
    await this.#leftovers.finish().catch(() => undefined);
    this.#tellApplied();
  }

  #retire(groups: GroupsKeeper | undefined): void {
    if (groups === undefined) return;
    this.#retired = [...this.#retired, groups];
    this.#leftoversDue = true;
    this.#leftovers.wake();
  }

  async #removeLeftovers(): Promise<void> {
    this.#leftoversDue = false;
    for (const groups of this.#retired) {
      await groups.stop('flush');
      this.#retired = this.#retired.filter((each) => each !== groups);
    }
    const { chains, sets } = this.#selection;
    const unusedTable = this.#groups === undefined ? this.#tableName : undefined;
    await removeLeftovers(this.#options, { chains, sets, unusedTable });
  }

  #wake(): void {
    if (this.#stopped) return;
    this.#groups?.wake();
    for (const keeper of this.#chains.values()) keeper.wake();
    for (const keeper of this.#sets.values()) keeper.wake();
  }

  #tellApplied(): void {
    const troubles = this.#troubled();
    if (troubles !== this.#troubles) {
      this.#troubles = troubles;
      for (const path of this.#held) this.#fresh.add(path);
      this.#held.clear();
    }
    const applied: string[] = [];
    for (const path of this.#fresh) {
      const state = this.#stateOf(path);
      if (state === 'busy') continue;
      this.#fresh.delete(path);
      if (state === 'done') applied.push(path);
      else this.#held.add(path);
    }
    if (applied.length > 0) this.#options.onApplied(applied);
  }

  /** What all that names this cgroup has come to; of some that are in force and some that wait, the former count. */
  #stateOf(path: string): KeeperState {
    const { groups, statements } = this.#selection.touchedBy(path);
    // nft cannot say its name (nft-text.ts).
    if (!isCgroupPath(path)) return 'missing';
    const states = new Set<KeeperState | undefined>([
      ...groups.map(() => this.#groups?.state),
      ...statements.map((statement) =>
        statement.kind === 'rule'
          ? this.#chains.get(chainKey(statement))?.stateOf(statement.unit)
          : this.#sets.get(setKey(statement))?.state,
      ),
    ]);
    if (states.has('busy')) return 'busy';
    return states.has('done') ? 'done' : 'missing';
  }

  #troubled(): string {
    const states = [
      ['', this.#groups?.state] as const,
      ...[...this.#chains].map(([key, keeper]) => [key, keeper.trouble] as const),
      ...[...this.#sets].map(([key, keeper]) => [key, keeper.state] as const),
    ];
    return states.filter(([, state]) => state === 'failing' || state === 'missing').join('\n');
  }
}
