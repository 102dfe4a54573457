/** The prompt schedule at work: lists on time, names on time, and each address asked when it is due by itself. */
import type { Clock, Timer } from '../../core/clock.ts';
import { Reconciler } from '../../core/reconciler.ts';
import type { Files, Resolver } from '../../system/ports.ts';
import type { CheckSource } from '../checker.ts';
import { type Checked, draftForChecks } from '../decide.ts';
import type { Exit } from '../exits.ts';
import type { Flip } from '../flips.ts';
import { readLists } from '../lists.ts';
import { needsProbe, resultsWithoutProbe } from '../no-probe.ts';
import { type Learned, listReport, type PassSettings, resolveHosts } from '../pass.ts';
import type { PassListener } from '../passes.ts';
import { rewound } from '../rewound.ts';
import type { Progress } from '../rounds.ts';
import type { State } from '../state.ts';
import type { StateStore } from '../store.ts';
import { Asking } from './asking.ts';
import { decidePrompt, type PromptDecision, type PromptInputs } from './decide.ts';
import { type ExitHealth, ExitWatch, judgedByServices } from './exit-watch.ts';
import { LiveStates } from './live.ts';
import { LostTime } from './lost-time.ts';
import { nameGap, nameTurn } from './names.ts';
import { timed } from './onset.ts';
import type { PromptSettings } from './settings.ts';
import { Turns } from './turns.ts';
import { lookGap, Weighing, type WeighingOptions } from './weighing.ts';

/** Milliseconds between looks through each exit while nothing is the matter. */
const exitGap = 60_000;
/** Milliseconds from one beat to the next, by which lost time is noticed. */
const beat = 10_000;

export interface PromptListener extends PassListener {
  exits(health: readonly ExitHealth[]): void;
}

export interface PromptPassesOptions extends Pick<WeighingOptions, 'look' | 'lookThrough'> {
  readonly clock: Clock;
  readonly files: Files;
  readonly resolver: Resolver;
  readonly checks: CheckSource;
  readonly store: StateStore;
  readonly settings: PassSettings;
  readonly prompt: PromptSettings;
  /** Of single addresses instead; once it says something else, reconsider() has to be called. */
  readonly promptOf?: (address: string) => PromptSettings;
  /** There are control services, which tell a dead exit from services that it does not help. */
  readonly controlled: boolean;
  /** In the preferred order; none: the one way around cannot be asked. */
  readonly exits: readonly Exit[];
  /** Milliseconds from one look at the lists to the next. */
  readonly interval: number;
  /** Whether none has ended before these. */
  readonly first: boolean;
  readonly listener: PromptListener;
}

type Changed = Partial<Pick<PromptInputs, 'lists' | 'resolved' | 'results' | 'choose'>>;

/** Everything that is decided goes through one commit at a time, and what is known of an address changes with it, not before. */
export class PromptPasses {
  readonly #options: PromptPassesOptions;
  readonly #lists: Reconciler;
  readonly #names: Reconciler;
  readonly #own: Reconciler;
  readonly #harvest: Reconciler;
  readonly #exits: Reconciler;
  readonly #live: LiveStates;
  readonly #watch: ExitWatch;
  readonly #asking: Asking;
  readonly #turns: Turns;
  readonly #weighing: Weighing;
  readonly #lost: LostTime;
  /** What was known of the exits when every service last chose; undefined: none has chosen of these exits yet. */
  #chosenWith: string | undefined;
  #retry: Timer | undefined;
  #namesAsked = false;
  #first: boolean;

  constructor(options: PromptPassesOptions) {
    this.#options = options;
    const { clock, interval, listener, exits, checks } = options;
    this.#first = options.first;
    this.#live = new LiveStates(options.prompt);
    this.#watch = new ExitWatch(exits, clock);
    this.#lost = new LostTime(clock, 3 * beat);
    const retry = { first: Math.min(interval, 1000), most: Math.min(interval, 60_000) };
    const onError = (error: unknown, retryIn: number): void => listener.failed(error, retryIn);
    const shared = { clock, minInterval: 0, retry, onError };
    this.#lists = new Reconciler({ ...shared, maxInterval: interval, run: (signal) => this.#takeLists(signal) });
    this.#names = new Reconciler({ ...shared, maxInterval: nameGap, run: (signal) => this.#takeNames(signal) });
    this.#own = new Reconciler({ ...shared, run: (signal) => this.#takeOwnSide(signal) });
    this.#harvest = new Reconciler({ ...shared, run: (signal) => this.#takeResults(signal) });
    this.#exits = new Reconciler({
      ...shared,
      minInterval: lookGap,
      maxInterval: exitGap,
      run: (s) => this.#lookAll(s),
    });
    this.#asking = new Asking({
      clock,
      checks,
      exits,
      isNews: (result) => this.#weighing.isNews(result),
      onResults: () => this.#harvest.request(),
      onTook: (exit, ms) => this.#watch.took(exit, ms),
    });
    const { store, prompt, promptOf, look, lookThrough } = options;
    const [live, watch, asking] = [this.#live, this.#watch, this.#asking];
    this.#weighing = new Weighing({
      clock,
      store,
      live,
      watch,
      look,
      lookThrough,
      onOwnSide: (own) => listener.ownSide(own),
      onDoubtedExit: () => this.#exits.request(),
    });
    this.#turns = new Turns({ clock, store, prompt, promptOf, exits, live, watch, asking });
  }

  /** Lists, names and the own side now. */
  request(): void {
    this.#lists.request();
    this.#lost.follow(beat, () => {
      this.#distrust();
      this.#own.request();
    });
  }

  /** Nothing of them runs afterwards; what was asked and not answered is asked again by the next ones. */
  async stop(): Promise<void> {
    this.#retry?.cancel();
    this.#lost.stop();
    this.#turns.close();
    const work = [this.#lists, this.#names, this.#own, this.#harvest, this.#exits].map((each) => each.stop());
    await Promise.all([...work, this.#asking.close()]);
  }

  /** Addresses that have a verdict, of those that need checks; until each was asked once. */
  get firstPass(): Progress | undefined {
    if (!this.#first) return undefined;
    const [of, waiting] = this.#turns.count();
    return { done: of - waiting, of };
  }

  /** The settings of these addresses are others now. */
  reconsider(addresses: ReadonlySet<string>): void {
    this.#turns.reconsider(addresses);
  }

  get exits(): readonly ExitHealth[] {
    const { controlled, store } = this.#options;
    const { health } = this.#watch;
    return controlled ? health : judgedByServices(health, store.state);
  }

  /** Flips of what the listener has just learned, with what their reaction times are counted from. */
  timed(flips: readonly Flip[], { addressMoves: moves }: Pick<Learned, 'addressMoves'>): readonly Flip[] {
    return flips.map((flip) => timed(flip, { live: this.#live, watch: this.#watch, moves }));
  }

  get turns(): Pick<Turns, 'look' | 'askNow' | 'open'> {
    return this.#turns;
  }

  async #takeLists(signal: AbortSignal): Promise<void> {
    const { files, store, settings, listener } = this.#options;
    const now = this.#wall();
    const state = await store.refresh(signal);
    if (rewound(state, now).hosts.length > 0) {
      await store.commit((newest) => ({ changes: rewound(newest, now) }), signal);
    }
    const lists = await readLists(files, settings.lists, state.lists());
    signal.throwIfAborted();
    const draft = draftForChecks(state, settings, { now, counted: now, lists, resolved: [], graceless: false });
    const listed = draft.changes().hosts.length + draft.changes().lists.length > 0;
    if (listed || resultsWithoutProbe(draft).length > 0 || this.#chosenWith === undefined) {
      await this.#commit({ lists }, signal);
    }
    listener.lists(listReport(lists));
    this.#own.request();
    this.#names.request();
    if (this.#options.exits.length > 0) this.#exits.request();
  }

  async #takeNames(signal: AbortSignal): Promise<void> {
    const { store, settings, resolver } = this.#options;
    const working = this.#turns.open;
    const { due, more } = nameTurn(store.state, this.#wall(), settings.timers.hostAddrs, working);
    if (more) this.#names.request();
    const resolved = await resolveHosts(resolver, due, settings, signal);
    signal.throwIfAborted();
    const probed = new Set(due.filter(({ record }) => needsProbe(record.check)).map(({ record }) => record.name));
    // Names that nobody could tell may be the fault of our own side.
    const ill = resolved.some(({ host, answered }) => !answered && probed.has(host));
    if (ill) await this.#weighing.spaced(signal);
    const trusted = !ill || (await this.#weighing.look(signal)).ok;
    const taken = trusted ? resolved : resolved.filter(({ host }) => !probed.has(host));
    if (taken.length > 0) await this.#commit({ resolved: taken }, signal);
    if (!trusted) this.#distrust();
    this.#namesAsked ||= working;
    this.#settle();
  }

  async #takeOwnSide(signal: AbortSignal): Promise<void> {
    const own = await this.#weighing.look(signal);
    if (own.ok) {
      const paused = !this.#turns.open;
      // The time until now says nothing.
      if (paused) this.#live.void(this.#now());
      this.#turns.begin(own.without ?? []);
      if (paused) this.#names.request();
    } else this.#distrust();
    this.#settle();
  }

  async #takeResults(signal: AbortSignal): Promise<void> {
    const weighed = await this.#weighing.weigh(() => this.#asking.finished(), signal);
    if (weighed === undefined) {
      this.#distrust();
      this.#settle();
      return;
    }
    const { results, counted } = weighed;
    if (results.length > 0) {
      await this.#commit({ results: counted }, signal);
      this.#asking.done(results);
      for (const host of new Set(results.map((result) => result.host))) this.#turns.planHost(host);
    }
    this.#settle();
  }

  async #lookAll(signal: AbortSignal): Promise<void> {
    const looks = await Promise.all(this.#options.exits.map(({ name }) => this.#weighing.lookThrough(name, signal)));
    if (looks.some(({ ok }) => !ok) && !(await this.#weighing.look(signal)).ok) this.#distrust();
    else if (this.#chosenWith !== this.#watch.standings) await this.#commit({}, signal);
    this.#options.listener.exits(this.exits);
    if (this.#watch.doubted) this.#exits.request();
  }

  /** While the own side is broken nothing counts that is being checked, nor does the time. */
  #distrust(): void {
    this.#turns.pause();
    this.#asking.dropAll();
    this.#live.void(this.#now());
    this.#watch.void();
    this.#retry?.cancel();
    this.#retry = this.#options.clock.after(lookGap, () => this.#own.request());
  }

  async #commit(changed: Changed, signal: AbortSignal): Promise<void> {
    const { store, settings, prompt, promptOf, exits, listener } = this.#options;
    const { dead, unproven, standings } = this.#watch;
    const [now, at] = [this.#wall(), this.#now()];
    const own = promptOf === undefined ? {} : { promptOf };
    const all = { ...settings, prompt, ...own, exits: exits.map(({ name }) => name) };
    const lists = [...new Set(settings.lists)].map((path) => ({ path, kind: 'unchanged' as const }));
    const { resolved = [], results = [] } = changed;
    const checked = results.flatMap(({ host, address, check, direct }): readonly Checked[] =>
      direct === null ? [] : [{ host, address, check, result: direct }],
    );
    const learned = await store.commit((newest: State): Learned & PromptDecision => {
      const choose = this.#chosenWith !== standings;
      const counted = now - newest.timeline.lost;
      const inputs = { now, counted, at, lists, resolved, results, dead, unproven, choose, ...changed };
      const decision = decidePrompt(newest, all, inputs, (host, record) => this.#live.of(host, record, at));
      return { ...decision, now, counted, resolved, checked };
    }, signal);
    this.#chosenWith = standings;
    for (const { host, address, live } of learned.live) this.#live.put(host, address, live);
    for (const [host, addresses] of learned.expired) {
      for (const address of addresses) for (const each of [this.#live, this.#asking]) each.forget(host, address);
    }
    const { changed: edited, removed } = learned.lists;
    // What is asked of a host by its old token says nothing of the new one.
    for (const host of [...edited, ...removed]) this.#asking.dropHost(host);
    for (const host of removed) this.#live.forgetHost(host);
    listener.learned(learned);
    if (resolved.length > 0) this.#turns.counted();
    for (const { name } of learned.changes.hosts) this.#turns.planHost(name);
  }

  #settle(): void {
    if (this.#first && this.#namesAsked && this.#turns.open && this.#turns.count()[1] === 0) this.#first = false;
    this.#options.listener.passed();
  }

  /** Seconds of the monotonic clock. */
  #now(): number {
    return this.#options.clock.monotonic() / 1000;
  }

  /** Seconds since the epoch. */
  #wall(): number {
    return Math.round(this.#options.clock.now()) / 1000;
  }
}
