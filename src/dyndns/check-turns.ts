/** The turns of signature checks: known owners at once, strangers as the budget allows, and between two turns the socket has its own. */
import type { Clock } from '../core/clock.ts';
import { CheckBudget } from './check-budget.ts';
import { type Queued, SourceQueue } from './queue.ts';

/** Checks of packets from familiar addresses in a turn: 2 ms. */
const mostFamiliar = 16;

export class CheckTurns<Item extends Queued> {
  readonly #clock: Clock;
  readonly #check: (item: Item) => Promise<void>;
  readonly #queue = new SourceQueue<Item>();
  readonly #budget = new CheckBudget();
  #running: Promise<void> | undefined;
  /** Ends a rest. */
  #wake = (): void => {};
  #stopped = false;
  #arrived = 0;
  #lastArrival = 0;

  /** `check` must not reject. */
  constructor(clock: Clock, check: (item: Item) => Promise<void>) {
    this.#clock = clock;
    this.#check = check;
  }

  get busy(): boolean {
    return this.#queue.size > 0 || this.#running !== undefined;
  }

  get queue(): { readonly replaced: number; readonly dropped: number } {
    return this.#queue;
  }

  /** Of every packet, those that are refused at once included: reading them takes the time that checks do not get. */
  arrived(now: number): void {
    this.#arrived += 1;
    this.#lastArrival = now;
  }

  put(item: Item): void {
    if (this.#stopped) return;
    this.#queue.put(item);
    if (item.familiar) this.#wake();
    this.#running ??= this.#run();
  }

  /** Resolves when no check is on its way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.size > 0 && !this.#stopped) {
      const before = this.#arrived;
      // The socket has its turn first: packets of others come in while these are checked.
      await new Promise<void>((resolve) => setImmediate(resolve));
      // The owners' own packets wait for nobody.
      for (let checks = 0; checks < mostFamiliar; checks += 1) {
        const own = this.#queue.takeFamiliar();
        if (own === undefined) break;
        await this.#check(own);
      }
      await this.#strangers(this.#arrived - before);
    }
    // In the same step as the look at the queue: what is put right after it begins anew.
    this.#running = undefined;
  }

  async #strangers(arrived: number): Promise<void> {
    const clock = this.#clock;
    let now = clock.monotonic();
    const most = this.#budget.next(arrived, now, now - this.#lastArrival);
    for (let checks = 0; checks < most; checks += 1) {
      const next = this.#queue.take();
      if (next === undefined) return;
      await this.#check(next);
      const began = now;
      now = clock.monotonic();
      if (!next.familiar) this.#budget.spent(now - began);
    }
    if (most === 0 && this.#budget.pause > 0) await this.#rest(this.#budget.pause);
  }

  /** Resolves after so many milliseconds, or as soon as there is a packet that waits for nobody. */
  async #rest(ms: number): Promise<void> {
    if (this.#queue.hasFamiliar || this.#queue.size === 0 || this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
