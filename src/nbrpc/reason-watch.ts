/** Runs the second looks beside the checks: what fails is told to it, and it tells what it found. */
import type { Clock } from '../core/clock.ts';
import type { Cause } from './reason.ts';
import { LookAgenda } from './reason-agenda.ts';
import type { CauseLook, Suspect } from './reason-look.ts';

/** `address` empty: the name gives none, and `cause` is of the name. `since`: when it began to fail, seconds since the epoch. */
export interface Failed extends Suspect {
  readonly since: number;
}

export interface CauseWatchOptions {
  readonly clock: Clock;
  readonly look: Pick<CauseLook, 'look' | 'lookName'>;
  /** Only where a look found more than the check had said. */
  readonly found: (host: string, address: string, cause: Cause) => void;
  /** A look that could not be made: never because of what the network does. */
  readonly failed: (error: unknown) => void;
}

export class CauseWatch {
  readonly #options: CauseWatchOptions;
  readonly #agenda = new LookAgenda();
  /** The newest word of each that waits for a look. */
  readonly #waiting = new Map<string, Failed>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: CauseWatchOptions) {
    this.#options = options;
  }

  /** What fails now, by checks that count. Returns at once; a few looks are made at a time. */
  tell(failing: Iterable<Failed>): void {
    if (this.#stop.signal.aborted) return;
    for (const each of failing) this.#waiting.set(`${each.host} ${each.address}`, each);
    if (this.#waiting.size > 0) this.#running ??= this.#run().finally(() => this.#ended());
  }

  /** Resolves when no look runs any more, and none will. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (;;) {
      const batch = this.#agenda.take(this.#waiting.values(), this.#options.clock.now() / 1000);
      if (batch.length === 0 || this.#stop.signal.aborted) break;
      for (const { host, address } of batch) this.#waiting.delete(`${host} ${address}`);
      await Promise.all(batch.map((failed) => this.#lookAt(failed)));
    }
    // The others were looked at lately; who still fails then is told of again.
    this.#waiting.clear();
  }

  #ended(): void {
    this.#running = undefined;
    this.tell([]);
  }

  async #lookAt(failed: Failed): Promise<void> {
    const { look, found } = this.#options;
    const { host, address, cause } = failed;
    try {
      const { signal } = this.#stop;
      const more = address === '' ? await look.lookName(host, cause, signal) : await look.look(failed, signal);
      if (more !== cause && !signal.aborted) found(host, address, more);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#options.failed(error);
    }
  }
}
