/** What an accepted update makes of a zone's bytes: address fields and header timestamps change, nothing else (pure). */
import { type Address, addressOf } from './address.ts';
import { addressText, type Entry, type EntryKind, isBlank, nameOf } from './record.ts';
import { formatTimestamp } from './timestamp.ts';
import { eachEntry, type Span, type Zone } from './zone-file.ts';

export interface ZoneUpdate {
  readonly keyId: string;
  readonly address: Address;
  /** Seconds since the Unix epoch, finite and not negative. */
  readonly timestamp: number;
}

export interface EditOptions {
  /** Write the header's timestamp also when no address changes (`--update-timestamps`). */
  readonly updateTimestamps?: boolean;
  /** Whether a block with this timestamp in its header takes the update. Default: it is older, as in the original. */
  readonly isNewer?: (header: number) => boolean;
  /** Whether the key may change this name. Default: any. */
  readonly allowsName?: (name: string) => boolean;
  /** How many changes are kept with their facts; the rest is only counted. Default 1000. */
  readonly mostFacts?: number;
}

/** One record that changed, for the log and for the update command's environment. */
export interface EntryChange {
  /** As tinydns writes it, in ASCII: `*.a.net`. */
  readonly name: string;
  readonly kind: EntryKind;
  /** Dotted quads or RFC 5952 texts. */
  readonly from: string;
  readonly to: string;
}

export interface ZoneEdit {
  /** The whole new file, or undefined: it stays as it is. Made when first asked for: a copy of the file. */
  readonly bytes: Buffer | undefined;
  /** Whether there is a new file. */
  readonly writes: boolean;
  /** Blocks of the key that take the update, with or without a change. */
  readonly blocks: number;
  /** Records whose address changes. */
  readonly changed: number;
  readonly changes: readonly EntryChange[];
  /** Names that differ but that the key may not change; at most as many as `mostFacts`. */
  readonly withheld: readonly string[];
}

/** An edit of the same file again gives no change. Never throws for a zone of `parseZone` and a timestamp as told. */
export function editZone(zone: Zone, update: ZoneUpdate, options: EditOptions = {}): ZoneEdit {
  const { isNewer = (header) => header < update.timestamp, allowsName = () => true, mostFacts = 1000 } = options;
  const { address } = update;
  const timestampText = formatTimestamp(update.timestamp);
  const textOf = textsOf(address);
  const pieces = new Pieces(zone.bytes);
  const changes: EntryChange[] = [];
  const withheld: string[] = [];
  let blocks = 0;
  let changed = 0;
  for (const block of zone.blocks) {
    if (!block.usable || !block.keys.some(({ id }) => id === update.keyId) || !isNewer(block.timestamp)) continue;
    blocks++;
    // Never down: whoever goes by the header alone would take old packets again.
    if (Number(timestampText) > block.timestamp) pieces.replace(block.timestampSpan, timestampText);
    if (block.entries[address.family] === 0) continue;
    eachEntry(zone, block, (entry, lineEnd) => {
      if (entry.family !== address.family || (entry.value === address.value && entry.publishes)) return;
      const name = nameOf(zone.bytes, entry);
      if (!allowsName(name)) {
        if (withheld.length < mostFacts) withheld.push(name);
        return;
      }
      changed++;
      for (const span of addressSpans(zone.bytes, entry, lineEnd)) pieces.replace(span, textOf(entry.kind));
      if (changes.length >= mostFacts) return;
      changes.push({ name, kind: entry.kind, from: addressOf(entry.value).text, to: address.text });
    });
  }
  const writes = (changed > 0 || options.updateTimestamps === true) && pieces.any;
  let made: Buffer | undefined;
  return {
    blocks,
    changed,
    changes,
    withheld,
    writes,
    get bytes() {
      if (writes) made ??= pieces.assemble();
      return made;
    },
  };
}

const colon = 0x3a;

/** Each way of writing the one address, made once. */
function textsOf({ value, text }: Address): (kind: EntryKind) => string {
  const made = new Map<EntryKind, string>();
  return (kind) => {
    const known = made.get(kind) ?? addressText(kind, value, text);
    made.set(kind, known);
    return known;
  };
}

/** The address, and in `+` and `6` lines later fields with the very same text, which the original rewrites too. */
function addressSpans(bytes: Buffer, entry: Entry, lineEnd: number): Span[] {
  const { addressStart, addressEnd, kind } = entry;
  const spans = [{ start: addressStart, end: addressEnd }];
  if (kind !== '+' && kind !== '6') return spans;
  const text = bytes.subarray(addressStart, addressEnd);
  for (let start = addressEnd + 1; start + text.length <= lineEnd; start++) {
    if (bytes[start - 1] !== colon) continue;
    const end = start + text.length;
    const whole = end === lineEnd || bytes[end] === colon || isBlank(bytes[end]);
    if (whole && bytes.subarray(start, end).equals(text)) spans.push({ start, end });
  }
  return spans;
}

/** Replacements in ascending order, kept as plain columns: a zone can have a million of them. */
class Pieces {
  readonly #bytes: Buffer;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #texts: string[] = [];
  #growth = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  replace({ start, end }: Span, text: string): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#texts.push(text);
    this.#growth += text.length - (end - start);
  }

  get any(): boolean {
    return this.#starts.length > 0;
  }

  assemble(): Buffer {
    const made = Buffer.allocUnsafe(this.#bytes.length + this.#growth);
    let from = 0;
    let to = 0;
    for (const [index, start] of this.#starts.entries()) {
      to += this.#bytes.copy(made, to, from, start);
      to += made.write(this.#texts[index] ?? '', to, 'latin1');
      from = this.#ends[index] ?? start;
    }
    this.#bytes.copy(made, to, from);
    return made;
  }
}
