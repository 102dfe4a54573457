/** Tells log and warnings what the passes have brought, but for what became of routes (flip-log.ts). */
import { formatDiagnostic } from '../core/diagnostic.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard, WarningCode } from '../core/warnings.ts';
import { familyOf } from './address.ts';
import { wayWords } from './claims.ts';
import { describeRejection } from './lists.ts';
import type { Family } from './model.ts';
import { needsProbe } from './no-probe.ts';
import type { OwnSide } from './own-side.ts';
import type { Learned, ListReport } from './pass.ts';
import type { ExitHealth } from './prompt/exit-watch.ts';
import { hostCause } from './reason-record.ts';
import { causeSentence } from './reason-text.ts';
import type { AddressConflict } from './sets.ts';
import type { State, StateView } from './state.ts';

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
  /** Of hosts: how many addresses too many the last answer had. */
  readonly #surplus = new Map<string, number>();
  /** By host and address: why this machine could not make the last check. */
  readonly #untried = new Map<string, ReadonlyMap<string, string>>();
  #without: readonly Family[] = [];

  constructor(log: Logger, board: WarningBoard) {
    this.#log = log;
    this.#board = board;
  }

  /** `sentences`: what is told of services says how they are blocked, where that is known. */
  learned(learned: Learned, state: State, sentences = false): void {
    this.#hosts(learned);
    this.#names(learned, state);
    this.#checks(learned, state);
    this.#transitions(learned, sentences ? state : undefined);
    if (learned.changes.hosts.length > 0) this.stranded(state);
    const counts = { resolved: learned.resolved.length, checked: learned.checked.length };
    this.#log.debug('learned', { ...counts, updates: learned.updates.length });
  }

  ownSide(own: OwnSide, state: StateView): void {
    if (own.ok) {
      this.#board.clear('own-side-broken', '');
      this.#without = own.without ?? [];
      this.#families(state);
    } else this.#board.raise('own-side-broken', '', { gate: own.gate, reason: own.reason });
  }

  /** Of other exits, or of none: what was told of those before is over. */
  otherExits(): void {
    this.#board.clearOthers('exit-down', new Set());
    this.#board.clear('no-exit', '');
  }

  exits(health: readonly ExitHealth[]): void {
    for (const { name, works, reason } of health) {
      if (works) this.#board.clear('exit-down', name);
      else this.#board.raise('exit-down', name, { exit: name, reason });
    }
  }

  /** Services that are blocked and have no exit that works. */
  stranded(state: StateView): void {
    const hosts = [...state.hosts()].filter(({ record }) => record.exit === '').map(({ record }) => record.name);
    if (hosts.length === 0) this.#board.clear('no-exit', '');
    else {
      const services = `${hosts.sort().slice(0, 3).join(', ')}${hosts.length > 3 ? ', …' : ''}`;
      this.#board.raise('no-exit', '', { count: String(hosts.length), services });
    }
  }

  /** Why an address is not checked, for people; undefined: nothing stands in the way. */
  whyUnchecked(host: string, address: string): string | undefined {
    const family = familyOf(address);
    if (this.#without.includes(family)) return `no IPv${family} route`;
    return this.#untried.get(host)?.get(address);
  }

  conflicts(conflicts: readonly AddressConflict[]): void {
    if (conflicts.length === 0) {
      this.#board.clear('address-conflict', '');
      return;
    }
    const shown = conflicts.slice(0, 3).map(({ address, hosts: [first, other], ways: [way, against], by }) => {
      return `${address} (${first}: ${wayWords(way)}, by ${by}; ${other}: ${wayWords(against)})`;
    });
    const rest = conflicts.length > shown.length ? ', …' : '';
    const addresses = shown.join(', ') + rest;
    this.#board.raise('address-conflict', '', { count: String(conflicts.length), addresses });
  }

  lists({ rejected, missing, taken }: ListReport): void {
    this.#log.debug('pass', { rejected: rejected.length, missing: missing.length, taken: taken.length });
    for (const list of rejected) {
      this.#board.raise('check-list-rejected', list.path, { file: list.path, ...describeRejection(list) });
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
  }

  #hosts({ lists }: Learned): void {
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

  #names({ resolved }: Learned, state: State): void {
    for (const { host, failure, junk, surplus } of resolved) {
      if (failure === undefined) this.#unresolved.delete(host);
      else this.#unresolved.set(host, { host, reason: failure });
      if (junk.length === 0) this.#junk.delete(host);
      else this.#junk.set(host, { host, addresses: junk.slice(0, 10).join(', ') });
      if (surplus > 0 && this.#surplus.get(host) !== surplus) {
        this.#log.warn('answer-too-long', { host, ignored: surplus });
      }
      if (surplus > 0) this.#surplus.set(host, surplus);
      else this.#surplus.delete(host);
    }
    for (const map of [this.#unresolved, this.#junk, this.#surplus]) {
      for (const host of map.keys()) if (state.host(host) === undefined) map.delete(host);
    }
    this.#sync('names-unresolved', this.#unresolved);
    this.#sync('junk-answer', this.#junk);
  }

  #checks({ checked }: Learned, state: State): void {
    for (const { host, address, result } of checked) {
      const known = this.#untried.get(host);
      if (result.kind === 'untried') this.#untried.set(host, new Map([...(known ?? []), [address, result.detail]]));
      else if (known !== undefined) this.#untried.set(host, new Map([...known].filter(([text]) => text !== address)));
    }
    const reasons: string[] = [];
    for (const [host, known] of this.#untried) {
      const entry = state.host(host);
      const left = [...known].filter(([address]) => entry?.addresses.has(address) === true);
      if (left.length === 0) this.#untried.delete(host);
      else if (left.length < known.size) this.#untried.set(host, new Map(left));
      reasons.push(...left.map(([, reason]) => reason));
    }
    const [reason] = reasons.sort();
    if (reason === undefined) this.#board.clear('checks-not-possible', '');
    else this.#board.raise('checks-not-possible', '', { count: String(reasons.length), reason });
  }

  /** Addresses of families without a route are no fault of anybody's: one warning a family says it all. */
  #families(state: StateView): void {
    const counts = new Map<Family, number>(this.#without.map((family) => [family, 0]));
    if (counts.size > 0) {
      for (const { record, addresses } of state.hosts()) {
        if (!needsProbe(record.check)) continue;
        for (const address of addresses.keys()) {
          const count = counts.get(familyOf(address));
          if (count !== undefined) counts.set(familyOf(address), count + 1);
        }
      }
    }
    const told = [...counts].filter(([, count]) => count > 0);
    for (const [family, count] of told) {
      this.#board.raise('family-without-route', String(family), { family: `IPv${family}`, count: String(count) });
    }
    this.#board.clearOthers('family-without-route', new Set(told.map(([family]) => String(family))));
  }

  #transitions({ hostMoves, addressMoves, expired }: Learned, causes: State | undefined): void {
    for (const { host, from, to, reason: short } of hostMoves) {
      const entry = to === 'ok' ? undefined : causes?.host(host);
      const reason = (entry && causeSentence(hostCause(entry))) || short;
      this.#log.debug('host-state', { host, from: from ?? 'unknown', to: to ?? 'unknown', reason });
    }
    for (const { host, address, from, to, reason } of addressMoves) {
      this.#log.debug('address-state', { host, address, from, to, reason });
    }
    for (const [host, addresses] of expired) this.#log.debug('addresses-forgotten', { host, addresses });
  }

  #sync(code: WarningCode, wanted: ReadonlyMap<string, Fields>): void {
    const shown = [...wanted].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, mostWarnings);
    for (const [subject, fields] of shown) this.#board.raise(code, subject, fields);
    this.#board.clearOthers(code, new Set(shown.map(([subject]) => subject)));
  }
}
