/** The passes of a running nbrpc: lists on time, checks as they come; what needs no check waits for none. */
import pLimit from 'p-limit';
import type { Clock } from '../core/clock.ts';
import { Reconciler } from '../core/reconciler.ts';
import type { Files, Resolver } from '../system/ports.ts';
import { familyOf } from './address.ts';
import { type CheckSource, checkTarget } from './checker.ts';
import { type CountedTime, countedStart } from './counted-time.ts';
import { type Checked, decide, draftForChecks } from './decide.ts';
import { type ListReading, readLists } from './lists.ts';
import { type Family, sameCheck } from './model.ts';
import { needsProbe, resultsWithoutProbe } from './no-probe.ts';
import { type OwnSide, trialNames } from './own-side.ts';
import { type Learned, type ListReport, listReport, type PassSettings, resolveHosts } from './pass.ts';
import { wanted } from './policy.ts';
import { policyOf } from './policy-spec.ts';
import { type ResolvedHost, resolveHost } from './resolve.ts';
import { rewound } from './rewound.ts';
import { type Progress, type Round, Rounds } from './rounds.ts';
import { type DueAddress, dueAddresses, dueHosts } from './schedule.ts';
import type { HostEntry, State, StateView } from './state.ts';
import { part } from './state-part.ts';
import type { StateStore } from './store.ts';
import { votesOf } from './verdict.ts';

/** Of the interval: the most that counts as grace between two looks. */
const mostIntervals = 3;
/** Names of services that need no check, asked for at the same time. */
const concurrentNames = 64;

/** What nbrpc does with what the passes bring. All are called after it was saved. */
export interface PassListener {
  /** Of each look at the lists. */
  lists(report: ListReport): void;
  /** Of each look at the own side. */
  ownSide(ownSide: OwnSide): void;
  learned(learned: Learned): void;
  /** A pass has begun all its checks, or they are all done. */
  passed(): void;
  /** `retryIn`: milliseconds. */
  failed(error: unknown, retryIn: number): void;
}

export interface PassesOptions {
  readonly clock: Clock;
  readonly files: Files;
  readonly resolver: Resolver;
  readonly checks: CheckSource;
  /** OwnSideGates.look() */
  readonly look: (signal: AbortSignal, names: () => readonly string[]) => Promise<OwnSide>;
  readonly store: StateStore;
  readonly settings: PassSettings;
  /** Milliseconds from one pass to the next. */
  readonly interval: number;
  /** Outlives these passes: a reload makes new ones. */
  readonly counted: CountedTime;
  /** Whether none has ended before these. */
  readonly first: boolean;
  readonly listener: PassListener;
}

interface Commit {
  readonly now: number;
  readonly lists: readonly ListReading[];
  readonly rounds: readonly Round[];
  /** Counted seconds that have passed; undefined: counted time stays where it stands. */
  readonly elapsed?: number;
}

/**
 * Pieces of work that do not wait for each other. Lists: read, decided and saved with nothing of the network. Names: hosts
 * that need no check are resolved, whatever becomes of the own side. Checks: the own side, names, then the probes. Names and
 * probes are asked in rounds, a host at a time; finished rounds are decided and saved, failures only after another look at
 * the own side.
 */
export class Passes {
  readonly #options: PassesOptions;
  readonly #lists: Reconciler;
  readonly #checks: Reconciler;
  readonly #nameHarvest: Reconciler;
  readonly #probeHarvest: Reconciler;
  readonly #names: Rounds;
  readonly #probes: Rounds;
  readonly #slots = pLimit(concurrentNames);
  /** The first pass has begun its checks. */
  #begun = false;
  #first: boolean;

  constructor(options: PassesOptions) {
    this.#options = options;
    const { clock, interval, listener } = options;
    this.#first = options.first;
    const retry = { first: Math.min(interval, 1000), most: Math.min(interval, 60_000) };
    const onError = (error: unknown, retryIn: number): void => {
      options.counted.ran(0, false);
      listener.failed(error, retryIn);
    };
    const shared = { clock, minInterval: 0, retry, onError };
    this.#lists = new Reconciler({ ...shared, maxInterval: interval, run: (signal) => this.#takeLists(signal) });
    this.#checks = new Reconciler({ ...shared, run: (signal) => this.#startChecks(signal) });
    this.#nameHarvest = new Reconciler({ ...shared, run: (signal) => this.#takeNames(signal) });
    this.#probeHarvest = new Reconciler({ ...shared, run: (signal) => this.#takeProbes(signal) });
    this.#names = new Rounds(clock, () => this.#nameHarvest.request());
    this.#probes = new Rounds(clock, () => this.#probeHarvest.request());
  }

  /** A pass now. */
  request(): void {
    this.#lists.request();
  }

  /** Asks a host's name and all of its addresses now, unless it is being asked; how many addresses, of how many. */
  askNow(host: string): readonly [asked: number, of: number] {
    const { store, settings, resolver, checks } = this.#options;
    const entry = store.state.host(host);
    if (entry === undefined || !needsProbe(entry.record.check)) return [0, 0];
    const targets = [...entry.addresses.keys()];
    if (this.#both().some((rounds) => rounds.isBusy(host))) return [0, targets.length];
    const { check, policy } = entry.record;
    const { family } = policyOf(policy, settings.defaultPolicy);
    const how = { timeout: settings.resolveTimeout, filter: settings.filterAddresses };
    this.#probes.start({
      host,
      check,
      policy,
      checks: targets.length,
      ask: async (signal, onCheck) => {
        const checkAt = async (address: string): Promise<Checked> => {
          const result = await checkTarget(checks, { host, address, check }, signal);
          onCheck();
          return { host, address, check, result };
        };
        const asked = resolveHost(resolver, host, family, how, signal);
        const [resolved, checked] = await Promise.all([asked, Promise.all(targets.map(checkAt))]);
        return { resolved, checked };
      },
    });
    return [targets.length, targets.length];
  }

  /** Nothing of them runs afterwards; what was asked and not answered is asked again by the next ones. */
  async stop(): Promise<void> {
    const work = [this.#lists, this.#checks, this.#nameHarvest, this.#probeHarvest].map((each) => each.stop());
    await Promise.all([...work, this.#names.close(), this.#probes.close()]);
  }

  /** Of the first pass, as long as not all its checks are done. */
  get firstPass(): Progress | undefined {
    return this.#first ? this.#probes.progress : undefined;
  }

  async #takeLists(signal: AbortSignal): Promise<void> {
    const { files, store, settings, listener } = this.#options;
    const now = this.#now();
    const state = await store.refresh(signal);
    if (rewound(state, now).hosts.length > 0) {
      await store.commit((newest) => ({ changes: rewound(newest, now) }), signal);
    }
    const lists = await readLists(files, settings.lists, state.lists());
    signal.throwIfAborted();
    const inputs = { now, counted: now, lists, resolved: [], graceless: false };
    const draft = draftForChecks(state, settings, inputs);
    if (draft.changes().hosts.length + draft.changes().lists.length > 0 || resultsWithoutProbe(draft).length > 0) {
      const { changed, removed } = (await this.#commit({ now, lists, rounds: [] }, signal)).lists;
      // What is asked of a host by its old token says nothing of the new one.
      for (const host of [...changed, ...removed]) for (const rounds of this.#both()) rounds.drop(host);
    }
    listener.lists(listReport(lists));
    this.#startNames(now);
    this.#checks.request();
  }

  /** Hosts that need no check, within a limit of their own: checks that cannot be made must not keep these from their turn. */
  #startNames(now: number): void {
    const { settings, resolver } = this.#options;
    const { hostAddrs: interval } = settings.timers;
    const due = { now, forced: false, rewound: true, interval, limit: settings.limits.iterHosts };
    for (const { record } of dueHosts(this.#free(false), due)) {
      const { name: host, check, policy } = record;
      const { family } = policyOf(policy, settings.defaultPolicy);
      const how = { timeout: settings.resolveTimeout, filter: settings.filterAddresses };
      this.#names.start({
        host,
        check,
        policy,
        checks: 0,
        ask: (signal) =>
          this.#slots(async () => ({
            resolved: await resolveHost(resolver, host, family, how, signal),
            checked: [],
          })),
      });
    }
  }

  async #startChecks(signal: AbortSignal): Promise<void> {
    const { clock, counted, interval } = this.#options;
    const started = clock.monotonic();
    // A process that was frozen, or a look that hung, must not make hours of grace pass at once.
    const elapsed = counted.since(started, mostIntervals * interval);
    const own = await this.#look(signal);
    if (own.ok) {
      // Before anything else: a look of the harvest may find the own side broken meanwhile, and take it back.
      counted.ran(started, true);
      const now = this.#now();
      const early = await this.#startRounds(own.without ?? [], now, signal);
      await this.#commit({ now, lists: this.#unchanged(), rounds: early, elapsed }, signal);
    } else this.#distrust();
    this.#begun = true;
    this.#settle();
  }

  /** Gives what is to be told at once: answers for hosts that are rerouted whatever the checks of new addresses say. */
  async #startRounds(without: readonly Family[], now: number, signal: AbortSignal): Promise<readonly Round[]> {
    const { settings, resolver, checks } = this.#options;
    const { timers, limits } = settings;
    const select = { now, forced: false, rewound: true };
    const hosts = dueHosts(this.#free(true), { ...select, interval: timers.hostAddrs, limit: limits.iterHosts });
    const resolved = await resolveHosts(resolver, hosts, settings, signal);
    signal.throwIfAborted();

    // Lists may have changed meanwhile.
    const inputs = { now, counted: now, lists: this.#unchanged(), resolved, graceless: false };
    const draft = draftForChecks(this.#free(true), settings, inputs);
    const routed = part(
      draft,
      () => true,
      ({ address }) => !without.includes(familyOf(address)),
    );
    const due = dueAddresses(routed, { ...select, interval: timers.addrState, limit: limits.iterAddrs });
    const answers = new Map(resolved.map((each) => [each.host, each]));
    const early: Round[] = [];
    for (const [host, addresses] of byHost(resolved, due)) {
      const entry = draft.host(host);
      if (entry === undefined) continue;
      const { check, policy } = entry.record;
      const answer = answers.get(host);
      const targets = addresses.map(({ address }) => ({ host, address: address.address, check }));
      const about = { host, check, policy, ...(answer === undefined ? {} : { resolved: answer }) };
      this.#probes.start({
        ...about,
        checks: targets.length,
        ask: async (stopping, onCheck) => ({
          ...(answer === undefined ? {} : { resolved: answer }),
          checked: await Promise.all(
            targets.map(async (target): Promise<Checked> => {
              const result = await checkTarget(checks, target, stopping);
              onCheck();
              return { ...target, result };
            }),
          ),
        }),
      });
      if (targets.length > 0 && staysRerouted(entry, settings)) early.push({ ...about, checked: [] });
    }
    return early;
  }

  async #takeNames(signal: AbortSignal): Promise<void> {
    await this.#take(this.#names, this.#names.finished(), signal);
  }

  async #takeProbes(signal: AbortSignal): Promise<void> {
    const rounds = this.#probes.finished();
    // What failed may have failed with our own side.
    if (rounds.some(isIll) && !(await this.#look(signal)).ok) this.#distrust();
    else await this.#take(this.#probes, rounds, signal);
    this.#settle();
  }

  async #take(from: Rounds, rounds: readonly Round[], signal: AbortSignal): Promise<void> {
    if (rounds.length === 0) return;
    try {
      await this.#commit({ now: this.#now(), lists: this.#unchanged(), rounds }, signal);
    } finally {
      // What could not be saved is asked again: it would be old by the time that it can.
      from.done(rounds);
    }
  }

  /** While the own side is broken nothing counts that is being checked, nor does the time. */
  #distrust(): void {
    this.#options.counted.ran(0, false);
    this.#probes.dropAll();
  }

  async #look(signal: AbortSignal): Promise<OwnSide> {
    const { look, store, listener } = this.#options;
    const own = await look(signal, () => trialNames(store.state));
    listener.ownSide(own);
    return own;
  }

  async #commit({ now, lists, rounds, elapsed }: Commit, signal: AbortSignal): Promise<Learned> {
    const { store, settings, listener } = this.#options;
    const learned = await store.commit((newest: State): Learned => {
      const valid = rounds.filter((round) => isStillAsked(round, newest));
      const resolved = valid.flatMap((round) => round.resolved ?? []);
      const { timeline } = newest;
      // Counted time starts with the wall clock, or where the drop-in has left it.
      const counted = timeline.counted === 0 ? now : countedStart(newest) + (elapsed ?? 0);
      const inputs = { now, counted, lists, resolved, graceless: false };
      const settled = resultsWithoutProbe(draftForChecks(newest, settings, inputs));
      const checked = [...valid.flatMap((round) => round.checked), ...settled];
      const decision = decide(newest, settings, { ...inputs, checked });
      const changes =
        elapsed === undefined ? decision.changes : { ...decision.changes, timeline: { counted, lost: now - counted } };
      return { ...decision, changes, now, counted, resolved, checked };
    }, signal);
    listener.learned(learned);
    return learned;
  }

  #settle(): void {
    if (this.#begun && this.#probes.idle) this.#first = false;
    this.#options.listener.passed();
  }

  #both(): readonly Rounds[] {
    return [this.#names, this.#probes];
  }

  /** Hosts that nothing is asked of at the moment: those that need probes, or those that need none. */
  #free(probed: boolean): StateView {
    const busy = (host: string): boolean => this.#both().some((rounds) => rounds.isBusy(host));
    const { state } = this.#options.store;
    return part(state, ({ record }) => needsProbe(record.check) === probed && !busy(record.name));
  }

  /** The lists as they are in force. */
  #unchanged(): readonly ListReading[] {
    return [...new Set(this.#options.settings.lists)].map((path) => ({ path, kind: 'unchanged' }));
  }

  /** Seconds since the epoch. */
  #now(): number {
    return Math.round(this.#options.clock.now()) / 1000;
  }
}

/** In the order of the addresses, the longest unchecked first; then hosts whose name alone was asked for. */
function byHost(resolved: readonly ResolvedHost[], due: readonly DueAddress[]): ReadonlyMap<string, DueAddress[]> {
  const hosts = new Map<string, DueAddress[]>();
  for (const each of due) {
    const { name } = each.entry.record;
    const before = hosts.get(name);
    if (before === undefined) hosts.set(name, [each]);
    else before.push(each);
  }
  for (const { host } of resolved) if (!hosts.has(host)) hosts.set(host, []);
  return hosts;
}

/** New addresses of such a host are rerouted whatever their checks will say. `entry`: with its newest DNS answer. */
function staysRerouted({ record, addresses }: HostEntry, { defaultPolicy }: PassSettings): boolean {
  if (record.state !== 'na' || ![...addresses.values()].some((address) => address.checked === 0)) return false;
  return wanted(policyOf(record.policy, defaultPolicy), votesOf(addresses)) === false;
}

/** It was the same host, checked in the same way, that the round asked. */
function isStillAsked({ host, check, policy }: Round, state: State): boolean {
  const record = state.host(host)?.record;
  return record !== undefined && record.policy === policy && sameCheck(record.check, check);
}

/** Something of it may be the fault of our own side. */
function isIll({ resolved, checked }: Round): boolean {
  return resolved?.answered === false || checked.some(({ result }) => result.kind === 'fail');
}
