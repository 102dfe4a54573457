/** A zone that the server answers for: its apex, its name servers, and the records that stand in negative answers. */
import { headerLength, lowered, types, wireName, writeUint16, writeUint32 } from './wire.ts';

/** A name server of the zone. A name inside the zone has its real addresses here, which go before the hash of its name. */
export interface ZoneServer {
  readonly name: string;
  /** Numeric; empty: unknown. */
  readonly addresses: readonly AddressBytes[];
}

/** 4 or 16 bytes. */
export type AddressBytes = Uint8Array;

export interface ZoneSettings {
  /**
   * Undefined: every name there is, each as the apex of a zone of its own. One zone at the root would not do: BIND takes no SOA
   * record from above the zone that it asked for ("not subdomain of zone").
   */
  readonly name: string | undefined;
  readonly servers: readonly ZoneServer[];
  /** Seconds, of each record. */
  readonly ttl: number;
}

/** Seconds: refresh, retry and expire of the SOA record. There are no secondaries; these are usual values. */
const soaTimes = [3600, 600, 86_400] as const;

/** A name as it is written into answers: whole, or up to where the zone's name begins, which the question has already. */
interface EncodedName {
  readonly bytes: Uint8Array;
  readonly pointsToZone: boolean;
}

export class Zone {
  readonly #wire: Uint8Array;
  readonly #everyName: boolean;
  readonly #ttl: number;
  readonly #servers: readonly EncodedName[];
  readonly #contact: EncodedName;
  /** Stands in where the zone has no name server to name. */
  readonly #apex: EncodedName;
  /** By the name in the form that is hashed. */
  readonly #hosts: ReadonlyMap<string, readonly AddressBytes[]>;

  /** Throws NetstewardError `dnstest-name`. */
  constructor({ name, servers, ttl }: ZoneSettings) {
    this.#wire = wireName(name ?? '.');
    this.#everyName = name === undefined;
    this.#ttl = ttl;
    this.#servers = servers.map((server) => this.#encoded(wireName(server.name)));
    this.#apex = this.#everyName ? { bytes: new Uint8Array(0), pointsToZone: true } : this.#encoded(this.#wire);
    this.#contact = this.#encoded(wireName(`hostmaster.${name === undefined || name === '.' ? '' : name}`));
    this.#hosts = new Map(
      servers
        .filter((server) => endsWith(wireName(server.name), this.#wire))
        .map((server) => [server.name.replace(/\.$/, '').toLowerCase(), server.addresses]),
    );
  }

  /** Where the message has the zone's name, which ends the question's name of `length` bytes. */
  apexIn(length: number): number {
    return this.#everyName ? headerLength : headerLength + length - this.#wire.length;
  }

  /** Of the apex on the wire. */
  get length(): number {
    return this.#wire.length;
  }

  /** Whether the question's name, `length` bytes behind the header of the message, is the apex or below it. */
  holds(message: Uint8Array, length: number): boolean {
    const wire = this.#wire;
    const apex = length - wire.length;
    if (apex < 0) return false;
    let at = 0;
    while (at < apex) at += 1 + (message[headerLength + at] as number);
    if (at !== apex) return false;
    for (let i = 0; i < wire.length; i++) {
      if (lowered[message[headerLength + apex + i] as number] !== wire[i]) return false;
    }
    return true;
  }

  /** Addresses of a name server inside the zone; undefined: the name is none. */
  addressesOf(text: Uint8Array, length: number): readonly AddressBytes[] | undefined {
    if (this.#hosts.size === 0) return undefined;
    return this.#hosts.get(Buffer.from(text.buffer, text.byteOffset, length).toString('latin1'));
  }

  get servers(): number {
    return this.#servers.length;
  }

  /** Each of these writes one record at `at` of `out`, which has room for it, and gives where it ends. `apex`: as apexIn() gives it. */
  writeSoa(out: Uint8Array, start: number, apex: number): number {
    const [primary = this.#apex] = this.#servers;
    const data = this.#writeFixed(out, start, apex, types.SOA);
    let at = this.#writeName(out, data, apex, primary);
    at = this.#writeName(out, at, apex, this.#contact);
    // The serial never changes, as the zone's content never does. Negative answers are kept as long as others (RFC 2308 §4).
    for (const number of [1, ...soaTimes, this.#ttl]) {
      writeUint32(out, at, number);
      at += 4;
    }
    writeUint16(out, data - 2, at - data);
    return at;
  }

  writeServer(out: Uint8Array, start: number, apex: number, index: number): number {
    const data = this.#writeFixed(out, start, apex, types.NS);
    const at = this.#writeName(out, data, apex, this.#servers[index] ?? this.#apex);
    writeUint16(out, data - 2, at - data);
    return at;
  }

  /** Bytes that no record of the zone needs more than. */
  get longestRecord(): number {
    const longest = Math.max(0, ...this.#servers.map(({ bytes }) => bytes.length));
    return 12 + longest + this.#contact.bytes.length + 4 + 20;
  }

  /** The apex as owner, type, class, TTL, and room for the length; gives where the data begins. */
  #writeFixed(out: Uint8Array, start: number, apex: number, type: number): number {
    let at = start;
    // The root is one zero byte, and shorter than a pointer to one.
    if (this.#wire.length === 1 && !this.#everyName) out[at++] = 0;
    else {
      writeUint16(out, at, 0xc000 | apex);
      at += 2;
    }
    writeUint16(out, at, type);
    writeUint16(out, at + 2, 1);
    writeUint32(out, at + 4, this.#ttl);
    return at + 10;
  }

  #writeName(out: Uint8Array, at: number, apex: number, { bytes, pointsToZone }: EncodedName): number {
    out.set(bytes, at);
    if (!pointsToZone) return at + bytes.length;
    writeUint16(out, at + bytes.length, 0xc000 | apex);
    return at + bytes.length + 2;
  }

  #encoded(name: Uint8Array): EncodedName {
    if (this.#wire.length === 1 || !endsWith(name, this.#wire)) return { bytes: name, pointsToZone: false };
    return { bytes: name.subarray(0, name.length - this.#wire.length), pointsToZone: true };
  }
}

/** Both on the wire and in lower case. */
function endsWith(name: Uint8Array, zone: Uint8Array): boolean {
  let at = 0;
  while (at < name.length - zone.length) at += 1 + (name[at] as number);
  return at === name.length - zone.length && zone.every((byte, index) => byte === name[at + index]);
}
