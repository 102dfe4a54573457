/** The signals of `netsteward nbrpc`: HUP (now, and the full policy), QUIT (now), TERM and INT (a clean end). */
import type { Clock, Timer } from '../core/clock.ts';

/**
 * To be made before the state file is opened and closed after it: a signal that nobody takes would end the process with
 * the file's write-ahead log beside it (signal(7), default actions).
 */
export class Signals {
  readonly #abort = new AbortController();
  readonly #handlers: readonly (readonly [NodeJS.Signals, () => void])[];
  #sync = false;
  #awake = false;
  /** Ends the wait that is under way. */
  #wake: () => void = () => {};

  constructor() {
    const now = (): void => {
      this.#awake = true;
      this.#wake();
    };
    const stop = (): void => {
      this.#abort.abort(new Error('stopped'));
      this.#wake();
    };
    const fully = (): void => {
      this.#sync = true;
      now();
    };
    this.#handlers = [
      ['SIGHUP', fully],
      ['SIGQUIT', now],
      ['SIGTERM', stop],
      ['SIGINT', stop],
    ];
    for (const [name, handler] of this.#handlers) process.on(name, handler);
  }

  /** Aborts with TERM and INT. */
  get stop(): AbortSignal {
    return this.#abort.signal;
  }

  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Whether the full policy is asked for; asks no more afterwards. A pass that begins now answers what came before. */
  begin(): boolean {
    const sync = this.#sync;
    this.#sync = false;
    this.#awake = false;
    return sync;
  }

  /** Milliseconds; ends sooner with the next signal, and at once if one came since begin(). */
  async wait(clock: Clock, ms: number): Promise<void> {
    if (this.stopped || this.#awake) return;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = clock.after(ms, resolve);
    });
    timer?.cancel();
  }

  close(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler);
  }
}
