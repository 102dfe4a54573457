/** Between the tables of the state file and the state in memory. */
import { isIPv4, isIPv6 } from 'node:net';
import { NetstewardError } from '../core/errors.ts';
import type { Database, Statement } from '../system/ports.ts';
import { freshTimeline } from './counted-time.ts';
import { hostNameProblem } from './host-name.ts';
import type { AddressRecord, AddressState, HostRecord, HostState, ListEntry } from './model.ts';
import { promptRecordOf, promptRecordText } from './prompt/record.ts';
import { decodeCause, encodeCause, noCause } from './reason.ts';
import { withCause } from './reason-record.ts';
import { type Changes, type HostEntry, type ListRecord, State } from './state.ts';

export function damagedFile(path: string, what: string, cause?: unknown): NetstewardError {
  return new NetstewardError('state-file-damaged', `${path} is damaged: ${what}`, {
    remedy: 'Restore the file from a copy, or move it away to start with an empty state.',
    cause,
  });
}

/** Reads everything. Rows that this program would not have written make it throw NetstewardError `state-file-damaged`. */
export function loadState(database: Database, path: string): State {
  const damaged = (what: string): NetstewardError => damagedFile(path, what);

  const hosts = new Map<number, { record: HostRecord; addresses: Map<string, AddressRecord> }>();
  for (const row of tuples(database, 'hosts', hostColumns)) {
    const [
      id,
      name,
      type,
      checkPath,
      result,
      policy,
      state,
      checked,
      changed,
      failingSince,
      reason,
      changedCounted,
      failingCounted,
      exit,
      cause,
    ] = row as HostRow;
    if (hostNameProblem(name) !== undefined) throw damaged(`${JSON.stringify(name)} is no host name`);
    const check = { type, path: checkPath, result };
    const times = { checked, changed, failingSince, changedCounted, failingCounted };
    const taken = exit === null ? {} : { exit };
    const record: HostRecord = { name, order: id, check, policy, state, reason, ...times, ...taken };
    hosts.set(id, { record: withCause(record, decodeCause(cause)), addresses: new Map() });
  }
  for (const row of tuples(database, 'addresses', addressColumns)) {
    const [id, host, address, state, reason, seen, checked, changed, altChecked, altReason, down, kept, cause] =
      row as AddressRow;
    if (!isIPv4(address) && !isIPv6(address)) throw damaged(`${JSON.stringify(address)} is no address`);
    const prompt = kept === null ? undefined : promptRecordOf(kept);
    const times = { seen, checked, changed, altChecked, altReason, down };
    const known = prompt === undefined ? {} : { prompt };
    const record: AddressRecord = { address, order: id, state, reason, ...times, ...known };
    const entry = hosts.get(host);
    if (entry === undefined) throw damaged(`the address ${address} is of no host`);
    entry.addresses.set(address, withCause(record, decodeCause(cause)));
  }
  const lists = new Map<string, ListRecord & { entries: Map<string, ListEntry> }>();
  for (const [listPath, position, mtime] of tuples(database, 'lists', 'path, position, mtime') as ListRow[]) {
    lists.set(listPath, { path: listPath, position, mtime, entries: new Map() });
  }
  const entries = (tuples(database, 'list_entries', entryColumns) as EntryRow[]).sort((a, b) => a[1] - b[1]);
  for (const [list, , host, type, checkPath, result, policy] of entries) {
    lists.get(list)?.entries.set(host, { host, check: { type, path: checkPath, result }, policy });
  }
  const [clock] = tuples(database, 'timeline', 'counted, lost') as [number, number][];
  const timeline = clock === undefined ? freshTimeline : { counted: clock[0], lost: clock[1] };
  return new State(hosts.values(), lists.values(), timeline);
}

/**
 * A whole table as one JSON text: a tenth of the time that an object a row takes in either binding (10 000 hosts with
 * 40 000 addresses: 0.1 s instead of 0.3 s). Times are milliseconds at the finest, which JSON carries unharmed.
 */
function tuples(database: Database, table: string, columns: string): unknown[] {
  const row = database.prepare(`SELECT json_group_array(json_array(${columns})) AS rows FROM ${table}`).get();
  return JSON.parse(String(row?.rows ?? '[]')) as unknown[];
}

type HostRow = [
  number,
  string,
  string,
  string,
  string,
  string,
  HostState | null,
  number,
  number,
  number,
  string,
  number,
  number,
  string | null,
  string,
];
type AddressRow = [
  number,
  number,
  string,
  AddressState | null,
  string,
  number,
  number,
  number,
  number,
  string,
  number,
  string | null,
  string,
];
type ListRow = [string, number, number | null];
type EntryRow = [string, number, string, string, string, string, string];

const hostColumns =
  'id, name, check_type, check_path, check_result, policy, state, checked, changed, failing_since, reason, changed_counted, failing_counted, exit, cause';
const addressColumns =
  'id, host, address, state, reason, seen, checked, changed, alt_checked, alt_reason, down, prompt, cause';
const entryColumns = 'list, rank, host, check_type, check_path, check_result, policy';

/** Writes what differs; to be called inside a transaction. */
export class ChangeWriter {
  readonly #putList: Statement;
  readonly #dropList: Statement;
  readonly #dropEntries: Statement;
  readonly #addEntry: Statement;
  readonly #putHost: Statement;
  readonly #dropHost: Statement;
  readonly #putAddress: Statement;
  readonly #dropAddress: Statement;
  readonly #putTimeline: Statement;

  constructor(database: Database) {
    const marks = (columns: string): string =>
      columns
        .split(',')
        .map(() => '?')
        .join(', ');
    const replaced = (columns: string): string =>
      columns
        .split(', ')
        .slice(1)
        .map((column) => `${column} = excluded.${column}`)
        .join(', ');
    // An upsert by row id: REPLACE would delete the row first, and the addresses of the host with it.
    const upsert = (table: string, columns: string): Statement =>
      database.prepare(
        `INSERT INTO ${table} (${columns}) VALUES (${marks(columns)}) ON CONFLICT (id) DO UPDATE SET ${replaced(columns)}`,
      );
    this.#putList = database.prepare(
      'INSERT INTO lists (path, position, mtime) VALUES (?, ?, ?) ' +
        'ON CONFLICT (path) DO UPDATE SET position = excluded.position, mtime = excluded.mtime',
    );
    this.#dropList = database.prepare('DELETE FROM lists WHERE path = ?');
    this.#dropEntries = database.prepare('DELETE FROM list_entries WHERE list = ?');
    this.#addEntry = database.prepare(`INSERT INTO list_entries (${entryColumns}) VALUES (${marks(entryColumns)})`);
    this.#putHost = upsert('hosts', hostColumns);
    this.#dropHost = database.prepare('DELETE FROM hosts WHERE id = ?');
    this.#putAddress = upsert('addresses', addressColumns);
    this.#dropAddress = database.prepare('DELETE FROM addresses WHERE id = ?');
    this.#putTimeline = database.prepare(
      'INSERT INTO timeline (id, counted, lost) VALUES (1, ?, ?) ' +
        'ON CONFLICT (id) DO UPDATE SET counted = excluded.counted, lost = excluded.lost',
    );
  }

  write(changes: Changes): void {
    const { timeline } = changes;
    if (timeline !== undefined) this.#putTimeline.run(timeline.counted, timeline.lost);
    for (const { path, before, after } of changes.lists) this.#writeList(path, before, after);
    // Deletions first: a name that is gone and there again keeps its uniqueness.
    for (const { before, after } of changes.hosts) {
      if (before !== undefined && before.record.order !== after?.record.order) this.#dropHost.run(before.record.order);
    }
    for (const { before, after } of changes.hosts) {
      if (after !== undefined) this.#writeHost(before?.record.order === after.record.order ? before : undefined, after);
    }
  }

  #writeList(path: string, before: ListRecord | undefined, after: ListRecord | undefined): void {
    if (after === undefined) {
      this.#dropList.run(path);
      return;
    }
    this.#putList.run(path, after.position, after.mtime);
    if (before?.entries === after.entries) return;
    this.#dropEntries.run(path);
    let rank = 0;
    for (const { host, check, policy } of after.entries.values()) {
      this.#addEntry.run(path, rank++, host, check.type, check.path, check.result, policy);
    }
  }

  #writeHost(before: HostEntry | undefined, after: HostEntry): void {
    const { record } = after;
    if (record !== before?.record) {
      const {
        order,
        name,
        check,
        policy,
        state,
        checked,
        changed,
        failingSince,
        reason,
        changedCounted,
        failingCounted,
        exit = null,
        cause = noCause,
      } = record;
      const times = [checked, changed, failingSince, reason, changedCounted, failingCounted] as const;
      const checkValues = [check.type, check.path, check.result] as const;
      this.#putHost.run(order, name, ...checkValues, policy, state, ...times, exit, encodeCause(cause));
    }
    if (after.addresses === before?.addresses) return;
    for (const [text, old] of before?.addresses ?? []) {
      if (after.addresses.get(text)?.order !== old.order) this.#dropAddress.run(old.order);
    }
    for (const [text, address] of after.addresses) {
      if (address === before?.addresses.get(text)) continue;
      const { order, state, reason, seen, checked, changed, altChecked, altReason, down, prompt } = address;
      const cause = encodeCause(address.cause ?? noCause);
      const times = [seen, checked, changed, altChecked] as const;
      const kept = prompt === undefined ? null : promptRecordText(prompt);
      this.#putAddress.run(order, record.order, text, state, reason, ...times, altReason, down, kept, cause);
    }
  }
}
