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

/**
 * Each source has one place per key, with the newest packet in it: of two from one sender, only the newer can matter. What
 * a full queue cannot take is dropped: state never grows with what strangers send.
 */
export class SourceQueue<Item extends Queued> {
  readonly #most: number;
  readonly #lanes: readonly [Map<string, Item>, Map<string, Item>] = [new Map(), new Map()];
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

  put(item: Item): void {
    const lane = this.#lanes[item.familiar ? 0 : 1];
    const place = `${item.keyId} ${sourceGroup(item.source)}`;
    // A Map keeps the place of a key that is set again: to send more is not to be served sooner.
    if (lane.has(place)) this.replaced += 1;
    else if (lane.size >= this.#most) {
      this.dropped += 1;
      return;
    }
    lane.set(place, item);
  }

  /** The one that has waited longest, of both kinds of source in turn. */
  take(): Item | undefined {
    this.#turn = 1 - this.#turn;
    const [own, other] = this.#turn === 1 ? this.#lanes : [this.#lanes[1], this.#lanes[0]];
    const lane = own.size > 0 ? own : other;
    return first(lane);
  }

  /** The one from a familiar address that has waited longest; it costs strangers no turn of theirs. */
  takeFamiliar(): Item | undefined {
    return first(this.#lanes[0]);
  }
}

function first<Item>(lane: Map<string, Item>): Item | undefined {
  for (const [place, item] of lane) {
    lane.delete(place);
    return item;
  }
  return undefined;
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
