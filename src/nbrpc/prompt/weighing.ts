/** What results are worth: which of them say something new, and which failures count after another look at the own side. */
import { type Clock, sleep } from '../../core/clock.ts';
import { isDoubted, viewTri } from '../exit-choice.ts';
import type { CheckResult } from '../model.ts';
import { type OwnSide, trialNames } from '../own-side.ts';
import type { StateStore } from '../store.ts';
import { failureExpected, isWell } from './address.ts';
import type { PromptResult } from './decide.ts';
import type { ExitWatch } from './exit-watch.ts';
import type { Live, LiveStates } from './live.ts';

/** Milliseconds from one look at the own side to the next, at the least: services of others are asked for it. */
export const lookGap = 10_000;

export interface WeighingOptions {
  readonly clock: Clock;
  readonly store: StateStore;
  readonly live: LiveStates;
  readonly watch: ExitWatch;
  /** OwnSideGates.look() */
  readonly look: (signal: AbortSignal, names: () => readonly string[]) => Promise<OwnSide>;
  /** The same of the control services alone, through an exit. */
  readonly lookThrough: (exit: string, signal: AbortSignal) => Promise<OwnSide>;
  /** Told of each look at the own side. */
  readonly onOwnSide: (own: OwnSide) => void;
  /** Told when a look through an exit was not what the ones before were. */
  readonly onDoubtedExit: () => void;
}

export interface Weighed {
  /** What was weighed. */
  readonly results: readonly PromptResult[];
  /** What counts of it. */
  readonly counted: readonly PromptResult[];
}

/** A failure counts after a look at the own side that began after it, one through an exit after one through that exit. */
export class Weighing {
  readonly #options: WeighingOptions;
  #lastLook = Number.NEGATIVE_INFINITY;

  constructor(options: WeighingOptions) {
    this.#options = options;
  }

  async look(signal: AbortSignal): Promise<OwnSide> {
    const { look, store, clock, onOwnSide } = this.#options;
    this.#lastLook = clock.monotonic();
    const own = await look(signal, () => trialNames(store.state));
    onOwnSide(own);
    return own;
  }

  async lookThrough(name: string, signal: AbortSignal): Promise<OwnSide> {
    const { lookThrough, watch, onDoubtedExit } = this.#options;
    const own = await lookThrough(name, signal);
    watch.looked(name, own);
    if (watch.doubted) onDoubtedExit();
    return own;
  }

  /** What has to be looked for waits here: services of others are asked for each look. */
  spaced(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return sleep(clock, Math.max(0, this.#lastLook + lookGap - clock.monotonic()), signal);
  }

  /** `finished`: what has come, and was not dropped since. Undefined: the own side does not work, and nothing counts. */
  async weigh(finished: () => readonly PromptResult[], signal: AbortSignal): Promise<Weighed | undefined> {
    const first = finished();
    if (!first.some((result) => this.#isDoubtful(result))) return { results: first, counted: first };
    await this.spaced(signal);
    const results = finished();
    const failed = results.flatMap(({ exits }) => [...(exits ?? [])].filter(isFailure).map(([name]) => name));
    const names = [...new Set(failed)];
    const [own, ...ways] = await Promise.all([
      this.look(signal),
      ...names.map((name) => this.lookThrough(name, signal)),
    ]);
    if (!own.ok) return undefined;
    const broken = new Set(names.filter((_, index) => ways[index]?.ok === false));
    // What was dropped meanwhile is none of ours any more.
    const still = new Set(finished());
    const left = results.filter((result) => still.has(result));
    return { results: left, counted: left.map((result) => without(result, broken)) };
  }

  /** Not what is known of the address already. */
  isNews(result: PromptResult): boolean {
    const known = this.#known(result);
    if (known === undefined) return true;
    const { direct, exits } = result;
    const { state, exits: views } = known;
    if (exits === null) return direct?.kind === 'ok' ? !isWell(state) : !failureExpected(state);
    const asBefore = ([name, { kind }]: [string, CheckResult]): boolean =>
      kind === 'ok' && viewTri(views[name]) === true && !isDoubted(views[name]);
    return state.now.suspicion !== null || ![...exits].every(asBefore);
  }

  /** A failure that could change something, and may be the fault of our own side or of the exit. */
  #isDoubtful(result: PromptResult): boolean {
    const known = this.#known(result);
    if (known === undefined) return false;
    const { direct, exits } = result;
    if (direct?.kind === 'fail' && !failureExpected(known.state)) return true;
    return [...(exits ?? [])].some((each) => isFailure(each) && viewTri(known.exits[each[0]]) !== false);
  }

  #known({ host, address }: PromptResult): Live | undefined {
    const { store, live, clock } = this.#options;
    const record = store.state.host(host)?.addresses.get(address);
    return record === undefined ? undefined : live.of(host, record, clock.monotonic() / 1000);
  }
}

function isFailure([, { kind }]: readonly [string, CheckResult]): boolean {
  return kind === 'fail';
}

/** What came through these exits says nothing. */
function without(result: PromptResult, broken: ReadonlySet<string>): PromptResult {
  if (result.exits === null || broken.size === 0) return result;
  return { ...result, exits: new Map([...result.exits].filter(([name]) => !broken.has(name))) };
}
