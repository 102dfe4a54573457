/** Whether a module that runs elsewhere still answers: the pings, who waits for their answers, and when a silence is a hang. */
import type { Clock, Timer } from '../core/clock.ts';
import { within } from './time-limit.ts';

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** Milliseconds between two pings: each wakes both sides. */
  readonly interval: number;
  /** Milliseconds without an answer after which `onHang` is called. */
  readonly hangLimit: number;
  /** `detail`: whether the answer is to hold the module's whole picture. */
  readonly send: (id: number, detail: boolean) => void;
  readonly onHang: () => void;
}

/** Milliseconds that a question waits for its answer. */
export const answerLimit = 2000;
/** Milliseconds after which a reason to ask leads to a question: a burst of reasons is one. */
const burst = 1000;
/** A hang counts in steps: after a while in which this process was frozen too, one step is over and not all of the limit. */
const hangSteps = 5;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #lastId = 0;
  /** Whoever waits for an answer to the ping of this id, or to a later one. */
  #askers: { readonly id: number; readonly tell: () => void }[] = [];
  /** The oldest ping without an answer, and when (monotonic) it was sent. */
  #awaited: { readonly id: number; readonly since: number } | undefined;
  #next: Timer | undefined;
  #early: Timer | undefined;
  #patience: Timer | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#beat();
  }

  /** Milliseconds since the oldest question that has no answer; 0 where there is none. */
  get silence(): number {
    return this.#awaited === undefined ? 0 : this.#options.clock.monotonic() - this.#awaited.since;
  }

  /** Resolves at the answer to a question of now, or after `answerLimit`. */
  async ask(): Promise<void> {
    const answered = new Promise<void>((tell) => this.#askers.push({ id: this.#ping(true), tell }));
    await within(this.#options.clock, answerLimit, answered);
  }

  /** There may be news. */
  soon(): void {
    this.#early ??= this.#options.clock.after(burst, () => {
      this.#early = undefined;
      if (this.#awaited === undefined) this.#ping(false);
    });
  }

  /** Answers come in the order of the questions. */
  answered(id: number): void {
    if (this.#awaited !== undefined && id >= this.#awaited.id) {
      this.#awaited = undefined;
      this.#patience?.cancel();
    }
    this.#tell(id);
  }

  /** Those who still wait will get no answer. */
  giveUp(): void {
    this.#tell(this.#lastId);
  }

  end(): void {
    for (const timer of [this.#next, this.#early, this.#patience]) timer?.cancel();
    this.giveUp();
  }

  #beat(): void {
    this.#next = this.#options.clock.after(this.#options.interval, () => {
      this.#beat();
      if (this.#awaited === undefined) this.#ping(false);
    });
  }

  #ping(detail: boolean): number {
    const { clock, send } = this.#options;
    const id = ++this.#lastId;
    send(id, detail);
    if (this.#awaited === undefined) {
      this.#awaited = { id, since: clock.monotonic() };
      this.#wait(1);
    }
    return id;
  }

  #wait(step: number): void {
    const { clock, hangLimit, onHang } = this.#options;
    this.#patience = clock.after(hangLimit / hangSteps, () => {
      if (step < hangSteps) this.#wait(step + 1);
      else onHang();
    });
  }

  #tell(id: number): void {
    const told = this.#askers.filter((asker) => asker.id <= id);
    this.#askers = this.#askers.filter((asker) => asker.id > id);
    for (const { tell } of told) tell();
  }
}
