/** Packets that wait for their signature check, fair by source: whoever sends most waits no less than others (pure). */

/** What the queue goes by; the rest of a packet is the owner's business. */
export interface Queued {
  readonly keyId: string;
  /** As the socket tells it. */
  readonly source: string;
  /** From the address that a key has now: these have a turn of their own, so that a flood of strangers costs them one check. */
  readonly familiar: boolean;
}

/** 4096 packets of strangers are half a second of checks. */
export const mostWaiting = 4096;
/** Packets from one familiar address that wait together. */
export const familiarPlaces = 16;

/**
 * Each source has one place per key, with the newest packet in it: of two from one sender, only the newer can matter. A
 * familiar source has some: whoever forges its address must not put out the genuine packet with the next one. What a full
 * queue cannot take is dropped: state never grows with what strangers send.
 */
export class SourceQueue<Item extends Queued> {
  readonly #most: number;
  readonly #lanes = [new Lane<Item>(familiarPlaces), new Lane<Item>(1)] as const;
  #turn = 0;
  /** Packets that a newer one of their source has replaced. */
  replaced = 0;
  /** Packets that came while the queue was full. */
  dropped = 0;

  constructor(most = mostWaiting) {
    this.#most = most;
  }

  get size(): number {
    return this.#lanes[0].size + this.#lanes[1].size;
  }

  get hasFamiliar(): boolean {
    return this.#lanes[0].size > 0;
  }

  put(item: Item): void {
    const lane = this.#lanes[item.familiar ? 0 : 1];
    const place = `${item.keyId} ${sourceGroup(item.source)}`;
    if (lane.replaceOldest(place, item)) this.replaced += 1;
    else if (lane.size >= this.#most) this.dropped += 1;
    else lane.add(place, item);
  }

  /** The one that has waited longest, of both kinds of source in turn. */
  take(): Item | undefined {
    this.#turn = 1 - this.#turn;
    const [own, other] = this.#turn === 1 ? this.#lanes : [this.#lanes[1], this.#lanes[0]];
    return (own.size > 0 ? own : other).take();
  }

  /** The one from a familiar address that has waited longest; it costs strangers no turn of theirs. */
  takeFamiliar(): Item | undefined {
    return this.#lanes[0].take();
  }
}

/** Sources in the order of their turns, each with what it has sent. */
class Lane<Item> {
  readonly #places = new Map<string, Item[]>();
  readonly #depth: number;
  size = 0;

  constructor(depth: number) {
    this.#depth = depth;
  }

  /** Whether the source had no room left. A Map keeps the place of its keys: to send more is not to be served sooner. */
  replaceOldest(place: string, item: Item): boolean {
    const waiting = this.#places.get(place);
    if (waiting === undefined || waiting.length < this.#depth) return false;
    waiting.shift();
    waiting.push(item);
    return true;
  }

  add(place: string, item: Item): void {
    const waiting = this.#places.get(place);
    if (waiting === undefined) this.#places.set(place, [item]);
    else waiting.push(item);
    this.size += 1;
  }

  take(): Item | undefined {
    for (const [place, waiting] of this.#places) {
      const item = waiting.shift();
      this.#places.delete(place);
      // The others have their turns first.
      if (waiting.length > 0) this.#places.set(place, waiting);
      this.size -= 1;
      return item;
    }
    return undefined;
  }
}

/** One subscriber has 2^64 addresses of IPv6: its /64 counts as one source. */
export function sourceGroup(source: string): string {
  if (!source.includes(':') || source.includes('.')) return source;
  const [head = '', tail] = source.split('::', 2);
  const first = head === '' ? [] : head.split(':');
  if (tail === undefined) return first.slice(0, 4).join(':');
  const last = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  return [...first, ...zeros, ...last].slice(0, 4).join(':');
}
