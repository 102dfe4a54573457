/** What is to be asked next of all addresses: pressing ones when they are due, regular ones in an even stream. */
import { Heap } from './heap.ts';

export interface Entry {
  /** Seconds. */
  readonly at: number;
  readonly pressing: boolean;
  /** Seconds between its regular checks, whether it is pressing now or not: what the stream's rate is made of. */
  readonly interval: number;
}

interface Planned<Key> {
  readonly key: Key;
  readonly entry: Entry;
}

export interface Next<Key> {
  readonly key: Key;
  /** Seconds: when it may be asked. */
  readonly at: number;
}

/**
 * Regular checks start at no less than half their mean distance, so there are never more than twice the mean in a minute, at
 * the start and after an outage too. As they are spread already, few have to wait for it.
 */
export class Agenda<Key> {
  readonly #planned = new Map<Key, Planned<Key>>();
  readonly #pressing = new Heap<Planned<Key>>();
  readonly #regular = new Heap<Planned<Key>>();
  /** Regular checks a second, on average. */
  #rate = 0;
  /** No regular check before this. */
  #free = Number.NEGATIVE_INFINITY;

  /** Regular checks a second, on average: those of pressing ones are counted too. */
  get rate(): number {
    return this.#rate;
  }

  /** Instead of what was planned for it. */
  put(key: Key, entry: Entry): void {
    this.drop(key);
    const planned = { key, entry };
    this.#planned.set(key, planned);
    this.#rate += 1 / entry.interval;
    (entry.pressing ? this.#pressing : this.#regular).push(entry.at, planned);
  }

  drop(key: Key): void {
    const planned = this.#planned.get(key);
    if (planned === undefined) return;
    this.#planned.delete(key);
    this.#rate = this.#planned.size === 0 ? 0 : this.#rate - 1 / planned.entry.interval;
  }

  /** The first one; it stays planned, for the rate, but comes again only when it was put again. */
  take(): Next<Key> | undefined {
    const next = this.peek();
    if (next === undefined) return undefined;
    const pressing = this.#first(this.#pressing);
    if (pressing?.key === next.key) this.#pressing.pop();
    else {
      this.#regular.pop();
      this.#free = next.at + 1 / (2 * this.#rate);
    }
    return next;
  }

  peek(): Next<Key> | undefined {
    const pressing = this.#first(this.#pressing);
    const regular = this.#first(this.#regular);
    if (regular === undefined) return pressing;
    const at = Math.max(regular.at, this.#free);
    return pressing !== undefined && pressing.at <= at ? pressing : { key: regular.key, at };
  }

  /** What was put again, or dropped, is passed over. */
  #first(heap: Heap<Planned<Key>>): Next<Key> | undefined {
    for (;;) {
      const top = heap.peek();
      if (top === undefined) return undefined;
      if (this.#planned.get(top.item.key) === top.item) return { key: top.item.key, at: top.at };
      heap.pop();
    }
  }
}
