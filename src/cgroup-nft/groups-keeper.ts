/** Keeps the own table at the living members of each group: new ones go in first of all, dead ones last. */
import type { Timer } from '../core/clock.ts';
import { refusalOf } from '../system/nft-error.ts';
import { Contest } from './contest.ts';
import { type GroupMembers, GroupsSink } from './groups-sink.ts';
import { levelOf, type MarkedGroup, setName } from './groups-table.ts';
import { deadWait, type KeeperOptions, type KeeperState, retry, tellFailure } from './keeper.ts';
import type { Member } from './watch.ts';
import { WorkLoop } from './work-loop.ts';

export class GroupsKeeper {
  readonly sink: GroupsSink;
  readonly #options: KeeperOptions;
  readonly #groupsOf: (path: string) => readonly string[];
  readonly #loop: WorkLoop;
  readonly #contest: Contest;
  #remake = false;
  #suspect = false;
  /** By group: path to id. */
  #fresh = new Map<string, Map<string, bigint>>();
  /** By set. */
  #dead = new Map<string, Set<bigint>>();
  #deadDue = false;
  #deadTimer: Timer | undefined;
  /** Until then (monotonic) others' changes are not looked at. */
  #restUntil = 0;
  /** What taking out the dead last took, in milliseconds. */
  #lastRemoval = 0;

  constructor(
    options: KeeperOptions,
    tableName: string,
    groups: readonly MarkedGroup[],
    groupsOf: (path: string) => readonly string[],
  ) {
    this.#options = options;
    this.#groupsOf = groupsOf;
    const { nft, kernel, shared, tree, clock } = options;
    const exists = (path: string): boolean => tree.id(path) !== undefined;
    this.sink = new GroupsSink({ nft, kernel, shared, exists }, tableName, groups);
    this.#contest = new Contest(clock, options.board, this.#subject);
    this.#loop = new WorkLoop({
      clock,
      retry,
      due: () => this.#due(),
      dueIn: () => (this.#suspect ? this.#restUntil - options.clock.monotonic() : undefined),
      step: () => this.#step(),
      onFailed: (error) => {
        this.#remake = true;
        tellFailure(options, this.#subject, error);
        options.onQuiet();
      },
      onQuiet: () => {
        this.#contest.changed();
        options.board.clear('units-not-applied', this.#subject);
        options.onQuiet();
      },
    });
  }

  get state(): KeeperState {
    if (this.#loop.failing) return 'failing';
    return this.#loop.idle && !this.#due() ? 'done' : 'busy';
  }

  appeared({ path, id }: Member): void {
    for (const group of this.#groupsOf(path)) {
      const fresh = this.#fresh.get(group) ?? new Map<string, bigint>();
      this.#fresh.set(group, fresh.set(path, id));
    }
  }

  /** `groups`: those that it was in. */
  gone({ path, id }: Member): void {
    for (const group of this.#groupsOf(path)) this.#lost(group, path, id);
  }

  /** What appeared() and gone() were told is brought into the kernel. */
  wake(): void {
    this.#waitForDead();
    this.#loop.wake();
  }

  /** Everything anew. */
  remake(): void {
    this.#remake = true;
  }

  /** Other groups of the same table. What differs is brought in with the next wake() or finish(). */
  configure(groups: readonly MarkedGroup[]): void {
    if (JSON.stringify(groups) !== JSON.stringify(this.sink.groups)) this.#remake = true;
    this.sink.configure(groups);
    this.compare();
  }

  /** What differs between the members and what the kernel was told is due. */
  compare(): void {
    const wanted = this.#members();
    for (const [group, paths] of wanted) {
      for (const [path, id] of paths) {
        if (this.sink.held.get(setName(group, levelOf(path)))?.get(path) === id) continue;
        const fresh = this.#fresh.get(group) ?? new Map<string, bigint>();
        this.#fresh.set(group, fresh.set(path, id));
      }
    }
    for (const [set, paths] of this.sink.held) {
      for (const [path, id] of paths) {
        const lives = this.#groupsOf(path).some(
          (group) => setName(group, levelOf(path)) === set && wanted.get(group)?.get(path) === id,
        );
        if (!lives) this.#dead.set(set, (this.#dead.get(set) ?? new Set()).add(id));
      }
    }
  }

  /** Others have changed something in a table of this name. */
  suspect(): void {
    if (!this.sink.openToOthers) return;
    this.#suspect = true;
    this.#loop.wake();
  }

  /** Rejects with what is refused. */
  finish(): Promise<void> {
    if (this.#dead.size > 0) this.#deadDue = true;
    return this.#loop.finish();
  }

  /** Resolves when nothing is under way any more. */
  async stop(mode: 'keep' | 'flush'): Promise<void> {
    this.#deadTimer?.cancel();
    await this.#loop.stop();
    this.#contest.end();
    this.#options.board.clear('units-not-applied', this.#subject);
    this.#options.board.clear('table-not-owned', this.#subject);
    await this.sink.release(mode);
  }

  get #subject(): string {
    return `inet ${this.sink.table.name}`;
  }

  #lost(group: string, path: string, id: bigint): void {
    if (this.#fresh.get(group)?.get(path) === id) this.#fresh.get(group)?.delete(path);
    const set = setName(group, levelOf(path));
    if (this.sink.held.get(set)?.has(path)) this.#dead.set(set, (this.#dead.get(set) ?? new Set()).add(id));
  }

  #waitForDead(): void {
    if (this.#dead.size === 0 || this.#deadDue) return;
    this.#deadTimer ??= this.#options.clock.after(Math.max(deadWait, 20 * this.#lastRemoval), () => {
      this.#deadTimer = undefined;
      this.#deadDue = true;
      this.#loop.wake();
    });
  }

  #due(): boolean {
    return this.#remake || this.#fresh.size > 0 || this.#mayLook() || (this.#deadDue && this.#dead.size > 0);
  }

  #mayLook(): boolean {
    return this.#suspect && this.#options.clock.monotonic() >= this.#restUntil;
  }

  #step(): Promise<void> {
    if (this.#remake) return this.#makeAll();
    if (this.#fresh.size > 0) return this.#add();
    if (this.#mayLook()) return this.#look();
    return this.#removeDead();
  }

  async #makeAll(): Promise<void> {
    this.#remake = false;
    this.#suspect = false;
    this.#fresh.clear();
    this.#dead.clear();
    this.#deadDue = false;
    await this.sink.make(this.#members());
    this.#tellKind();
    // What came and went meanwhile.
    this.compare();
    this.#waitForDead();
  }

  #tellKind(): void {
    const { board } = this.#options;
    const { openToOthers, reason = '' } = this.sink;
    if (openToOthers) board.raise('table-not-owned', this.#subject, { table: this.#subject, reason });
    else board.clear('table-not-owned', this.#subject);
  }

  async #add(): Promise<void> {
    const fresh = this.#fresh;
    this.#fresh = new Map();
    try {
      await this.sink.add(fresh);
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
      // Others have taken the table away; the notification of it may come later.
      this.#remake = true;
      return;
    }
    // Some may be gone meanwhile, or of other groups.
    const members = this.#options.members();
    for (const [group, paths] of fresh) {
      for (const [path, id] of paths) {
        if (members.get(path) !== id || !this.#groupsOf(path).includes(group)) this.#lost(group, path, id);
      }
    }
    this.#waitForDead();
  }

  async #look(): Promise<void> {
    const { clock } = this.#options;
    this.#suspect = false;
    const began = clock.monotonic();
    const differs = !this.sink.stands();
    if (differs) await this.#makeAll();
    const ended = clock.monotonic();
    this.#restUntil = ended + this.#contest.looked(differs, ended - began);
  }

  async #removeDead(): Promise<void> {
    const { clock } = this.#options;
    const dead = this.#dead;
    this.#dead = new Map();
    this.#deadDue = false;
    const began = clock.monotonic();
    await this.sink.remove(dead, () => this.#members());
    this.#lastRemoval = clock.monotonic() - began;
  }

  #members(): GroupMembers {
    const members = new Map(this.sink.groups.map(({ name }) => [name, new Map<string, bigint>()]));
    for (const [path, id] of this.#options.members()) {
      for (const group of this.#groupsOf(path)) members.get(group)?.set(path, id);
    }
    return members;
  }
}
