/** Tells which services changed their route: once the kernel has it so, and why not yet where it has not. */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { Flip } from './flips.ts';
import { ReactionTimes } from './reaction-times.ts';

interface Waiting {
  readonly flip: Flip;
  /** That the kernel does not have it. */
  readonly told: boolean;
}

export class FlipLog {
  readonly #log: Logger;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly reactions = new ReactionTimes();
  /** Decided, and not in the kernel yet, by host. */
  readonly #waiting = new Map<string, readonly Waiting[]>();

  constructor(log: Logger, clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#log = log;
    this.#clock = clock;
  }

  /** What was decided. A flip back takes away what never came to the kernel. */
  decided(flips: readonly Flip[]): void {
    for (const flip of flips) {
      let { addresses } = flip;
      const waiting = (this.#waiting.get(flip.host) ?? []).flatMap((each) => {
        if (each.flip.to === flip.to) return [each];
        const before = each.flip.addresses;
        const left = before.filter((address) => !addresses.includes(address));
        addresses = addresses.filter((address) => !before.includes(address));
        return left.length === 0 ? [] : [{ ...each, flip: { ...each.flip, addresses: left } }];
      });
      if (addresses.length > 0) waiting.push({ flip: { ...flip, addresses }, told: false });
      this.#waiting.set(flip.host, waiting);
    }
  }

  /** The kernel holds everything that was decided. */
  applied(): void {
    for (const { flip } of [...this.#waiting.values()].flat()) {
      this.#log.info('flip', { ...fieldsOf(flip), ...this.#measured(flip) });
    }
    this.#waiting.clear();
  }

  /** Seconds that it took. */
  #measured({ host, began }: Flip): { readonly took?: number } {
    if (began === undefined) return {};
    const took = Math.max(0, Math.round(this.#clock.monotonic() / 100 - began.at * 10) / 10);
    this.reactions.add({ at: this.#clock.now(), kind: began.kind, host, took });
    return { took };
  }

  refused(reason: string): void {
    for (const [host, waiting] of this.#waiting) {
      for (const { flip, told } of waiting) {
        if (!told) this.#log.warn('flip-not-applied', { ...fieldsOf(flip), reason });
      }
      this.#waiting.set(
        host,
        waiting.map(({ flip }) => ({ flip, told: true })),
      );
    }
  }
}

function fieldsOf({ since, left: _left, began: _began, ...flip }: Flip) {
  return { ...flip, ...(since > 0 ? { since: new Date(since * 1000).toISOString() } : {}) };
}
