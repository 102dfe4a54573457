/** One resolver under watch: checks it when it is time, asks the guard, applies cures, and tells what happened. */
import { type Clock, sleep } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import { type CheckResult, provesNetwork } from './check-result.ts';
import { applyCure, type Cure, type CurePorts, type Fallback, nameOf, putBack } from './cures.ts';
import type { NetworkState } from './guard.ts';
import type { HappeningKind } from './history.ts';
import { counted, emptyTally, type Tally } from './tally.ts';
import {
  afterCheck,
  afterCure,
  type Decision,
  firstVerdict,
  newWatch,
  type Verdict,
  type WatchSettings,
  type WatchState,
} from './watchdog.ts';

export interface ResolverWatchOptions {
  readonly label: string;
  readonly settings: Omit<WatchSettings, 'cures'> & {
    /** Milliseconds of `share` that are kept for asking the guard. */
    readonly guard?: number;
  };
  readonly cures: readonly Cure[];
  /** Where an earlier process left off. */
  readonly state?: WatchState;
}

export interface ResolverWatchPorts extends CurePorts {
  readonly clock: Clock;
  /** `within`: milliseconds for all of its questions; undefined: as long as they take. */
  readonly check: (signal: AbortSignal, within?: number) => Promise<CheckResult>;
  /** Asked only after a failed check that does not prove by itself that the network is up. */
  readonly network: (signal: AbortSignal, within?: number) => Promise<NetworkState>;
  /** Hears of each check. */
  readonly checked?: (result: CheckResult) => void;
  /** Something that people want to know of. */
  readonly tell: (kind: HappeningKind, text: string) => void;
  /** After each step: the state is a new one. */
  readonly changed: () => void;
}

export class ResolverWatch {
  readonly label: string;
  readonly cures: readonly Cure[];
  readonly #settings: WatchSettings & { readonly guard?: number };
  readonly #ports: ResolverWatchPorts;
  #state: WatchState;
  #tally = emptyTally;
  #last: CheckResult | undefined;
  #resting = false;
  #reached: () => void = () => {};
  /** Files that lead to a fallback at the moment. */
  #switched: readonly Fallback[] = [];

  constructor({ label, settings, cures, state = newWatch }: ResolverWatchOptions, ports: ResolverWatchPorts) {
    this.label = label;
    this.cures = cures;
    this.#settings = { ...settings, cures: cures.length };
    this.#ports = ports;
    this.#state = state;
  }

  get state(): WatchState {
    return this.#state;
  }

  get tally(): Tally {
    return this.#tally;
  }

  get last(): CheckResult | undefined {
    return this.#last;
  }

  /** Names of files that lead to a fallback at the moment. */
  get switched(): readonly string[] {
    return this.#switched.map(({ file }) => file);
  }

  /** Resolves when the first check has ended. */
  readonly first: Promise<void> = new Promise((resolve) => {
    this.#reached = resolve;
  });

  /**
   * Watches until the signal aborts, and rejects with its reason then. Resolves only without cures and with `untilFailed`: when
   * the resolver has failed.
   */
  async run(signal: AbortSignal, { untilFailed = false } = {}): Promise<void> {
    const { clock } = this.#ports;
    this.#switched = await this.#leftSwitched();
    for (;;) {
      let decision = await this.#check(signal);
      this.#reached();
      if (untilFailed && decision.event === 'failed') return;
      while (decision.next.kind === 'cure') decision = await this.#cure(decision.next.index, signal);
      const { next } = decision;
      this.#resting = next.kind === 'rest';
      this.#ports.changed();
      await sleep(clock, Math.max(0, next.at - clock.monotonic()), signal);
    }
  }

  async #check(signal: AbortSignal): Promise<Decision> {
    const { clock, check, tell, checked } = this.#ports;
    const { share, guard = 0 } = this.#settings;
    const begun = clock.monotonic();
    const result = await check(signal, share === undefined ? undefined : share - guard);
    this.#last = result;
    this.#tally = counted(this.#tally, result);
    checked?.(result);
    const verdict = await this.#verdict(result, share === undefined ? undefined : begun + share, signal);
    const before = this.#state;
    const decision = afterCheck(before, verdict, clock.monotonic(), this.#settings, begun);
    this.#state = decision.state;
    if (verdict.kind === 'excused' && before.excused?.cause !== verdict.cause) tell('excused', verdict.text);
    this.#tellEvent(decision, before);
    await this.#putBack(signal);
    return decision;
  }

  async #verdict(result: CheckResult, end: number | undefined, signal: AbortSignal): Promise<Verdict> {
    const verdict = firstVerdict(result);
    if (verdict.kind !== 'ask') return verdict;
    const bad: Verdict = { kind: 'bad', failure: verdict.failure };
    if (provesNetwork(result)) return bad;
    const { network: ask, clock } = this.#ports;
    const network = await ask(signal, end === undefined ? undefined : Math.max(1, end - clock.monotonic()));
    return network.up ? bad : { kind: 'excused', cause: 'network', text: network.reason };
  }

  #tellEvent({ event, state, next }: Decision, before: WatchState): void {
    const { tell, clock } = this.#ports;
    if (event === 'failed' && state.failing !== undefined) {
      const { how, failure } = state.failing;
      tell('failed', `${failure.text}${how === 'flapping' ? ' (again, after a good answer)' : ''}`);
    }
    if (event === 'recovered') tell('recovered', 'it answers right again');
    if (event === 'cured') {
      const cure = this.cures[before.trying ?? -1];
      tell('cured', `it answers right again after ${cure === undefined ? 'a cure' : nameOf(cure)}`);
    }
    if (next.kind === 'rest' && !this.#resting) {
      const wait = formatDuration(next.until - clock.monotonic());
      const tried = this.cures.length === 0 ? 'there is no cure to try' : 'every cure was tried, none is tried again';
      tell('rest', this.cures.length === 0 ? tried : `${tried} for ${wait}`);
    }
  }

  async #cure(index: number, signal: AbortSignal): Promise<Decision> {
    const { clock, tell } = this.#ports;
    const cure = this.cures[index];
    const failure = this.#state.failing?.failure;
    if (cure === undefined || failure === undefined) throw new Error(`no cure ${index}, or nothing to cure`);
    this.#resting = false;
    tell('cure', `trying ${nameOf(cure)}`);
    // Kept before it is done: a process that ends in between must not begin with the first cure again.
    this.#ports.changed();
    const outcome = await applyCure(cure, { resolver: this.label, failure }, this.#ports, signal);
    if (!outcome.ok) tell('cure-failed', `${nameOf(cure)} failed: ${outcome.reason}`);
    else if (cure.kind === 'fallback') this.#switched = [...this.#switched.filter((one) => one !== cure), cure];
    const after = afterCure(this.#state, index, clock.monotonic(), cure.settle);
    this.#state = after.state;
    await sleep(clock, cure.settle, signal);
    return this.#check(signal);
  }

  /** As many good checks in a row as a recovery takes, so that a resolver that flaps is not switched to and fro. */
  async #putBack(signal: AbortSignal): Promise<void> {
    if (this.#state.failing !== undefined || this.#state.goodInARow <= this.#settings.retries) return;
    await this.#putBackAll(this.#switched, signal);
  }

  /** Puts back what leads to a fallback, but for these files: nobody would do it when this resolver is not watched any more. */
  async release(keep: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    await this.#putBackAll(
      this.#switched.filter(({ file }) => !keep.has(file)),
      signal,
    );
  }

  async #putBackAll(cures: readonly Fallback[], signal: AbortSignal): Promise<void> {
    for (const cure of cures) {
      const back = await putBack(cure, this.label, this.#ports, signal);
      if (back.what === 'failed') {
        this.#ports.tell('put-back-failed', `${cure.file} still leads to the fallback: ${back.reason}`);
        continue;
      }
      this.#switched = this.#switched.filter((one) => one !== cure);
      if (back.what === 'done') this.#ports.tell('put-back', `${cure.file} is as it was before the fallback`);
      if (back.what === 'left') this.#ports.tell('left-changed', `${cure.file} was changed by others, so it is left`);
    }
  }

  /** What an earlier process switched and did not put back. */
  async #leftSwitched(): Promise<readonly Fallback[]> {
    const found: Fallback[] = [];
    for (const cure of this.cures) {
      if (cure.kind !== 'fallback') continue;
      // A file that cannot be looked at now is told of when it is to be switched.
      const state = await this.#ports.switches.state(cure.file).catch(() => 'original' as const);
      if (state !== 'original') found.push(cure);
    }
    return found;
  }
}
