/** The agent's part in connections: drops those to addresses that have got another route, after the kernel holds it. */
import { describeError } from '../../core/errors.ts';
import type { ConnectionDropper } from './tracked-connections.ts';

export type DropReport =
  /** Entries that went. */
  { readonly addresses: number; readonly dropped: number } | { readonly addresses: number; readonly problem: string };

export interface ConnectionDropsOptions {
  /** Called when the first address has changed its route, and again after a failure. */
  readonly open: () => Promise<ConnectionDropper>;
  readonly tell: (report: DropReport) => void;
}

export class ConnectionDrops {
  readonly #options: ConnectionDropsOptions;
  #dropper: ConnectionDropper | undefined;
  #waiting = new Set<string>();
  #work: Promise<void> | undefined;
  #closed = false;

  constructor(options: ConnectionDropsOptions) {
    this.#options = options;
  }

  /** Does not wait: whoever changes sets again meanwhile is not held up, and what comes meanwhile goes together. */
  moved(addresses: ReadonlySet<string>): void {
    if (this.#closed) return;
    for (const address of addresses) this.#waiting.add(address);
    if (this.#waiting.size > 0) this.#work ??= this.#run();
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
    this.#dropper?.close();
    this.#dropper = undefined;
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const addresses = this.#waiting;
      this.#waiting = new Set();
      await this.#drop(addresses);
    }
    this.#work = undefined;
  }

  async #drop(addresses: ReadonlySet<string>): Promise<void> {
    const { open, tell } = this.#options;
    try {
      this.#dropper ??= await open();
      tell({ addresses: addresses.size, dropped: await this.#dropper.drop(addresses) });
    } catch (error) {
      this.#dropper?.close();
      this.#dropper = undefined;
      tell({ addresses: addresses.size, problem: describeError(error) });
    }
  }
}
