/** Writes the state log: every pass that had inputs, and every transition; rotated at a size, each file replayable alone. */
import { describeError } from '../core/errors.ts';
import type { OutputFiles } from '../system/ports.ts';
import type { DecideSettings } from './decide.ts';
import type { AddressRecord, CheckResult, HostRecord } from './model.ts';
import type { Learned } from './pass.ts';
import type { HostEntry, State } from './state.ts';
import { formatLogLine } from './state-log-format.ts';
import type { LogLine } from './state-log-lines.ts';

export interface StateLogOptions {
  readonly files: OutputFiles;
  readonly path: string;
  /** Bytes; the old file is renamed to `PATH.1` when it is larger. */
  readonly maxSize: number;
  /** What is written after this is decided by these. */
  readonly settings: DecideSettings;
  /** Told of each failure with its reason, and with undefined when it is over. */
  readonly onState: (failure: string | undefined) => void;
}

/** Characters that wait for a slow disk; beyond that the log starts anew once it can. */
const mostWaiting = 64 * 1024 * 1024;

/** Writing never blocks and never fails anyone: a log that cannot be written goes on with a whole state later. */
export class StateLog {
  readonly #options: StateLogOptions;
  /** What a reader of the file knows of each host; undefined: nothing, so that everything has to be said. */
  #known: Map<string, HostEntry> | undefined;
  #size = 0;
  /** Characters of the last whole state: a file is not rotated for this alone. */
  #seedSize = 0;
  #waiting = 0;
  #failed = false;
  #writes: Promise<void> = Promise.resolve();

  constructor(options: StateLogOptions) {
    this.#options = options;
  }

  /** The state as it stands when the log begins. `now`: seconds since the epoch. */
  begin(state: State, now: number): void {
    // An empty line first: the last one may have been cut off by a crash.
    this.#write(`\n${this.#seed(state, now)}`);
  }

  /** `state`: as it is after the pass. */
  tell(report: Learned, state: State): void {
    const moves = this.#moves(report);
    if (this.#known === undefined) {
      this.#write(`\n${this.#seed(state, report.now)}${moves}`);
      return;
    }
    if (this.#size > this.#options.maxSize && this.#size > 2 * this.#seedSize) {
      this.#write(this.#seed(state, report.now) + moves, true);
      return;
    }
    const { changes, now } = report;
    let text = '';
    for (const { name, before } of changes.hosts) {
      // Another process has changed it, as `nbrpc -F` does.
      if (before !== undefined && !same(this.#known.get(name), before)) text += stateLine(before, now);
    }
    text += inputsLine(report, state) + moves;
    for (const { name, after } of changes.hosts) {
      if (after === undefined) this.#known.delete(name);
      else this.#known.set(name, after);
    }
    if (text !== '') this.#write(text);
  }

  /** Resolves when everything is written, or could not be. */
  async close(): Promise<void> {
    await this.#writes;
  }

  #seed(state: State, now: number): string {
    const { timers, limits, defaultPolicy } = this.#options.settings;
    const first = formatLogLine(now, { kind: 'settings', version: 1, timers, limits, defaultPolicy });
    this.#known = new Map();
    const lines = [first];
    for (const entry of state.hosts()) {
      this.#known.set(entry.record.name, entry);
      lines.push(stateLine(entry, now));
    }
    const text = lines.join('');
    this.#seedSize = text.length;
    return text;
  }

  #moves({ now, hostMoves, addressMoves }: Learned): string {
    const lines: LogLine[] = [
      ...addressMoves.map((move) => ({ kind: 'address' as const, time: now, ...move })),
      ...hostMoves.map(({ host, from, to, reason, since }) => {
        return { kind: 'host' as const, time: now, host, from, to, reason, since };
      }),
    ];
    return lines.map((line) => formatLogLine(now, line)).join('');
  }

  #write(text: string, rotate = false): void {
    if (this.#waiting > mostWaiting) {
      this.#known = undefined;
      return;
    }
    this.#waiting += text.length;
    const { files, path, onState } = this.#options;
    if (rotate) this.#size = 0;
    this.#writes = this.#writes.then(async () => {
      try {
        if (rotate) await files.rename(path, `${path}.1`);
        this.#size = await files.append(path, text);
        if (this.#failed) onState(undefined);
        this.#failed = false;
      } catch (error) {
        this.#known = undefined;
        this.#failed = true;
        onState(describeError(error));
      }
      this.#waiting -= text.length;
    });
  }
}

function stateLine({ record, addresses }: HostEntry, now: number): string {
  const kept = [...addresses.values()].map(addressKept);
  return formatLogLine(now, { kind: 'state', record: hostKept(record), addresses: kept });
}

/** What the prompt schedule keeps is in the clock of one run: nothing of it could be played again. Causes decide nothing. */
function hostKept({ exit: _exit, cause: _cause, ...record }: HostRecord): HostRecord {
  return record;
}

function addressKept({ prompt: _prompt, cause: _cause, ...record }: AddressRecord): AddressRecord {
  return record;
}

function resultKept(result: CheckResult): CheckResult {
  return result.kind === 'fail' ? { kind: 'fail', reason: result.reason } : result;
}

function inputsLine(report: Learned, state: State): string {
  const { now, counted, lists, resolved, checked } = report;
  const { added, changed, removed } = lists;
  const listed = [...added, ...changed].flatMap((host) => {
    const record = state.host(host)?.record;
    return record === undefined ? [] : [{ host, check: record.check, policy: record.policy }];
  });
  if (listed.length + removed.length + resolved.length + checked.length === 0) return '';
  return formatLogLine(now, {
    kind: 'inputs',
    now,
    counted,
    listed,
    removed: [...removed],
    resolved: resolved.map(({ host, addresses }) => ({ host, addresses: [...addresses] })),
    checked: checked.map(({ host, address, check, result }) => ({ host, address, check, result: resultKept(result) })),
  });
}

function same(known: HostEntry | undefined, now: HostEntry): boolean {
  if (known === now) return true;
  if (known === undefined || JSON.stringify(hostKept(known.record)) !== JSON.stringify(hostKept(now.record)))
    return false;
  const all = ({ addresses }: HostEntry): string => JSON.stringify([...addresses.values()].map(addressKept));
  return all(known) === all(now);
}
