/** All that nbrpc knows, in memory, and a draft of its next version: nothing changes before the draft was saved. */
import { freshTimeline, type Timeline } from './counted-time.ts';
import type { AddressRecord, HostRecord, ListEntry } from './model.ts';

export interface HostEntry {
  readonly record: HostRecord;
  readonly addresses: ReadonlyMap<string, AddressRecord>;
}

/** The version of a check list that is in force. */
export interface ListRecord {
  readonly path: string;
  /** Its place among the configured lists: a later list wins over an earlier one. */
  readonly position: number;
  /** Seconds, with fractions; null for a file that was missing. */
  readonly mtime: number | null;
  readonly entries: ReadonlyMap<string, ListEntry>;
}

export interface StateView {
  hosts(): Iterable<HostEntry>;
  host(name: string): HostEntry | undefined;
  lists(): ReadonlyMap<string, ListRecord>;
}

export class State implements StateView {
  readonly #hosts: Map<string, HostEntry>;
  readonly #lists: Map<string, ListRecord>;
  #timeline: Timeline;

  constructor(hosts: Iterable<HostEntry> = [], lists: Iterable<ListRecord> = [], timeline: Timeline = freshTimeline) {
    this.#timeline = timeline;
    this.#hosts = new Map([...hosts].map((entry) => [entry.record.name, entry]));
    this.#lists = new Map([...lists].map((list) => [list.path, list]));
  }

  get size(): number {
    return this.#hosts.size;
  }

  hosts(): Iterable<HostEntry> {
    return this.#hosts.values();
  }

  host(name: string): HostEntry | undefined {
    return this.#hosts.get(name);
  }

  lists(): ReadonlyMap<string, ListRecord> {
    return this.#lists;
  }

  get timeline(): Timeline {
    return this.#timeline;
  }

  /** Makes a draft's changes part of this state. */
  adopt(changes: Changes): void {
    if (changes.timeline !== undefined) this.#timeline = changes.timeline;
    for (const { name, after } of changes.hosts) {
      if (after === undefined) this.#hosts.delete(name);
      else this.#hosts.set(name, after);
    }
    for (const { path, after } of changes.lists) {
      if (after === undefined) this.#lists.delete(path);
      else this.#lists.set(path, after);
    }
  }
}

export interface HostChange {
  readonly name: string;
  readonly before: HostEntry | undefined;
  readonly after: HostEntry | undefined;
}

export interface ListChange {
  readonly path: string;
  readonly before: ListRecord | undefined;
  readonly after: ListRecord | undefined;
}

export interface Changes {
  /** Where counted time stands now; absent where this pass does not move it. */
  readonly timeline?: Timeline;
  readonly hosts: readonly HostChange[];
  readonly lists: readonly ListChange[];
}

/** What makes an empty state this one. */
export function everythingOf(state: State): Changes {
  const hosts = [...state.hosts()].map((after) => ({ name: after.record.name, before: undefined, after }));
  const lists = [...state.lists()].map(([path, after]) => ({ path, before: undefined, after }));
  return { timeline: state.timeline, hosts, lists };
}

interface Touched {
  record: HostRecord;
  addresses: Map<string, AddressRecord>;
}

/** A changeable view of a state; the state below stays as it is. */
export class Draft implements StateView {
  readonly #base: StateView;
  /** Undefined: deleted. */
  readonly #touched = new Map<string, Touched | undefined>();
  readonly #lists = new Map<string, ListRecord | undefined>();
  #nextHost: number | undefined;
  #nextAddress: number | undefined;

  constructor(base: StateView) {
    this.#base = base;
  }

  *hosts(): Iterable<HostEntry> {
    for (const entry of this.#base.hosts()) {
      if (!this.#touched.has(entry.record.name)) yield entry;
    }
    for (const entry of this.#touched.values()) if (entry !== undefined) yield entry;
  }

  host(name: string): HostEntry | undefined {
    return this.#touched.has(name) ? this.#touched.get(name) : this.#base.host(name);
  }

  lists(): ReadonlyMap<string, ListRecord> {
    const lists = new Map(this.#base.lists());
    for (const [path, list] of this.#lists) {
      if (list === undefined) lists.delete(path);
      else lists.set(path, list);
    }
    return lists;
  }

  putList(list: ListRecord): void {
    this.#lists.set(list.path, list);
  }

  dropList(path: string): void {
    this.#lists.set(path, undefined);
  }

  addHost(record: Omit<HostRecord, 'order'>): void {
    this.#nextHost ??= 1 + largest(this.#base.hosts(), (entry) => entry.record.order);
    this.#touched.set(record.name, { record: { ...record, order: this.#nextHost++ }, addresses: new Map() });
  }

  putHost(record: HostRecord): void {
    this.#touch(record.name).record = record;
  }

  dropHost(name: string): void {
    this.#touched.set(name, undefined);
  }

  addAddress(host: string, address: Omit<AddressRecord, 'order'>): void {
    this.#nextAddress ??=
      1 +
      largest(this.#base.hosts(), (entry) => {
        let most = 0;
        for (const { order } of entry.addresses.values()) if (order > most) most = order;
        return most;
      });
    this.#touch(host).addresses.set(address.address, { ...address, order: this.#nextAddress++ });
  }

  putAddress(host: string, address: AddressRecord): void {
    this.#touch(host).addresses.set(address.address, address);
  }

  dropAddress(host: string, address: string): void {
    this.#touch(host).addresses.delete(address);
  }

  /** What differs from the state below. */
  changes(): Changes {
    const hosts: HostChange[] = [];
    for (const [name, after] of this.#touched) {
      const before = this.#base.host(name);
      if (before !== undefined || after !== undefined) hosts.push({ name, before, after });
    }
    const lists: ListChange[] = [];
    for (const [path, after] of this.#lists) lists.push({ path, before: this.#base.lists().get(path), after });
    return { hosts, lists };
  }

  #touch(name: string): Touched {
    const known = this.#touched.get(name);
    if (known !== undefined) return known;
    const base = this.#base.host(name);
    if (base === undefined || this.#touched.has(name)) throw new Error(`no host ${name} in the draft`);
    const touched = { record: base.record, addresses: new Map(base.addresses) };
    this.#touched.set(name, touched);
    return touched;
  }
}

function largest<Item>(items: Iterable<Item>, of: (item: Item) => number): number {
  let most = 0;
  for (const item of items) most = Math.max(most, of(item));
  return most;
}
