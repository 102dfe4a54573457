/** Keeps one chain of the administrator's leading to the rules of its units: units whose cgroups change first, the rest in pieces. */
import { NetstewardError } from '../core/errors.ts';
import { unitChain } from './chain-names.ts';
import { ChainRules } from './chain-rules.ts';
import { type ChainLook, ChainsSink, type LivingRule, lacksChain } from './chains-sink.ts';
import { Contest } from './contest.ts';
import { type KeeperOptions, type KeeperState, retry, tellFailure } from './keeper.ts';
import type { ChainTarget } from './selection.ts';
import { WorkLoop } from './work-loop.ts';

/** Rules of one transaction, some milliseconds: a new cgroup must not wait for 10 000 of them. */
const mostRules = 64;
/**
 * A unit of more rules than that rests after a change as long as its rules took, if that was longer than this (ms): anybody may
 * make and remove cgroups that a glob matches, and others' changes must come in between.
 */
const longFill = 20;
/** How often others may flush the ruleset between look and act. */
const mostRaces = 5;

export class ChainKeeper {
  readonly #options: KeeperOptions;
  readonly #sink: ChainsSink;
  readonly #rules: ChainRules;
  readonly #loop: WorkLoop;
  readonly #contest: Contest;
  #target: ChainTarget;
  /** Units whose cgroups have changed. */
  readonly #changed = new Set<string>();
  /** Until when (monotonic) those of them rest whose rules took long. */
  readonly #resting = new Map<string, number>();
  /** Units whose chains have to be made. */
  readonly #rest = new Set<string>();
  /** Units with refused rules that are tried again. */
  readonly #again = new Set<string>();
  /** Units that are being told to the kernel. */
  #filling: ReadonlySet<string> = new Set();
  #frame = false;
  #flush = false;
  #suspect = false;
  #missing = false;
  #races = 0;
  /** Until then (monotonic) others' changes are not looked at. */
  #restUntil = 0;
  /** Until then refused rules are not tried again. */
  #againFrom = 0;

  constructor(options: KeeperOptions, target: ChainTarget) {
    this.#options = options;
    this.#target = target;
    this.#contest = new Contest(options.clock, options.board, target.key);
    this.#sink = new ChainsSink(options.nft, options.kernel, target.table, target.chain);
    this.#rules = new ChainRules(options, this.#sink, target, (units) => this.#chainsGone(units));
    this.#loop = new WorkLoop({
      clock: options.clock,
      retry,
      due: () => this.#due(),
      dueIn: () => this.#dueIn(),
      step: () => this.#step(),
      onFailed: (error) => {
        this.#everything();
        tellFailure(options, target.key, error);
        options.onQuiet();
      },
      onQuiet: () => {
        this.#races = 0;
        this.#contest.changed();
        options.board.clear('units-not-applied', target.key);
        options.onQuiet();
      },
    });
  }

  get trouble(): 'failing' | 'missing' | undefined {
    if (this.#loop.failing) return 'failing';
    return this.#missing ? 'missing' : undefined;
  }

  /** Of the rules of one unit. */
  stateOf(unit: string): KeeperState {
    if (this.trouble !== undefined) return this.trouble;
    const waits = this.#frame || [this.#changed, this.#rest, this.#filling].some((units) => units.has(unit));
    return waits ? 'busy' : 'done';
  }

  /** Whether the administrator's chain is there. Throws NftError. */
  exists(): boolean {
    return this.#sink.exists();
  }

  /** Cgroups in the rules of this unit came or went, or it had a job. */
  touch(unit: string): void {
    if (this.#target.units.has(unit)) this.#changed.add(unit);
  }

  wake(): void {
    this.#loop.wake();
  }

  /** All anew. With `flush` what the administrator has in his chain goes. */
  remake(flush: boolean): void {
    this.#flush ||= flush;
    this.#everything();
  }

  /** Other units and rules for the same chain. */
  configure(target: ChainTarget, flush: boolean): void {
    this.#rules.configure(target);
    this.#target = target;
    for (const known of [this.#changed, this.#resting, this.#rest, this.#again]) {
      for (const unit of known.keys()) if (!target.units.has(unit)) known.delete(unit);
    }
    this.remake(flush);
  }

  /** Others have changed something in a table of this name. */
  suspect(): void {
    this.#suspect = true;
    this.#loop.wake();
  }

  /** Rejects with what is refused; rules that nft refuses, and a chain that is missing, are warnings. */
  finish(): Promise<void> {
    return this.#loop.finish();
  }

  /** Resolves when nothing is under way any more. What is in the kernel stays. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#contest.end();
    const { board } = this.#options;
    board.clear('units-not-applied', this.#target.key);
    board.clear('unit-chain-missing', this.#target.key);
    this.#rules.end();
  }

  #everything(): void {
    this.#changed.clear();
    for (const unit of this.#target.units.keys()) this.#rest.add(unit);
    this.#frame = true;
  }

  #due(): boolean {
    if (this.#mayLook()) return true;
    if (this.#missing) return this.#frame;
    return this.#rest.size > 0 || this.#frame || this.#mayTryAgain() || this.#changedNow().length > 0;
  }

  /** Units with changed cgroups, but those that rest. */
  #changedNow(): readonly string[] {
    const now = this.#options.clock.monotonic();
    return [...this.#changed].filter((unit) => (this.#resting.get(unit) ?? 0) <= now);
  }

  #dueIn(): number | undefined {
    const times = this.#missing ? [] : [...this.#changed].flatMap((unit) => this.#resting.get(unit) ?? []);
    if (this.#suspect) times.push(this.#restUntil);
    if (this.#again.size > 0) times.push(this.#againFrom);
    return times.length === 0 ? undefined : Math.min(...times) - this.#options.clock.monotonic();
  }

  #mayLook(): boolean {
    return this.#suspect && this.#options.clock.monotonic() >= this.#restUntil;
  }

  #mayTryAgain(): boolean {
    return this.#again.size > 0 && this.#options.clock.monotonic() >= this.#againFrom;
  }

  async #step(): Promise<void> {
    if (this.#missing) return this.#look();
    const changed = this.#changedNow();
    if (changed.length > 0) return this.#fillSome(changed);
    if (this.#mayLook()) return this.#look();
    if (this.#rest.size > 0) return this.#fillSome(this.#rest);
    if (this.#frame) return this.#makeFrame();
    return this.#tryAgain();
  }

  async #look(): Promise<void> {
    const { clock } = this.#options;
    this.#suspect = false;
    const began = clock.monotonic();
    const look = this.#sink.look();
    if (look === undefined) this.#lack();
    else if (this.#missing) {
      this.#missing = false;
      this.#options.board.clear('unit-chain-missing', this.#target.key);
      this.#everything();
    } else this.#compare(look);
    const ended = clock.monotonic();
    this.#restUntil = ended + this.#contest.looked(this.#frame || this.#rest.size > 0, ended - began);
  }

  /** The administrator's chain is not there: what comes and goes is looked at when it is. */
  #lack(): void {
    const { key, units } = this.#target;
    this.#missing = true;
    this.#frame = false;
    this.#flush = false;
    for (const units of [this.#changed, this.#rest, this.#again]) units.clear();
    this.#rules.forget();
    this.#options.board.raise('unit-chain-missing', key, { chain: key, units: String(units.size) });
  }

  #compare({ jumps, frame, count }: ChainLook): void {
    const { chain, units } = this.#target;
    const wanted = [...units.keys()].map((unit) => unitChain(chain, unit));
    if (jumps.length !== 1 || frame.length !== wanted.length || wanted.some((name, at) => name !== frame[at])) {
      this.#frame = true;
    }
    for (const unit of units.keys()) {
      const known = this.#rules.countOf(unit);
      if (known === undefined || (count(unitChain(chain, unit)) ?? 0) !== known) this.#rest.add(unit);
    }
    // What the ruleset lacked, as a set that a rule looks into, may have come.
    for (const unit of this.#rules.refusing) this.#again.add(unit);
  }

  /** As many of them as one transaction should have. */
  async #fillSome(queue: Iterable<string>): Promise<void> {
    const { clock, members: living } = this.#options;
    const began = clock.monotonic();
    const members = living();
    const units = new Map<string, readonly LivingRule[]>();
    let size = 0;
    for (const unit of queue) {
      if (this.#rules.hasRefused(unit)) this.#again.add(unit);
      const rules = this.#rules.of(unit, members);
      if (units.size > 0 && size + rules.length >= mostRules) break;
      size += rules.length + 1;
      units.set(unit, rules);
      this.#changed.delete(unit);
      this.#rest.delete(unit);
      this.#resting.delete(unit);
    }
    this.#filling = new Set(units.keys());
    await this.#rules.fill(units);
    this.#filling = new Set();
    const took = clock.monotonic() - began;
    // With so many rules it stands alone. A unit of a few has no rest, however slow the machine: it may be about to start.
    if (size > mostRules && took > longFill) for (const unit of units.keys()) this.#resting.set(unit, began + 2 * took);
    this.#options.onQuiet();
  }

  /** Whether the administrator's chain, or one of these units' that we had made, has been taken away: all is made anew then. */
  #chainsGone(units: Iterable<string>): boolean {
    if (!this.#sink.exists()) {
      this.#lack();
      return true;
    }
    const known = [...units].filter((unit) => this.#rules.countOf(unit) !== undefined);
    if (known.every((unit) => this.#sink.has(unit))) return false;
    this.#race();
    this.#rules.forgetCounts();
    this.#everything();
    return true;
  }

  async #makeFrame(): Promise<void> {
    const { key, units } = this.#target;
    if (!this.exists()) return this.#lack();
    this.#frame = false;
    try {
      await this.#sink.frame([...units.keys()], this.#flush);
      this.#flush = false;
      this.#sink.dropSurplusJumps();
      this.#options.log.debug('unit-rules-applied', { chain: key, units: units.size });
    } catch (error) {
      if (!lacksChain(error)) throw error;
      this.#race();
      this.#rules.forget();
      this.#everything();
    }
  }

  #race(): void {
    this.#races += 1;
    if (this.#races <= mostRaces) return;
    this.#races = 0;
    const message = `others change the table of the chain ${this.#target.key} again and again`;
    throw new NetstewardError('ruleset-contended', message, {
      remedy: 'See with nft monitor who does; a second netsteward with rules for the same chain?',
    });
  }

  async #tryAgain(): Promise<void> {
    const { clock } = this.#options;
    const [unit] = this.#again;
    if (unit === undefined) return;
    this.#again.delete(unit);
    const began = clock.monotonic();
    await this.#rules.fillAccepted(unit, false);
    const ended = clock.monotonic();
    // Each try may cost 20 ms, in which no new member can be told to the kernel.
    this.#againFrom = ended + 10 * (ended - began);
  }
}
