/** Starts of units that a test sets, and a monotonic clock that it moves. */
import type { UnitStarts } from '../../src/system/unit-ports.ts';

export class FakeUnitStarts implements UnitStarts {
  readonly #starts = new Map<string, number>();
  readonly #now: () => number;
  /** The units of each question, in order. */
  readonly requests: (readonly string[])[] = [];
  /** Called before each answer. */
  delay: () => Promise<void> = () => Promise.resolve();

  /** `now`: CLOCK_MONOTONIC, microseconds. */
  constructor(now: () => number = () => 0) {
    this.#now = now;
  }

  /** `at`: CLOCK_MONOTONIC, microseconds; undefined for a unit without a main process. */
  set(unit: string, at: number | undefined): void {
    if (at === undefined) this.#starts.delete(unit);
    else this.#starts.set(unit, at);
  }

  now(): number {
    return this.#now();
  }

  async mainStarts(units: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    this.requests.push(units);
    await this.delay();
    if (signal.aborted) return new Map();
    return new Map(
      units.flatMap((unit) => {
        const at = this.#starts.get(unit);
        return at === undefined ? [] : [[unit, at] as const];
      }),
    );
  }
}
