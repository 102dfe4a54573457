/** Holds the wanted set contents: tells the sets of each change, and the warnings of what became of it. */
import { type Backoff, backoffDelay } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard } from '../core/warnings.ts';
import { ownExitSets } from '../system/own-exits.ts';
import type { AddressSets, AddressSetsStatus } from '../system/ports.ts';
import type { FlipLog } from './flip-log.ts';
import type { Flip } from './flips.ts';
import { type SetNames, sameContents, type WantedSets, type Ways } from './sets.ts';
import type { Sink } from './sink-of.ts';

/** The sets of the own table have these names. */
const ownNames: SetNames = { blocked4: 'blocked4', blocked6: 'blocked6' };
const ownDrops: SetNames = { drop4: 'drop4', drop6: 'drop6' };

export function setNames(sink: Sink): SetNames {
  if (sink.kind === 'table') return sink.drops ? { ...ownNames, ...ownDrops } : ownNames;
  const { blocked4, blocked6, direct4, direct6, drop4, drop6 } = sink.sets;
  return { blocked4, blocked6, direct4, direct6, drop4, drop6 };
}

/** By exit, in the preferred order; undefined where there is one way around, without a name. */
export function exitSets(sink: Sink): Ways['exits'] | undefined {
  if (sink.exits === undefined) return undefined;
  const own = sink.kind === 'table';
  return new Map(sink.exits.map(({ name, sets }) => [name, own ? ownExitSets(name) : sets]));
}

/** Whether both write to the same own table, which only one may own at a time. */
export function sameTable(a: Sink, b: Sink): boolean {
  return a.kind === 'table' && b.kind === 'table' && a.table.name === b.table.name;
}

export interface SinkPorts {
  readonly board: WarningBoard;
  readonly log: Logger;
  readonly clock: Clock;
  readonly flips: FlipLog;
}

const none: ReadonlySet<string> = new Set();
/** Milliseconds before contents that were refused are asked for again. */
const retry: Backoff = { first: 1000, most: 60_000 };

export class HeldSets {
  readonly sink: Sink;
  readonly #sets: AddressSets;
  readonly #ports: SinkPorts;
  #wanted: WantedSets | undefined;
  /** What was last told to be in the kernel. */
  #held: WantedSets | undefined;
  /** Counts the requests: only the newest one's outcome is told. */
  #request = 0;
  #waiting = false;
  /** Refusals in a row, and whether it was for want of an agent. */
  #failures = 0;
  #away = false;
  #retry: Timer | undefined;

  constructor(sink: Sink, sets: AddressSets, ports: SinkPorts) {
    this.sink = sink;
    this.#sets = sets;
    this.#ports = ports;
  }

  /** The first contents: rejects when they were not applied. */
  async first(wanted: WantedSets): Promise<void> {
    this.#wanted = wanted;
    await this.#sets.hold(wanted.contents);
    this.#held = wanted;
    this.#ports.flips.applied();
  }

  /** Asks for these contents where they differ. Does not wait: checks go on meanwhile. What is refused is asked for again. */
  hold(wanted: WantedSets, flips: readonly Flip[]): void {
    this.#ports.flips.decided(flips);
    if (this.#wanted !== undefined && sameContents(this.#wanted.contents, wanted.contents)) {
      if (!this.#waiting && this.#failures === 0) this.#ports.flips.applied();
      return;
    }
    this.#wanted = wanted;
    this.#ask(wanted);
  }

  /** Addresses that go through the tunnel, as the kernel was last told to hold them. */
  get blocked(): ReadonlySet<string> {
    return this.#inKernel?.blocked ?? none;
  }

  /** Addresses that are dropped. */
  get dropped(): ReadonlySet<string> {
    return this.#inKernel?.dropped ?? none;
  }

  /** By address, which exit of several it goes through. */
  get via(): ReadonlyMap<string, string> {
    return this.#inKernel?.via ?? new Map();
  }

  get #inKernel(): WantedSets | undefined {
    const { connected, table } = this.#sets.status();
    // Such a table ends with its owner (nft(8), "flags owner").
    return !connected && table === 'owner' ? undefined : this.#held;
  }

  /** Sets and agent fail and recover by themselves, between two requests too: a warning must not outlive what it warns of. */
  status(): AddressSetsStatus {
    const status = this.#sets.status();
    const { connected, lastError } = status;
    // What a refusal has said stays until a request was granted.
    if (!connected && !this.#away) this.#raise('agent-unavailable', lastError ?? 'it has not answered yet');
    else if (this.#failures === 0 && lastError !== undefined) this.#raise('sets-not-applied', lastError);
    else if (this.#failures === 0) this.#clear();
    const { board } = this.#ports;
    const { problem } = status.connections ?? {};
    if (problem === undefined) board.clear('connections-not-dropped', '');
    else board.raise('connections-not-dropped', '', { reason: problem });
    return status;
  }

  /** Listed addresses that packets went to lately, with the seconds since. Rejects where that cannot be told. */
  used(): Promise<ReadonlyMap<string, number>> {
    return this.#sets.used?.() ?? Promise.reject(new NetstewardError('use-unknown', 'these sets do not tell it'));
  }

  async close(mode: 'keep' | 'flush'): Promise<void> {
    this.#request += 1;
    this.#retry?.cancel();
    this.#clear();
    this.#ports.board.clear('connections-not-dropped', '');
    await this.#sets.close(mode);
  }

  #ask(wanted: WantedSets): void {
    this.#retry?.cancel();
    this.#waiting = true;
    const request = ++this.#request;
    this.#sets.hold(wanted.contents).then(
      () => {
        if (request === this.#request) this.#applied(wanted);
      },
      (error: unknown) => {
        if (request === this.#request) this.#refused(wanted, error);
      },
    );
  }

  #applied(wanted: WantedSets): void {
    this.#held = wanted;
    this.#waiting = false;
    this.#failures = 0;
    this.#away = false;
    this.#clear();
    this.#ports.flips.applied();
    const sizes = Object.fromEntries([...wanted.contents].map(([name, members]) => [name, members.size]));
    this.#ports.log.debug('sets-applied', sizes);
  }

  #refused(wanted: WantedSets, error: unknown): void {
    const { clock, flips } = this.#ports;
    const reason = error instanceof Error ? error.message : String(error);
    this.#away = error instanceof NetstewardError && error.code.startsWith('agent-');
    this.#waiting = false;
    this.#failures += 1;
    this.#raise(this.#away ? 'agent-unavailable' : 'sets-not-applied', reason);
    flips.refused(reason);
    this.#retry = clock.after(backoffDelay(this.#failures, retry), () => this.#ask(wanted));
  }

  #raise(code: 'agent-unavailable' | 'sets-not-applied', reason: string): void {
    const { board } = this.#ports;
    const gone = this.#sets.status().table === 'owner';
    const kernel = gone
      ? 'the kernel has removed its table with it, and everything goes direct'
      : 'the kernel keeps the last applied sets';
    board.raise(code, '', { reason, kernel });
    board.clear(code === 'agent-unavailable' ? 'sets-not-applied' : 'agent-unavailable', '');
  }

  #clear(): void {
    this.#ports.board.clear('agent-unavailable', '');
    this.#ports.board.clear('sets-not-applied', '');
  }
}
