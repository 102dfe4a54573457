/** Check-list files: which of them have a new version, and what the versions in force make of the hosts. */
import type { Diagnostic } from '../core/diagnostic.ts';
import { errnoOf } from '../core/errors.ts';
import { describeFileFailure } from '../core/file-failure.ts';
import type { Files } from '../system/ports.ts';
import { andMore, largestList, parseCheckList } from './check-list.ts';
import { type ListEntry, sameCheck } from './model.ts';
import type { Draft, ListRecord } from './state.ts';

export type ListReading =
  | { readonly path: string; readonly kind: 'unchanged' }
  | { readonly path: string; readonly kind: 'missing' }
  | {
      readonly path: string;
      readonly kind: 'version';
      /** Seconds, with fractions. */
      readonly mtime: number;
      readonly entries: ReadonlyMap<string, ListEntry>;
      readonly remarks: readonly Diagnostic[];
    }
  | RejectedList;

/** Cannot be read or parsed. */
export interface RejectedList {
  readonly path: string;
  readonly kind: 'rejected';
  /** The first ones; the last may say how many more there are. */
  readonly problems: readonly Diagnostic[];
  readonly count: number;
  /** Its version before stays in force; else there is none, and nothing is known of its hosts. */
  readonly kept: boolean;
}

/** Looks at every file, in the order of `paths`; reads those whose time differs by 10 ms or more. Never rejects. */
export function readLists(
  files: Files,
  paths: readonly string[],
  inForce: ReadonlyMap<string, ListRecord>,
): Promise<readonly ListReading[]> {
  return Promise.all([...new Set(paths)].map((path) => readList(files, path, inForce.get(path))));
}

async function readList(files: Files, path: string, inForce: ListRecord | undefined): Promise<ListReading> {
  const kept = (inForce?.mtime ?? null) !== null;
  const rejected = (message: string): ListReading => {
    return { path, kind: 'rejected', problems: [{ file: path, message }], count: 1, kept };
  };
  try {
    // The time is taken before the content: an edit between the two shows as a new time in the next pass.
    const stat = await files.stat(path);
    if (stat === undefined) return { path, kind: 'missing' };
    const mtime = stat.mtimeMs / 1000;
    const stored = inForce?.mtime ?? null;
    if (stored !== null && Math.abs(mtime - stored) < 0.01) return { path, kind: 'unchanged' };
    if (stat.size > largestList) return rejected(`larger than ${largestList} bytes`);
    const parsed = parseCheckList(await files.read(path), path);
    if (!parsed.ok) return { path, kind: 'rejected', problems: parsed.problems, count: parsed.count, kept };
    return { path, kind: 'version', mtime, entries: parsed.entries, remarks: parsed.remarks };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { path, kind: 'missing' };
    return rejected(`cannot be read: ${describeFileFailure(error)}`);
  }
}

/** Mistakes that a warning names: who mends them has the rest from `check --host`. */
const mostTold = 5;

/** For a sentence that has named the list: what is wrong in it, by line and column, and what is in force meanwhile. */
export function describeRejection({ problems, count, kept }: RejectedList): {
  readonly problems: string;
  readonly inForce: string;
} {
  const shown = problems.slice(0, mostTold);
  const told = shown.map(({ line, column, message }) =>
    line === undefined ? message : `${line}:${column ?? 1}: ${message}`,
  );
  if (shown.length < count) told.push(andMore(count, shown.length));
  const inForce = kept
    ? 'its previous version stays in force'
    : 'there is no previous version, so nothing is known of its hosts';
  return { problems: told.join('; '), inForce };
}

export interface ListEffect {
  readonly added: readonly string[];
  /** Hosts whose check or policy differs: they start anew. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

const noEffect: ListEffect = { added: [], changed: [], removed: [] };

/** Puts the readings in force: lists that are not named any more go, and hosts that no list has any more. */
export function applyLists(draft: Draft, readings: readonly ListReading[]): ListEffect {
  const before = draft.lists();
  let touched = false;
  const named = new Set(readings.map((reading) => reading.path));
  for (const path of before.keys()) {
    if (named.has(path)) continue;
    draft.dropList(path);
    touched = true;
  }
  for (const [position, reading] of readings.entries()) {
    const next = nextVersion(reading, position, before.get(reading.path));
    if (next === undefined) continue;
    draft.putList(next);
    touched = true;
  }
  return touched ? reconcileHosts(draft) : noEffect;
}

function nextVersion(reading: ListReading, position: number, before: ListRecord | undefined): ListRecord | undefined {
  const { path } = reading;
  switch (reading.kind) {
    case 'version':
      return { path, position, mtime: reading.mtime, entries: reading.entries };
    case 'missing':
      if (before !== undefined && before.mtime === null && before.position === position) return undefined;
      return { path, position, mtime: null, entries: new Map() };
    case 'unchanged':
    case 'rejected':
      return before === undefined || before.position === position ? undefined : { ...before, position };
  }
}

function reconcileHosts(draft: Draft): ListEffect {
  const lists = [...draft.lists().values()].sort((a, b) => a.position - b.position);
  const inForce = new Map<string, ListEntry>();
  for (const list of lists) for (const [host, entry] of list.entries) inForce.set(host, entry);

  const removed: string[] = [];
  for (const { record } of Array.from(draft.hosts())) {
    if (inForce.has(record.name)) continue;
    draft.dropHost(record.name);
    removed.push(record.name);
  }
  const added: string[] = [];
  const changed: string[] = [];
  const times = { checked: 0, changed: 0, failingSince: 0, changedCounted: 0, failingCounted: 0 } as const;
  const fresh = { state: null, ...times, reason: '' } as const;
  for (const { host, check, policy } of inForce.values()) {
    const known = draft.host(host)?.record;
    if (known === undefined) {
      draft.addHost({ name: host, check, policy, ...fresh });
      added.push(host);
    } else if (!sameCheck(known.check, check) || known.policy !== policy) {
      // Its addresses keep their states: they are checked anew when they are due.
      draft.putHost({ ...known, check, policy, ...fresh });
      changed.push(host);
    }
  }
  return { added, changed, removed };
}
