/** The present, asked for over the control socket: once for all who ask at the same time, again and again while somebody watches. */
import { type Clock, sleep, type Timer } from '../../core/clock.ts';
import { NetstewardError } from '../../core/errors.ts';
import { eventText, type NetstewardEvent } from '../../core/events.ts';
import { Watchers } from './live.ts';
import { patchBetween, wholePatch } from './patch.ts';
import type { PageControl } from './ports.ts';
import type { Access, EventRow, PageProblem, PageState } from './shapes.ts';
import { pageState } from './state.ts';

/** Milliseconds: between two looks while somebody watches; at least, after an event; before the next try after a failure. */
export const lookInterval = 2000;
const soonest = 1000;
const retryDelay = 5000;

export interface PresentOptions {
  readonly clock: Clock;
  readonly control: () => PageControl;
  readonly access: () => Access;
}

export class Present {
  readonly watchers: Watchers;
  readonly #options: PresentOptions;
  #asking: Promise<PageState> | undefined;
  /** The last one, and when it came (monotonic). */
  #known: { readonly state: PageState; readonly at: number } | undefined;
  /** What the watchers were told last. */
  #told: PageState | undefined;
  #timer: Timer | undefined;
  #due = 0;
  #following: AbortController | undefined;

  constructor(options: PresentOptions) {
    this.#options = options;
    this.watchers = new Watchers(options.clock, (watched) => (watched ? this.#begin() : this.#end()));
  }

  /** Not older than a second. Rejects as PageControl.status() does. */
  async state(): Promise<PageState> {
    const { clock } = this.#options;
    if (this.#known !== undefined && clock.monotonic() - this.#known.at < soonest) return this.#known.state;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** What watchers know who are told everything now; the next patch goes on from there. Rejects as state() does. */
  async shared(): Promise<PageState> {
    const state = await this.state();
    // Those who watch already have to be brought up to the same picture first.
    this.#tell(state);
    return state;
  }

  /** Another service may answer from now on. */
  forget(): void {
    this.#known = undefined;
    if (this.watchers.count > 0) this.#look(0);
  }

  close(): void {
    this.watchers.close();
    this.#end();
  }

  async #ask(): Promise<PageState> {
    const { clock, control, access } = this.#options;
    const state = pageState(await control().status(), access());
    this.#known = { state, at: clock.monotonic() };
    return state;
  }

  #begin(): void {
    this.#look(lookInterval);
    const following = new AbortController();
    this.#following = following;
    void this.#follow(following.signal);
  }

  #end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#following?.abort();
    this.#told = undefined;
  }

  /** Looks in so many milliseconds, or sooner where that was planned before. */
  #look(delay: number): void {
    const due = this.#options.clock.monotonic() + delay;
    if (this.#timer !== undefined && this.#due <= due) return;
    this.#timer?.cancel();
    this.#due = due;
    this.#timer = this.#options.clock.after(delay, () => {
      this.#timer = undefined;
      void this.#lookNow();
    });
  }

  /** Never rejects. */
  async #lookNow(): Promise<void> {
    let next = lookInterval;
    try {
      this.#tell(await this.state());
    } catch (error) {
      next = retryDelay;
      this.watchers.send('problem', problemOf(error));
    }
    if (this.watchers.count > 0) this.#look(next);
  }

  #tell(state: PageState): void {
    const before = this.#told;
    if (before === state) return;
    this.#told = state;
    const patch = before === undefined ? wholePatch(state) : patchBetween(before, state);
    if (patch !== undefined) this.watchers.send('state', patch);
  }

  /** Never rejects. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, control } = this.#options;
    while (!signal.aborted) {
      try {
        for await (const event of control().follow(signal)) {
          this.watchers.send('event', eventRow(event));
          this.#look(soonest);
        }
      } catch {
        // The next look at the status, which goes the same way, tells what is wrong.
      }
      await sleep(clock, retryDelay, signal).catch(() => undefined);
    }
  }
}

export function eventRow(event: NetstewardEvent): EventRow {
  const { at, module, code, subject } = event;
  return { at, module, code, subject, text: eventText(event) };
}

export function problemOf(error: unknown): PageProblem {
  const remedy = error instanceof NetstewardError ? (error.remedy ?? '') : '';
  return { error: error instanceof Error ? error.message : String(error), remedy };
}
