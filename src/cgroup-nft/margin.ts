/** How long before a unit's process began its rules were in the kernel: measured for each start, asked for in batches afterwards. */
import type { Clock, Timer } from '../core/clock.ts';
import type { UnitStarts } from '../system/unit-ports.ts';
import { unitOfDirectory } from './unit-name.ts';

/** systemd knows the main process a moment after the cgroup is made; whole bursts of starts are asked for at once. */
const askAfter = 2000;
/** A unit that has no main process by now (a oneshot without RemainAfterExit is gone) is asked for no more. */
const mostTries = 2;
/** Microseconds that the end of a cgroup may be noticed late, in one go with the next one's beginning. */
const noticedLate = 1_000_000;
/** Cgroups whose end is remembered; transient units have ever new names. */
const mostEnds = 4096;

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
  /** CLOCK_MONOTONIC, microseconds. */
  readonly appliedAt: number;
  /** A process that began before this is one of an earlier run: of a unit that ran before there were rules for it, or of the cgroup before. */
  readonly notBefore: number;
  /** Of the injected clock. */
  readonly askAt: number;
  readonly tries: number;
}

/** The unit of the system's manager that a cgroup is for; undefined for all others. */
export function measuredUnit(path: string): string | undefined {
  const names = path.split('/');
  const unit = unitOfDirectory(names.pop() ?? '');
  // Below anything but slices other managers have theirs (users', containers'), whose units have the same names. Scopes and
  // slices have no main process.
  return unit.endsWith('.service') && names.every((name) => name.endsWith('.slice')) ? unit : undefined;
}

export class Margins {
  readonly #options: MarginOptions;
  readonly #abort = new AbortController();
  readonly #ends = new Map<string, number>();
  #since: number;
  #waiting = new Map<string, Waiting>();
  #timer: Timer | undefined;
  #asking = false;

  constructor(options: MarginOptions) {
    this.#options = options;
    this.#since = options.starts.now();
  }

  /** Other rules are in force from now on: what began before them was not late. */
  restart(): void {
    this.#since = this.#options.starts.now();
  }

  /** The rules of this cgroup are in the kernel since `appliedAt` (CLOCK_MONOTONIC, microseconds). */
  applied(path: string, appliedAt: number): void {
    const unit = measuredUnit(path);
    if (unit === undefined) return;
    const notBefore = Math.max(this.#since, (this.#ends.get(path) ?? 0) - noticedLate);
    const askAt = this.#options.clock.monotonic() + askAfter;
    this.#wait({ path, unit, appliedAt, notBefore, askAt, tries: 0 });
  }

  /** The cgroup is gone, and with it the process. */
  gone(path: string): void {
    this.#waiting.delete(path);
    if (measuredUnit(path) === undefined) return;
    this.#ends.delete(path);
    this.#ends.set(path, this.#options.starts.now());
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > mostEnds && oldest !== undefined) this.#ends.delete(oldest);
  }

  stop(): void {
    this.#abort.abort();
    this.#timer?.cancel();
  }

  #wait(waiting: Waiting): void {
    this.#waiting.set(waiting.path, waiting);
    this.#askLater();
  }

  #askLater(): void {
    if (this.#timer !== undefined || this.#asking || this.#waiting.size === 0) return;
    const { clock } = this.#options;
    const next = Math.min(...[...this.#waiting.values()].map(({ askAt }) => askAt));
    this.#timer = clock.after(Math.max(0, next - clock.monotonic()), () => {
      this.#timer = undefined;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    const { clock, starts, onMargin } = this.#options;
    const now = clock.monotonic();
    const due = [...this.#waiting.values()].filter(({ askAt }) => askAt <= now);
    if (due.length === 0) return this.#askLater();
    for (const { path } of due) this.#waiting.delete(path);
    this.#asking = true;
    const found = await starts.mainStarts([...new Set(due.map(({ unit }) => unit))], this.#abort.signal);
    this.#asking = false;
    if (this.#abort.signal.aborted) return;
    for (const one of due) {
      // Gone and applied anew meanwhile: that one is waited for.
      if (this.#waiting.has(one.path) || (this.#ends.get(one.path) ?? 0) > one.appliedAt) continue;
      const started = found.get(one.unit);
      if (started !== undefined && started > one.notBefore) {
        onMargin(one.path, one.unit, { ms: (started - one.appliedAt) / 1000, started });
      } else if (one.tries + 1 < mostTries) {
        this.#wait({ ...one, tries: one.tries + 1, askAt: clock.monotonic() + askAfter });
      }
    }
    this.#askLater();
  }
}
