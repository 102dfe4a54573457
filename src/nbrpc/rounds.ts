/** Rounds under way: what is asked of one host, its name or its addresses, each in its own time and none waiting for another. */
import type { Clock, Timer } from '../core/clock.ts';
import type { Checked } from './decide.ts';
import type { CheckSpec } from './model.ts';
import type { ResolvedHost } from './resolve.ts';

export interface Answers {
  /** Absent where DNS was not asked. */
  readonly resolved?: ResolvedHost;
  readonly checked: readonly Checked[];
}

/** A host's round, and what came of it. Host, check and policy are as they were when it began. */
export interface Round extends Answers {
  readonly host: string;
  readonly check: CheckSpec;
  readonly policy: string;
}

export interface RoundStart {
  readonly host: string;
  readonly check: CheckSpec;
  readonly policy: string;
  /** How many checks it makes, for the progress. */
  readonly checks: number;
  /** Rejects only for an aborted signal, or for a defect. */
  readonly ask: (signal: AbortSignal, onCheck: () => void) => Promise<Answers>;
}

/** Checks since the last time when none was under way. */
export interface Progress {
  readonly done: number;
  readonly of: number;
}

/** Milliseconds that a finished round waits for others, while there are others: each saving costs a transaction. */
const gathering = 500;

export class Rounds {
  readonly #clock: Clock;
  /** Told when finished rounds are there to be taken. */
  readonly #onFinished: () => void;
  readonly #underWay = new Map<string, AbortController>();
  readonly #finished = new Map<string, Round>();
  readonly #running = new Set<Promise<void>>();
  #defect: unknown;
  #timer: Timer | undefined;
  #done = 0;
  #of = 0;
  #closed = false;

  constructor(clock: Clock, onFinished: () => void) {
    this.#clock = clock;
    this.#onFinished = onFinished;
  }

  /** A host has one round at a time: until its last one was taken, and dealt with. */
  isBusy(host: string): boolean {
    return this.#underWay.has(host) || this.#finished.has(host);
  }

  get idle(): boolean {
    return this.#underWay.size === 0 && this.#finished.size === 0;
  }

  get progress(): Progress {
    return { done: this.#done, of: this.#of };
  }

  /** For a host that is not busy. */
  start({ ask, checks, ...round }: RoundStart): void {
    if (this.#closed) return;
    if (this.idle) [this.#done, this.#of] = [0, 0];
    this.#of += checks;
    const abort = new AbortController();
    this.#underWay.set(round.host, abort);
    let left = checks;
    const onCheck = (): void => {
      left -= 1;
      this.#done += 1;
    };
    const running = ask(abort.signal, onCheck)
      .then(
        (answers) => this.#end(abort, { ...round, ...answers }),
        (error: unknown) => {
          if (!abort.signal.aborted) this.#fail(error);
        },
      )
      .finally(() => {
        // Of a round that was dropped, nothing is under way any more.
        this.#done += Math.max(0, left);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  /** The finished ones; they stay until done() or drop(). Throws what a round has failed with, which is a defect. */
  finished(): readonly Round[] {
    if (this.#defect !== undefined) throw this.#defect;
    return [...this.#finished.values()];
  }

  /** These were dealt with: their hosts are free again. */
  done(rounds: readonly Round[]): void {
    for (const round of rounds) if (this.#finished.get(round.host) === round) this.#finished.delete(round.host);
  }

  /** Ends a host's round; what it brought, or would have brought, is of no interest any more. */
  drop(host: string): void {
    this.#underWay.get(host)?.abort(new Error('dropped'));
    this.#underWay.delete(host);
    this.#finished.delete(host);
  }

  dropAll(): void {
    for (const host of [...this.#underWay.keys(), ...this.#finished.keys()]) this.drop(host);
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.dropAll();
    await Promise.all(this.#running);
  }

  #end(abort: AbortController, round: Round): void {
    if (abort.signal.aborted) return;
    this.#underWay.delete(round.host);
    this.#finished.set(round.host, round);
    this.#announce();
  }

  #fail(error: unknown): void {
    this.#defect = error;
    this.#announce();
  }

  /** At once where nothing else is awaited, else after a while. */
  #announce(): void {
    if (this.#underWay.size === 0 || this.#defect !== undefined) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#onFinished();
      return;
    }
    this.#timer ??= this.#clock.after(gathering, () => {
      this.#timer = undefined;
      this.#onFinished();
    });
  }
}
