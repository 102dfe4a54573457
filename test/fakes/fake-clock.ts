/** A clock that stands still until a test moves it: days pass in microseconds. */
import type { Clock, Timer } from '../../src/core/clock.ts';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

export class FakeClock implements Clock {
  #wall: number;
  #mono = 0;
  #order = 0;
  #pending: Pending[] = [];

  /** `start`: the wall clock at first, milliseconds since the epoch. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#mono;
  }

  after(ms: number, action: () => void): Timer {
    const entry: Pending = { at: this.#mono + Math.max(0, ms), order: this.#order++, action };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((p) => p !== entry);
      },
    };
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Jumps the wall clock alone, as NTP or an administrator does. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  /** Lets `ms` pass, running due timers in order and giving promises a turn after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#mono + ms;
    await settle();
    for (;;) {
      const next = this.#pending.filter((p) => p.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.#pending = this.#pending.filter((p) => p !== next);
      this.#moveTo(next.at);
      next.action();
      await settle();
    }
    this.#moveTo(end);
    await settle();
  }

  #moveTo(mono: number): void {
    this.#wall += mono - this.#mono;
    this.#mono = mono;
  }
}

/** A few turns of the event loop, so that chains of promises finish. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
