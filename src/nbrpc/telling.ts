/** Tells log and warnings what a pass has brought. */
import { formatDiagnostic } from '../core/diagnostic.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard, WarningCode } from '../core/warnings.ts';
import { flipsOf } from './flips.ts';
import type { PassReport } from './pass.ts';
import type { Policy } from './policy-spec.ts';
import type { AddressConflict } from './sets.ts';
import type { State } from './state.ts';

/** Warnings of one code that are shown each; with more hosts than this something general is wrong. */
const mostWarnings = 20;

type Fields = Readonly<Record<string, string>>;

export class PassTelling {
  readonly #log: Logger;
  readonly #board: WarningBoard;
  /** Of hosts, until they are resolved again. */
  readonly #unresolved = new Map<string, Fields>();
  readonly #junk = new Map<string, Fields>();
  readonly #remarks = new Map<string, Fields>();

  constructor(log: Logger, board: WarningBoard) {
    this.#log = log;
    this.#board = board;
  }

  tell(report: PassReport, state: State, defaultPolicy: Policy): void {
    this.#ownSide(report);
    this.#lists(report);
    this.#names(report, state);
    this.#checks(report);
    this.#transitions(report, defaultPolicy);
    const counts = { resolved: report.resolved.length, checked: report.checked.length };
    this.#log.debug('pass', { ...counts, updates: report.updates.length });
  }

  conflicts(conflicts: readonly AddressConflict[]): void {
    if (conflicts.length === 0) {
      this.#board.clear('address-conflict', '');
      return;
    }
    const shown = conflicts.slice(0, 3).map(({ address, hosts: [first, other], verdict }) => {
      const [one, two] = verdict === 'na' ? ['tunnel', 'direct'] : ['direct', 'tunnel'];
      return `${address} (${first}: ${one}, ${other}: ${two})`;
    });
    const rest = conflicts.length > shown.length ? ', …' : '';
    const addresses = shown.join(', ') + rest;
    this.#board.raise('address-conflict', '', { count: String(conflicts.length), addresses });
  }

  #ownSide({ ownSide }: PassReport): void {
    if (ownSide.ok) this.#board.clear('own-side-broken', '');
    else this.#board.raise('own-side-broken', '', { gate: ownSide.gate, reason: ownSide.reason });
  }

  #lists({ rejected, missing, taken, lists }: PassReport): void {
    for (const { path, problems } of rejected) {
      const fields = { file: path, problems: problems.map(formatDiagnostic).join('; ') };
      this.#board.raise('check-list-rejected', path, fields);
    }
    for (const path of missing) this.#board.raise('check-list-missing', path, { file: path });
    this.#board.clearOthers('check-list-rejected', new Set(rejected.map(({ path }) => path)));
    this.#board.clearOthers('check-list-missing', new Set(missing));

    for (const path of missing) this.#remarks.delete(path);
    for (const { path, hosts, remarks } of taken) {
      this.#log.info('check-list', { file: path, hosts });
      if (remarks.length === 0) this.#remarks.delete(path);
      else this.#remarks.set(path, { file: path, remarks: remarks.map(formatDiagnostic).join('; ') });
    }
    this.#sync('unknown-check-type', this.#remarks);
    const { added, changed, removed } = lists;
    if (added.length + changed.length + removed.length === 0) return;
    const sample = (hosts: readonly string[]): readonly string[] => hosts.slice(0, mostWarnings);
    this.#log.info('hosts-changed', {
      added: added.length,
      changed: changed.length,
      removed: removed.length,
      hosts: sample([...added, ...changed, ...removed]),
    });
  }

  #names({ resolved }: PassReport, state: State): void {
    for (const { host, failure, junk, surplus } of resolved) {
      if (failure === undefined) this.#unresolved.delete(host);
      else this.#unresolved.set(host, { host, reason: failure });
      if (junk.length === 0) this.#junk.delete(host);
      else this.#junk.set(host, { host, addresses: junk.slice(0, 10).join(', ') });
      if (surplus > 0) this.#log.warn('answer-too-long', { host, ignored: surplus });
    }
    for (const map of [this.#unresolved, this.#junk]) {
      for (const host of map.keys()) if (state.host(host) === undefined) map.delete(host);
    }
    this.#sync('names-unresolved', this.#unresolved);
    this.#sync('junk-answer', this.#junk);
  }

  #checks({ checked }: PassReport): void {
    if (checked.length === 0) return;
    const untried = checked.flatMap(({ result }) => (result.kind === 'untried' ? [result.detail] : []));
    const [reason] = untried;
    if (reason === undefined) this.#board.clear('checks-not-possible', '');
    else this.#board.raise('checks-not-possible', '', { count: String(untried.length), reason });
  }

  #transitions(report: PassReport, defaultPolicy: Policy): void {
    for (const { since, ...flip } of flipsOf(report.changes, defaultPolicy)) {
      this.#log.info('flip', { ...flip, ...(since > 0 ? { since: isoTime(since) } : {}) });
    }
    for (const { host, from, to, reason } of report.hostMoves) {
      this.#log.debug('host-state', { host, from: from ?? 'unknown', to: to ?? 'unknown', reason });
    }
    for (const { host, address, from, to, reason } of report.addressMoves) {
      this.#log.debug('address-state', { host, address, from, to, reason });
    }
    for (const [host, addresses] of report.expired) this.#log.debug('addresses-forgotten', { host, addresses });
  }

  #sync(code: WarningCode, wanted: ReadonlyMap<string, Fields>): void {
    const shown = [...wanted].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, mostWarnings);
    for (const [subject, fields] of shown) this.#board.raise(code, subject, fields);
    this.#board.clearOthers(code, new Set(shown.map(([subject]) => subject)));
  }
}

/** Seconds since the epoch as ISO 8601 in UTC. */
export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
