/** Plays a state log again: the same inputs through the same decisions, with the same settings or others (pure). */
import { type DecideSettings, type Decision, decide, type PassInputs } from './decide.ts';
import type { ListReading } from './lists.ts';
import type { ListEntry } from './model.ts';
import { type HostEntry, State } from './state.ts';
import { type InputsLine, type LogLine, parseLogLine, type StateLine } from './state-log-lines.ts';

export interface ReplayedPass {
  /** Seconds since the epoch. */
  readonly now: number;
  readonly decision: Decision;
}

export interface LogReplayOptions {
  /** Instead of the original schedule's decisions. */
  readonly decider?: (state: State, settings: DecideSettings, inputs: PassInputs) => Decision;
  /** Takes over the transitions of the log too, whatever the decisions say. */
  readonly moves?: boolean;
  /** A whole state later in the log does not take the place of what the replay has come to. */
  readonly keep?: boolean;
}

/** The one list that stands for all lists of the log. */
const listPath = '/state-log';

export class LogReplay {
  readonly state = new State();
  readonly #with: (logged: DecideSettings) => DecideSettings;
  readonly #options: LogReplayOptions;
  #settings: DecideSettings | undefined;
  #version = 0;
  #seeding = false;
  /** Hosts that the last whole state has named. */
  readonly #seeded = new Set<string>();
  /** Lines that could not be read, by number from 1: a crash cuts one off now and then. */
  readonly unreadable: number[] = [];
  #line = 0;

  /** `other`: gives the settings to decide with, from those of the log. */
  constructor(other: (logged: DecideSettings) => DecideSettings = (logged) => logged, options: LogReplayOptions = {}) {
    this.#with = other;
    this.#options = options;
  }

  /** The settings in force, once the log has told them. */
  get settings(): DecideSettings | undefined {
    return this.#settings;
  }

  /** Takes one line; gives the pass, where it was one. */
  read(source: string): ReplayedPass | undefined {
    this.#line += 1;
    if (source.trim() === '') return undefined;
    const line = parseLogLine(source);
    if (line === undefined) this.unreadable.push(this.#line);
    return line === undefined ? undefined : this.take(line);
  }

  /** The same of a line that was read already. */
  take(line: LogLine): ReplayedPass | undefined {
    switch (line.kind) {
      case 'settings':
        this.#settings = this.#with(line);
        this.#begin();
        return undefined;
      case 'state':
        this.#put(line);
        return undefined;
      case 'inputs':
        this.#endSeed();
        return this.#play(line);
      case 'host':
      case 'address':
        if (this.#options.moves === true) this.#move(line);
        return undefined;
    }
  }

  /** To be told at the end of the file. */
  end(): void {
    this.#endSeed();
  }

  /** The whole state follows: hosts that it does not name are gone. */
  #begin(): void {
    this.#seeding = true;
    this.#seeded.clear();
  }

  #endSeed(): void {
    if (!this.#seeding) return;
    this.#seeding = false;
    for (const before of Array.from(this.state.hosts())) {
      const { name } = before.record;
      if (!this.#seeded.has(name)) this.state.adopt({ hosts: [{ name, before, after: undefined }], lists: [] });
    }
  }

  #put({ record, addresses }: StateLine): void {
    const { name } = record;
    this.#seeded.add(name);
    if (this.#options.keep === true && this.state.host(name) !== undefined) return;
    const after: HostEntry = { record, addresses: new Map(addresses.map((each) => [each.address, each])) };
    this.state.adopt({ hosts: [{ name, before: this.state.host(name), after }], lists: [] });
  }

  #move(line: Extract<LogLine, { readonly kind: 'host' | 'address' }>): void {
    const { host: name, time, reason } = line;
    const before = this.state.host(name);
    if (before === undefined) return;
    const { record } = before;
    let after: HostEntry = before;
    if (line.kind === 'host') after = { ...before, record: { ...record, state: line.to, changed: time, reason } };
    else {
      const known = before.addresses.get(line.address);
      if (known === undefined) return;
      const state = line.to === null ? 'skipped' : line.to ? 'ok' : 'na';
      const moved = { ...known, state, reason, changed: time } as const;
      after = { record, addresses: new Map([...before.addresses, [line.address, moved]]) };
    }
    this.state.adopt({ hosts: [{ name, before, after }], lists: [] });
  }

  #play({ now, counted, listed, removed, resolved, checked }: InputsLine): ReplayedPass | undefined {
    // What comes before the first whole state has nothing to stand on.
    if (this.#settings === undefined) return undefined;
    const entries = new Map<string, ListEntry>();
    for (const { record } of this.state.hosts()) {
      entries.set(record.name, { host: record.name, check: record.check, policy: record.policy });
    }
    for (const entry of listed) entries.set(entry.host, entry);
    for (const host of removed) entries.delete(host);
    const edited = listed.length + removed.length > 0;
    this.#version += 1;
    const list: ListReading = { path: listPath, kind: 'version', mtime: this.#version, entries, remarks: [] };
    const lists: readonly ListReading[] = edited ? [list] : [{ path: listPath, kind: 'unchanged' }];
    const inputs = { now, counted, lists, resolved, checked, graceless: false };
    const decision = (this.#options.decider ?? decide)(this.state, this.#settings, inputs);
    this.state.adopt(decision.changes);
    return { now, decision };
  }
}
