/** A journal whose entries and interruptions a test makes. */
import type { Journal, JournalListener, UnitJob } from '../../src/system/unit-ports.ts';

export class FakeJournal implements Journal {
  readonly #listeners = new Set<JournalListener>();
  #lost: string | undefined;
  #missed: { readonly listener: JournalListener; readonly job: UnitJob }[] = [];

  /** Listeners learn at once, one microtask later, whether it can be read. */
  follow(listener: JournalListener): { close(): Promise<void> } {
    this.#listeners.add(listener);
    queueMicrotask(() => {
      if (!this.#listeners.has(listener)) return;
      if (this.#lost === undefined) listener.found();
      else listener.lost(this.#lost);
    });
    return {
      close: () => {
        this.#listeners.delete(listener);
        this.#missed = this.#missed.filter((missed) => missed.listener !== listener);
        return Promise.resolve();
      },
    };
  }

  /** How many follow it. */
  get followers(): number {
    return this.#listeners.size;
  }

  /** systemd writes an entry; told at once, or after find() where it cannot be read at the moment. */
  job(unit: string, { user = false, at = 0 }: Partial<Omit<UnitJob, 'unit'>> = {}): void {
    const job = { unit, user, at };
    for (const listener of [...this.#listeners]) {
      if (this.#lost === undefined) listener.job(job);
      else this.#missed.push({ listener, job });
    }
  }

  lose(reason: string): void {
    this.#lost = reason;
    for (const listener of [...this.#listeners]) listener.lost(reason);
  }

  find(): void {
    this.#lost = undefined;
    for (const listener of [...this.#listeners]) listener.found();
    const missed = this.#missed;
    this.#missed = [];
    for (const { listener, job } of missed) if (this.#listeners.has(listener)) listener.job(job);
  }
}
