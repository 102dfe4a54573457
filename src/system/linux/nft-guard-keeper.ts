/** Puts the guard's table back when others flush it with the rest of the ruleset. */
import { type Backoff, backoffDelay } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import { type GuardSpec, guardOperations, guardTable } from '../guard-table.ts';
import { hasTable } from '../nft-names.ts';
import { type NftOperation, nftScript } from '../nft-script.ts';
import type { Nft, RulesetChange, RulesetEvents } from '../ports.ts';

export interface GuardKeeperOptions {
  readonly spec: GuardSpec;
  readonly nft: Nft;
  readonly events: RulesetEvents;
  readonly clock: Clock;
  readonly problem: (code: string, message: string) => void;
}

const retry: Backoff = { first: 100, most: 30_000 };

/** A table that is there counts as right: what is in it may be of another `netsteward guard load`. */
export class GuardKeeper {
  readonly #options: GuardKeeperOptions;
  #watch: { close(): Promise<void> } | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: GuardKeeperOptions) {
    this.#options = options;
    this.#start();
  }

  /** The table stays. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#watch?.close();
  }

  #start(): void {
    const { events, nft } = this.#options;
    const own = (): ReadonlySet<number> => new Set(nft.portId === undefined ? [] : [nft.portId]);
    const lost = (): void => {
      this.#watch = undefined;
      this.#again(() => {
        this.#start();
        void this.#restore();
      });
    };
    try {
      this.#watch = events.watch(own, (change) => this.#noticed(change), lost);
    } catch {
      lost();
    }
  }

  #noticed({ tables }: RulesetChange): void {
    if (tables === '*' || tables.has(guardTable.name)) void this.#restore();
  }

  async #restore(): Promise<void> {
    const { nft, spec, problem } = this.#options;
    if (this.#closed) return;
    try {
      if (!hasTable(await nft.list(nftScript({ op: 'list-tables' })), guardTable)) {
        await nft.apply(nftScript(...guardOperations(spec)));
      }
      this.#failures = 0;
    } catch (error) {
      if (this.#closed) return;
      problem(
        'guard-not-loaded',
        `the table ${guardTable.name} is missing and cannot be loaded: ${describeError(error)}`,
      );
      this.#again(() => void this.#restore());
    }
  }

  #again(work: () => void): void {
    if (this.#closed) return;
    this.#failures += 1;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(backoffDelay(this.#failures, retry), work);
  }
}

/** What takes away a guard that this configuration does not have: nothing would lift its drop any more. */
export async function restOfGuard(nft: Nft): Promise<readonly NftOperation[]> {
  const there = hasTable(await nft.list(nftScript({ op: 'list-tables' })), guardTable);
  return there ? [{ op: 'delete-table', table: guardTable }] : [];
}
