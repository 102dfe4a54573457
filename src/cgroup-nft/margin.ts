/** How long before a unit's process began its rules were in the kernel: measured for each start, asked for in batches afterwards. */
import type { Clock, Timer } from '../core/clock.ts';
import type { UnitStarts } from '../system/unit-ports.ts';

/** systemd knows the main process a moment after the cgroup is made; whole bursts of starts are asked for at once. */
const askAfter = 2000;
/** A unit that has no main process by now (a oneshot without RemainAfterExit is gone) is asked for no more. */
const mostTries = 2;

export interface Margin {
  /** Milliseconds from the rule in the kernel to the process's start; negative: the rule came late. */
  readonly ms: number;
  /** CLOCK_MONOTONIC, microseconds. */
  readonly started: number;
}

export interface MarginOptions {
  readonly clock: Clock;
  readonly starts: UnitStarts;
  readonly onMargin: (path: string, unit: string, margin: Margin) => void;
}

interface Waiting {
  readonly path: string;
  readonly unit: string;
  readonly appliedAt: number;
  readonly tries: number;
}

export class Margins {
  readonly #options: MarginOptions;
  readonly #abort = new AbortController();
  #waiting = new Map<string, Waiting>();
  #timer: Timer | undefined;

  constructor(options: MarginOptions) {
    this.#options = options;
  }

  /** The rules of this cgroup are in the kernel since `appliedAt` (CLOCK_MONOTONIC, microseconds). */
  applied(path: string, appliedAt: number): void {
    const unit = path.slice(path.lastIndexOf('/') + 1);
    // Scopes and slices have no main process, and a user manager's units are not known to the system's one.
    if (!unit.endsWith('.service') || path.startsWith('user.slice/')) return;
    this.#wait({ path, unit, appliedAt, tries: 0 });
  }

  stop(): void {
    this.#abort.abort();
    this.#timer?.cancel();
  }

  #wait(waiting: Waiting): void {
    this.#waiting.set(waiting.path, waiting);
    this.#timer ??= this.#options.clock.after(askAfter, () => {
      this.#timer = undefined;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    const { starts, onMargin } = this.#options;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    const found = await starts.mainStarts(
      [...waiting.values()].map(({ unit }) => unit),
      this.#abort.signal,
    );
    if (this.#abort.signal.aborted) return;
    for (const one of waiting.values()) {
      const started = found.get(one.unit);
      if (started !== undefined && started > 0) {
        onMargin(one.path, one.unit, { ms: (started - one.appliedAt) / 1000, started });
      } else if (one.tries + 1 < mostTries) this.#wait({ ...one, tries: one.tries + 1 });
    }
  }
}
