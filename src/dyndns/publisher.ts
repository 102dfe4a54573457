/** Runs the update command after a zone was written: one at a time, one more for all that came meanwhile, again when it fails. */
import { backoffDelay } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { Commands } from '../system/ports.ts';
import type { Family } from './address.ts';
import { factsOf } from './publish-facts.ts';

/** One record that the command is to bring into DNS. */
export interface Change {
  /** The zone file, absolute. */
  readonly zone: string;
  readonly keyId: string;
  readonly family: Family;
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export interface PublisherOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly commands: Commands;
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
  /** Asked after the command: why DNS does not serve the changes yet, or undefined. */
  readonly verify?: (changes: readonly Change[], signal: AbortSignal) => Promise<string | undefined>;
  /** All that was asked for so far is published. */
  readonly onPublished: () => void;
  readonly onFailure: (reason: string) => void;
}

const retries = { first: 1000, most: 300_000 };
/** Changes that are kept for the environment and for the question afterwards; the command itself needs none of them. */
const mostChanges = 200;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #stopped = new AbortController();
  #pending: Change[] | undefined;
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #lastError: string | undefined;
  #publishedAt: number | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  get idle(): boolean {
    return this.#pending === undefined && this.#running === undefined;
  }

  /** Whether the command, or the question after it, is on its way. */
  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Why the last run failed; undefined when it did not. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Wall clock, milliseconds, of the last run that did all. */
  get publishedAt(): number | undefined {
    return this.#publishedAt;
  }

  /** At once, or after the run that is on its way. `changes` may be empty: the zone is to be published all the same. */
  publish(changes: readonly Change[]): void {
    this.#pending = merged(this.#pending ?? [], changes);
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#start();
  }

  /** Ends what runs. What is not published stays so; the caller knows what it has asked for. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#retry?.cancel();
    await this.#running;
  }

  #start(): void {
    if (this.#running !== undefined || this.#pending === undefined || this.#stopped.signal.aborted) return;
    const changes = this.#pending;
    this.#pending = undefined;
    this.#running = this.#run(changes).then((reason) => {
      this.#running = undefined;
      this.#ended(changes, reason);
    });
  }

  /** Why it failed. */
  async #run(changes: readonly Change[]): Promise<string | undefined> {
    const { commands, argv, timeout, verify } = this.#options;
    const { signal } = this.#stopped;
    const outcome = await commands.run({ argv, timeout, env: factsOf(changes) }, signal);
    if (!outcome.ok) return outcome.reason;
    return verify?.(changes, signal);
  }

  #ended(changes: readonly Change[], reason: string | undefined): void {
    const { clock, log, onPublished, onFailure } = this.#options;
    if (this.#stopped.signal.aborted) return;
    if (reason === undefined) {
      this.#failures = 0;
      this.#lastError = undefined;
      this.#publishedAt = clock.now();
      log.info('published', { names: changes.map(({ name }) => name) });
      if (this.#pending === undefined) onPublished();
      this.#start();
      return;
    }
    this.#failures += 1;
    this.#lastError = reason;
    onFailure(reason);
    const newer = this.#pending;
    this.#pending = merged(changes, newer ?? []);
    // What came meanwhile may be what mends it: the failed run may have met a zone that was about to change.
    if (newer !== undefined && this.#failures === 1) this.#start();
    else this.#retry = clock.after(backoffDelay(this.#failures, retries), () => this.#start());
  }
}

/** The newest of each record counts, with the address that the oldest began with. */
function merged(older: readonly Change[], newer: readonly Change[]): Change[] {
  const found = new Map<string, Change>();
  for (const change of [...older, ...newer]) {
    const record = `${change.zone} ${change.family} ${change.name}`;
    const before = found.get(record);
    found.delete(record);
    found.set(record, before === undefined ? change : { ...change, from: before.from });
  }
  return [...found.values()].slice(-mostChanges);
}
