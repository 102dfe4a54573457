/** Events of a unit come in bursts: the first acts at once, those within the cooldown after it are folded into one at its end. */
import type { Clock, Timer } from '../core/clock.ts';

export class Cooldown {
  readonly #clock: Clock;
  readonly #length: number;
  readonly #act: (key: string) => void;
  readonly #cooling = new Map<string, { timer: Timer; again: boolean }>();

  /** `length` in milliseconds. */
  constructor(clock: Clock, length: number, act: (key: string) => void) {
    this.#clock = clock;
    this.#length = length;
    this.#act = act;
  }

  event(key: string): void {
    const cooling = this.#cooling.get(key);
    if (cooling !== undefined) {
      cooling.again = true;
      return;
    }
    if (this.#length > 0) this.#cool(key);
    this.#act(key);
  }

  stop(): void {
    for (const { timer } of this.#cooling.values()) timer.cancel();
    this.#cooling.clear();
  }

  #cool(key: string): void {
    const timer = this.#clock.after(this.#length, () => {
      const again = this.#cooling.get(key)?.again === true;
      this.#cooling.delete(key);
      if (!again) return;
      this.#cool(key);
      this.#act(key);
    });
    this.#cooling.set(key, { timer, again: false });
  }
}
