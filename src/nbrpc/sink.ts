/** Holds the wanted set contents: tells the sets of each change, and the warnings of what became of it. */
import { NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard } from '../core/warnings.ts';
import type { AddressSets, AddressSetsStatus, SetContents } from '../system/ports.ts';
import type { Sink } from './config.ts';
import { type SetNames, sameContents } from './sets.ts';

/** The sets of the own table have these names. */
const ownNames: SetNames = { blocked4: 'blocked4', blocked6: 'blocked6' };

export function setNames(sink: Sink): SetNames {
  if (sink.kind === 'table') return ownNames;
  const { blocked4, blocked6, direct4, direct6 } = sink.sets;
  return { blocked4, blocked6, direct4, direct6 };
}

/** Whether both write to the same own table, which only one may own at a time. */
export function sameTable(a: Sink, b: Sink): boolean {
  return a.kind === 'table' && b.kind === 'table' && a.table.name === b.table.name;
}

export class HeldSets {
  readonly sink: Sink;
  readonly #sets: AddressSets;
  readonly #board: WarningBoard;
  readonly #log: Logger;
  #wanted: SetContents | undefined;
  /** Counts the requests: only the newest one's outcome is told. */
  #request = 0;
  #failed = false;

  constructor(sink: Sink, sets: AddressSets, board: WarningBoard, log: Logger) {
    this.sink = sink;
    this.#sets = sets;
    this.#board = board;
    this.#log = log;
  }

  /** The first contents: rejects when they were not applied. */
  async first(contents: SetContents): Promise<void> {
    this.#wanted = contents;
    await this.#sets.hold(contents);
  }

  /** Asks for these contents where they differ, or where the last ones failed. Does not wait: checks go on meanwhile. */
  hold(contents: SetContents): void {
    if (this.#wanted !== undefined && !this.#failed && sameContents(this.#wanted, contents)) return;
    this.#wanted = contents;
    const request = ++this.#request;
    this.#sets.hold(contents).then(
      () => {
        if (request === this.#request) this.#applied(contents);
      },
      (error: unknown) => {
        if (request === this.#request) this.#refused(error);
      },
    );
  }

  /** The sets recover by themselves: a warning must not outlive what it warns of. */
  status(): AddressSetsStatus {
    const status = this.#sets.status();
    if (this.#failed && status.connected && status.lastError === undefined) this.#clear();
    return status;
  }

  async close(mode: 'keep' | 'flush'): Promise<void> {
    this.#request += 1;
    this.#clear();
    await this.#sets.close(mode);
  }

  #applied(contents: SetContents): void {
    this.#clear();
    const sizes = Object.fromEntries([...contents].map(([name, members]) => [name, members.size]));
    this.#log.debug('sets-applied', sizes);
  }

  #refused(error: unknown): void {
    this.#failed = true;
    const reason = error instanceof Error ? error.message : String(error);
    const code =
      error instanceof NetstewardError && error.code.startsWith('agent-') ? 'agent-unavailable' : 'sets-not-applied';
    this.#board.raise(code, '', { reason });
  }

  #clear(): void {
    this.#failed = false;
    this.#board.clear('agent-unavailable', '');
    this.#board.clear('sets-not-applied', '');
  }
}
