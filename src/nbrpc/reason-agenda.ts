/** When a failing address is looked at a second time: once it fails, then at most once an hour, a few in each pass (pure). */

export interface Failing {
  readonly host: string;
  /** Empty: the name itself gives no address. */
  readonly address: string;
  /** Seconds since the epoch: since when it fails. */
  readonly since: number;
}

/** Seconds between two looks at one that stays as it is, and at one that comes and goes. */
const again = 3600;
const flapping = 600;
/** Looks in one pass: the rest follows in the next ones. */
const mostAtOnce = 8;

interface Looked {
  readonly since: number;
  readonly at: number;
}

export class LookAgenda {
  readonly #looked = new Map<string, Looked>();

  /** Those of `failing` whose turn it is; they count as looked at from now on. The longest waiting first. */
  take<Item extends Failing>(failing: Iterable<Item>, now: number): readonly Item[] {
    this.#forget(now);
    const due: { readonly item: Item; readonly rank: number }[] = [];
    for (const item of failing) {
      const last = this.#looked.get(keyOf(item));
      if (last === undefined || last.at > now) due.push({ item, rank: Number.NEGATIVE_INFINITY });
      else if (now - last.at >= (last.since === item.since ? again : flapping)) due.push({ item, rank: last.at });
    }
    const taken = due.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0)).slice(0, mostAtOnce);
    for (const { item } of taken) this.#looked.set(keyOf(item), { since: item.since, at: now });
    return taken.map(({ item }) => item);
  }

  /** What was looked at two hours ago and not since has ended, or left the list. */
  #forget(now: number): void {
    for (const [key, { at }] of this.#looked) if (now - at > 2 * again) this.#looked.delete(key);
  }
}

const keyOf = ({ host, address }: Failing): string => `${host} ${address}`;
