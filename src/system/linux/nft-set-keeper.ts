/** Keeps sets at what was last asked: deltas as they come, everything after an error, and back again after a flush by others. */
import { type Backoff, backoffDelay } from '../../core/backoff.ts';
import { type Clock, sleep, type Timer } from '../../core/clock.ts';
import { NetstewardError } from '../../core/errors.ts';
import type { Nft, RulesetChange, RulesetEvents } from '../ports.ts';
import type { AgentEvent, OnStop, SetDelta } from './nft-agent-protocol.ts';
import { RouteChanges } from './nft-route-changes.ts';
import { type Contents, contentsFor, type Deltas, difference, type SetHome } from './nft-set-home.ts';

export interface SetKeeperOptions {
  readonly home: SetHome;
  readonly nft: Nft;
  readonly events: RulesetEvents;
  readonly clock: Clock;
  /** Addresses that never enter a set. */
  readonly never: ReadonlySet<string>;
  readonly tell: (event: AgentEvent) => void;
  /** What happens with addresses whose route has changed, after the kernel holds it. */
  readonly moves?: { readonly sets: readonly string[]; readonly moved: (addresses: ReadonlySet<string>) => void };
}

/** An owner that is just ending needs some milliseconds; a ruleset without the sets may stay so until the administrator acts. */
const retry: Backoff = { first: 100, most: 30_000 };

/** Work on the kernel never overlaps; each public call settles with its own outcome, and failed work is tried again by itself. */
export class SetKeeper {
  readonly #options: SetKeeperOptions;
  readonly #routes: RouteChanges;
  #desired: Map<string, Set<string>> | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #repairQueued = false;
  #watch: { close(): Promise<void> } | undefined;
  #watchFailures = 0;
  #failures = 0;
  #lastProblem: string | undefined;
  #retryTimer: Timer | undefined;
  #watchTimer: Timer | undefined;
  #toldTable = false;
  #closed = false;

  constructor(options: SetKeeperOptions) {
    this.#options = options;
    this.#routes = new RouteChanges(options.moves?.sets ?? []);
    options.nft.onLost(() => this.#repairSoon());
  }

  /** Whole contents; sets that are not named become empty. */
  async replace(sets: ReadonlyMap<string, Iterable<string>>): Promise<void> {
    const before = this.#desired;
    const desired = this.#allowed(sets);
    this.#desired = desired;
    // Without earlier contents nobody knows what was routed how.
    const change = before === undefined ? undefined : difference(before, desired);
    await this.#serially(() => {
      if (change !== undefined) this.#routes.note(change);
      return this.#fillAndVerify();
    });
  }

  /** Rejects with `not-filled` before the first replace(). */
  async update(deltas: Deltas): Promise<void> {
    const desired = this.#desired;
    if (desired === undefined) throw new NetstewardError('not-filled', 'an update came before the first replace');
    const { home } = this.#options;
    const added = this.#allowed(new Map([...deltas].map(([set, delta]) => [set, delta.add])));
    contentsFor(home.sets, new Map([...deltas].map(([set, delta]) => [set, delta.delete])));
    const change = changeOf(desired, deltas, added);
    for (const [set, { add, delete: surplus }] of change) {
      for (const address of surplus) desired.get(set)?.delete(address);
      for (const address of add) desired.get(set)?.add(address);
    }
    await this.#serially(async () => {
      this.#routes.note(change);
      if (this.#failures > 0) return this.#fillAndVerify();
      try {
        if (change.size > 0) await home.change(change);
      } catch {
        await this.#fillAndVerify();
      }
    });
  }

  /** Leaves the kernel as `mode` says; the nft context stays open. */
  async close(mode: OnStop): Promise<void> {
    this.#closed = true;
    this.#retryTimer?.cancel();
    this.#watchTimer?.cancel();
    await this.#watch?.close();
    await this.#queue;
    if (this.#desired !== undefined) await this.#options.home.release(mode);
  }

  #allowed(sets: ReadonlyMap<string, Iterable<string>>): Map<string, Set<string>> {
    const contents = contentsFor(this.#options.home.sets, sets);
    for (const addresses of contents.values()) {
      for (const address of this.#options.never) addresses.delete(address);
    }
    return contents;
  }

  /** One after the other. Failure and recovery are told; a failure is tried again after a while. */
  #serially(work: () => Promise<void>): Promise<void> {
    const outcome = this.#queue.then(async () => {
      try {
        await work();
        if (this.#failures > 0) this.#options.tell({ event: 'recovered' });
        this.#failures = 0;
        this.#lastProblem = undefined;
        this.#retryTimer?.cancel();
        const moved = this.#routes.take();
        if (moved.size > 0) this.#options.moves?.moved(moved);
      } catch (error) {
        this.#failures += 1;
        this.#tellProblem(error);
        this.#retryTimer?.cancel();
        if (!this.#closed) {
          const delay = backoffDelay(this.#failures, retry);
          this.#retryTimer = this.#options.clock.after(delay, () => this.#repairSoon());
        }
        throw error;
      }
    });
    this.#queue = outcome.catch(() => {});
    return outcome;
  }

  #tellProblem(error: unknown): void {
    const code = error instanceof NetstewardError ? error.code : 'nft-failed';
    const message = error instanceof Error ? error.message : String(error);
    if (this.#lastProblem === message) return;
    this.#lastProblem = message;
    const remedy = error instanceof NetstewardError && error.remedy !== undefined ? { remedy: error.remedy } : {};
    this.#options.tell({ event: 'problem', code, message, ...remedy });
  }

  async #fillAndVerify(): Promise<void> {
    const { home } = this.#options;
    const desired = this.#wanted();
    await home.inspect();
    await home.fill(desired);
    if (!this.#toldTable && home.kind !== undefined) {
      this.#toldTable = true;
      const reason = home.reason === undefined ? {} : { reason: home.reason };
      this.#options.tell({ event: 'table', table: home.kind, ...reason });
    }
    // Watched before it is read: what changes from now on is told, what changed before is seen.
    this.#startWatch();
    if (!(await this.#listedAs(desired))) {
      throw new NetstewardError(
        'sets-differ',
        'nftables does not list what was just written: others write to the sets',
        {
          remedy: 'Leave the sets to netsteward alone.',
        },
      );
    }
  }

  /**
   * The kernel grows a hash set's table behind the scenes after many elements came, and a dump that runs meanwhile passes over
   * some (rhashtable_walk_start(), lib/rhashtable.c): a difference counts when it is still there a little later.
   */
  async #listedAs(desired: Contents): Promise<boolean> {
    const { home, clock } = this.#options;
    for (const pause of [20, 100, 500, 0]) {
      const rest = difference(await home.read(), desired);
      if (rest?.size === 0) return true;
      if (pause > 0) await sleep(clock, pause);
    }
    return false;
  }

  #wanted(): Contents {
    return this.#desired ?? new Map();
  }

  /** Compares and puts right what differs; anything unexpected leads to a whole fill. */
  async #repair(): Promise<void> {
    const { home } = this.#options;
    if (this.#desired === undefined) return;
    if (home.kind === undefined) return this.#fillAndVerify();
    let found: Awaited<ReturnType<SetHome['read']>>;
    try {
      found = await home.read();
    } catch (error) {
      if (!home.mine) throw error;
      await this.#fillAndVerify();
      return this.#tellRefill([...this.#desired.values()].reduce((sum, set) => sum + set.size, 0));
    }
    const deltas = difference(found, this.#desired);
    if (deltas !== undefined && deltas.size === 0) return;
    try {
      if (deltas === undefined) await this.#fillAndVerify();
      else await home.change(deltas);
    } catch {
      await this.#fillAndVerify();
    }
    const changes = [...(deltas ?? this.#desired).values()];
    this.#tellRefill(
      changes.reduce((sum, one) => sum + ('size' in one ? one.size : one.add.length + one.delete.length), 0),
    );
  }

  #tellRefill(elements: number): void {
    this.#options.tell({ event: 'refilled', elements });
  }

  /** Any number of events while one repair waits lead to that one repair. */
  #repairSoon(): void {
    if (this.#repairQueued || this.#closed) return;
    this.#repairQueued = true;
    this.#serially(() => {
      this.#repairQueued = false;
      return this.#closed ? Promise.resolve() : this.#repair();
    }).catch(() => {});
  }

  #startWatch(): void {
    const { home, nft, events } = this.#options;
    if (this.#watch !== undefined || !home.openToOthers || this.#closed) return;
    const own = (): ReadonlySet<number> => new Set(nft.portId === undefined ? [] : [nft.portId]);
    const lost = (): void => {
      this.#watch = undefined;
      if (this.#closed) return;
      this.#watchFailures += 1;
      this.#watchTimer = this.#options.clock.after(backoffDelay(this.#watchFailures, retry), () => {
        this.#startWatch();
        this.#repairSoon();
      });
    };
    try {
      this.#watch = events.watch(own, (change) => this.#noticed(change), lost);
    } catch {
      lost();
    }
  }

  #noticed({ tables, sets }: RulesetChange): void {
    const { home } = this.#options;
    this.#watchFailures = 0;
    if (tables !== '*' && !tables.has(home.table.name)) return;
    if (sets !== '*' && !home.sets.some(({ name }) => sets.has(name))) return;
    this.#repairSoon();
  }
}

/** Of a delta just what changes the desired contents: nft refuses to delete what is not there. */
function changeOf(desired: Contents, deltas: Deltas, allowed: ReadonlyMap<string, ReadonlySet<string>>): Deltas {
  const change = new Map<string, SetDelta>();
  for (const [set, delta] of deltas) {
    const held = desired.get(set) ?? new Set();
    const wanted = allowed.get(set) ?? new Set();
    const add = [...wanted].filter((address) => !held.has(address));
    const surplus = [...new Set(delta.delete)].filter((address) => held.has(address) && !wanted.has(address));
    if (add.length > 0 || surplus.length > 0) change.set(set, { add, delete: surplus });
  }
  return change;
}
