/** Which addresses got another route since the kernel last held what was wanted: those whose sets have changed (pure but for its memory). */
import type { Deltas } from './nft-set-home.ts';

export class RouteChanges {
  /** Sets that mean a route. */
  readonly #sets: ReadonlySet<string>;
  readonly #pending = new Set<string>();

  constructor(sets: Iterable<string>) {
    this.#sets = new Set(sets);
  }

  /** The kernel is about to be changed by these. */
  note(deltas: Deltas): void {
    for (const [set, { add, delete: gone }] of deltas) {
      if (!this.#sets.has(set)) continue;
      for (const address of [...add, ...gone]) this.#pending.add(address);
    }
  }

  /** The kernel holds what is wanted: all that have changed until now, once. */
  take(): ReadonlySet<string> {
    const taken = new Set(this.#pending);
    this.#pending.clear();
    return taken;
  }
}
