/** Checks under way: at most one of an address on each route, and what they brought until it was dealt with. */
import type { Clock, Timer } from '../../core/clock.ts';
import { familyOf } from '../address.ts';
import { type CheckSource, checkTarget } from '../checker.ts';
import type { Exit } from '../exits.ts';
import type { CheckResult, CheckSpec } from '../model.ts';
import type { PromptResult } from './decide.ts';

export interface Asked {
  readonly host: string;
  readonly address: string;
  readonly check: CheckSpec;
}

export interface AskingOptions {
  readonly clock: Clock;
  readonly checks: CheckSource;
  readonly exits: readonly Exit[];
  /** Whether a result may change anything; what does not can wait longer. */
  readonly isNews: (result: PromptResult) => boolean;
  /** Told when results are there to be taken. */
  readonly onResults: () => void;
  /** Milliseconds that a check through an exit took which worked. */
  readonly onTook: (exit: string, ms: number) => void;
}

/** Milliseconds that results wait for others, and those that are no news: each saving costs a transaction, and a flash disk's life. */
const gathering = 500;
const idling = 30_000;

interface UnderWay {
  readonly abort: AbortController;
  direct: boolean;
  exit: boolean;
}

export class Asking {
  readonly #options: AskingOptions;
  readonly #underWay = new Map<string, Map<string, UnderWay>>();
  /** When exits were last asked for an address, seconds; by host and address. */
  readonly #exitsAsked = new Map<string, Map<string, number>>();
  readonly #running = new Set<Promise<void>>();
  #results: PromptResult[] = [];
  #timer: Timer | undefined;
  /** When it fires, by the monotonic clock. */
  #announced = 0;
  #defect: unknown;
  #closed = false;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  isBusy(host: string, address: string, route: 'direct' | 'exit'): boolean {
    return this.#underWay.get(host)?.get(address)?.[route] ?? false;
  }

  exitsAsked(host: string, address: string): number {
    return this.#exitsAsked.get(host)?.get(address) ?? 0;
  }

  /** `wanted`: somebody waits for what comes of it, whatever that is. */
  direct(asked: Asked, wanted = false): void {
    const ask = async (signal: AbortSignal): Promise<Pick<PromptResult, 'direct' | 'exits'>> => ({
      direct: await checkTarget(this.#options.checks, asked, signal),
      exits: null,
    });
    this.#ask(asked, 'direct', ask, wanted);
  }

  /** Where none of the exits can be asked, nothing is known of the way around. */
  exits(asked: Asked, names: readonly string[]): void {
    const { host, address } = asked;
    const times = this.#exitsAsked.get(host) ?? new Map<string, number>();
    this.#exitsAsked.set(host, times.set(address, this.#now()));
    this.#ask(asked, 'exit', async (signal) => {
      const results = await Promise.all(names.map((name) => this.#through(name, asked, signal)));
      return { direct: null, exits: new Map(results.flatMap((result) => (result === undefined ? [] : [result]))) };
    });
  }

  /** What has come, until done() or a drop. Throws what a check has failed with, which is a defect. */
  finished(): readonly PromptResult[] {
    if (this.#defect !== undefined) throw this.#defect;
    return [...this.#results];
  }

  /** These were dealt with: their addresses are free again. */
  done(results: readonly PromptResult[]): void {
    const gone = new Set(results);
    this.#results = this.#results.filter((result) => !gone.has(result));
    for (const { host, address, direct } of results) this.#free(host, address, direct === null ? 'exit' : 'direct');
  }

  /** What it would have brought is of no interest any more. */
  dropHost(host: string): void {
    for (const { abort } of this.#underWay.get(host)?.values() ?? []) abort.abort(new Error('dropped'));
    this.#underWay.delete(host);
    this.#exitsAsked.delete(host);
    this.#results = this.#results.filter((result) => result.host !== host);
  }

  /** The service has this address no more. */
  forget(host: string, address: string): void {
    this.#exitsAsked.get(host)?.delete(address);
  }

  dropAll(): void {
    for (const host of this.#underWay.keys()) this.dropHost(host);
    this.#results = [];
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.dropAll();
    await Promise.all(this.#running);
  }

  async #through(name: string, asked: Asked, signal: AbortSignal): Promise<[string, CheckResult] | undefined> {
    const { clock, checks, exits, onTook } = this.#options;
    const source = exits.find((exit) => exit.name === name)?.source[familyOf(asked.address)];
    if (source === undefined) return undefined;
    const started = clock.monotonic();
    const result = await checkTarget(checks, { ...asked, source }, signal);
    if (result.kind === 'ok') onTook(name, clock.monotonic() - started);
    return [name, result];
  }

  #ask(
    { host, address, check }: Asked,
    route: 'direct' | 'exit',
    ask: (signal: AbortSignal) => Promise<Pick<PromptResult, 'direct' | 'exits'>>,
    wanted = false,
  ): void {
    if (this.#closed) return;
    const addresses = this.#underWay.get(host) ?? new Map<string, UnderWay>();
    this.#underWay.set(host, addresses);
    const state = addresses.get(address) ?? { abort: new AbortController(), direct: false, exit: false };
    addresses.set(address, state);
    state[route] = true;
    const { signal } = state.abort;
    const running = ask(signal)
      .then(
        (result) => {
          if (signal.aborted) return;
          const whole = { host, address, check, at: this.#now(), ...result };
          this.#results.push(whole);
          this.#announce(wanted || this.#options.isNews(whole) ? gathering : idling);
        },
        (error: unknown) => {
          if (signal.aborted) return;
          this.#defect = error;
          this.#announce(gathering);
        },
      )
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #free(host: string, address: string, route: 'direct' | 'exit'): void {
    const addresses = this.#underWay.get(host);
    const state = addresses?.get(address);
    if (addresses === undefined || state === undefined) return;
    state[route] = false;
    if (!state.direct && !state.exit) addresses.delete(address);
    if (addresses.size === 0) this.#underWay.delete(host);
  }

  /** In so many milliseconds at the latest. */
  #announce(within: number): void {
    const { clock, onResults } = this.#options;
    const at = clock.monotonic() + within;
    if (this.#timer !== undefined && this.#announced <= at) return;
    this.#timer?.cancel();
    this.#announced = at;
    this.#timer = clock.after(within, () => {
      this.#timer = undefined;
      onResults();
    });
  }

  #now(): number {
    return this.#options.clock.monotonic() / 1000;
  }
}
