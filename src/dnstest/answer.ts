/** What the zone's server says to one message: bytes in, bytes out (pure but for its scratch space). */
import type { NameHash } from './name-hash.ts';
import { digestLength } from './name-hash.ts';
import { Question, silence } from './question.ts';
import { classes, codes, headerLength, types, writeUint16, writeUint32 } from './wire.ts';
import { type AddressBytes, Zone, type ZoneServer } from './zone.ts';

export type Transport = 'udp' | 'tcp';

export interface ServedZone {
  readonly name: string;
  readonly servers: readonly ZoneServer[];
}

export interface AnswerSettings {
  readonly hash: NameHash;
  /** Seconds. */
  readonly ttl: number;
  /** None: every name there is, each as a zone of its own. */
  readonly zones: readonly ServedZone[];
}

/** What fits through every path without fragments (DNS flag day 2020); both what we take and the most that we send over UDP. */
export const udpSize = 1232;
/** For senders without EDNS (RFC 1035 §4.2.1), and the least that EDNS can say (RFC 6891 §6.2.3). */
const plainUdpSize = 512;
const tcpSize = 65_535;

const optLength = 11;
/** Pointer to the question's name, type, class, TTL and length of an address. */
const addressHead = 12;

export class Answerer {
  readonly #hash: NameHash;
  readonly #ttl: number;
  /** The longest first: the closest one is right for a name. */
  readonly #zones: readonly Zone[];
  readonly #question = new Question();
  readonly #digest = new Uint8Array(digestLength);
  /** Room for every answer but the question's own. */
  readonly #scratch: Uint8Array;

  /** Throws NetstewardError `dnstest-name`. */
  constructor({ hash, ttl, zones }: AnswerSettings) {
    this.#hash = hash;
    this.#ttl = ttl;
    const served = zones.length === 0 ? [{ name: undefined, servers: [] }] : zones;
    this.#zones = served.map((zone) => new Zone({ ...zone, ttl })).sort((a, b) => b.length - a.length);
    const longest = this.#zones.map((zone) => zone.longestRecord * Math.max(1, zone.servers));
    const addresses = zones.flatMap(({ servers }) => servers.map((server) => server.addresses.length * 28));
    this.#scratch = new Uint8Array(headerLength + 259 + optLength + Math.max(...longest, ...addresses, 28));
  }

  /** Undefined: no answer may be given. The answer is never longer than its sender takes, and never longer than 1232 bytes over UDP. */
  answer(message: Uint8Array, transport: Transport): Uint8Array | undefined {
    const question = this.#question;
    const code = question.read(message);
    if (code === silence) return undefined;
    const out = this.#scratch;
    for (let i = 0; i < question.end; i++) out[i] = message[i] as number;
    // Of the flags only the operation and RD are the sender's to say (RFC 1035 §4.1.1; RFC 4035 §3.1.6 for AD and CD).
    out[2] = 0x80 | ((message[2] as number) & 0x79);
    out.fill(0, 3, headerLength);
    out[5] = question.end > headerLength ? 1 : 0;
    if (code !== codes.noerror) return this.#finished(code, question.end);
    const end = this.#records(message);
    if (end < 0) return this.#finished(codes.refused, question.end);
    out[2] = (out[2] as number) | 0x04;
    if (end + (question.edns ? optLength : 0) <= limitOf(question, transport))
      return this.#finished(codes.noerror, end);
    // Not cut somewhere, but empty: who sees TC asks over TCP (RFC 2181 §9).
    out[2] = (out[2] as number) | 0x02;
    out.fill(0, 6, headerLength);
    return this.#finished(codes.noerror, question.end);
  }

  /** Writes the records behind the question, and their counts; gives where they end, or -1 for what is refused. */
  #records(message: Uint8Array): number {
    const { type, class: asked, nameLength } = this.#question;
    if (asked !== classes.IN && asked !== classes.ANY) return -1;
    // No transfers, and no other question that is about the server and not about a name (RFC 6895 §3.1).
    if ((type >= 128 && type < types.ANY) || type === types.OPT) return -1;
    const zone = this.#zones.find((each) => each.holds(message, nameLength));
    if (zone === undefined) return -1;
    // The smallest RRset of those there are is an answer to ANY (RFC 8482 §4.1).
    if (type === types.A || type === types.ANY) return this.#addresses(zone, 4);
    if (type === types.AAAA) return this.#addresses(zone, 16);
    const out = this.#scratch;
    const start = this.#question.end;
    const apex = zone.apexIn(nameLength);
    if (apex === headerLength && type === types.SOA) {
      out[7] = 1;
      return zone.writeSoa(out, start, apex);
    }
    if (apex === headerLength && type === types.NS && zone.servers > 0) {
      let end = start;
      for (let index = 0; index < zone.servers; index++) end = zone.writeServer(out, end, apex, index);
      writeUint16(out, 6, zone.servers);
      return end;
    }
    return this.#noData(zone);
  }

  /** `size`: 4 or 16. */
  #addresses(zone: Zone, size: number): number {
    const { text, textLength, end: start } = this.#question;
    const out = this.#scratch;
    const known = zone.addressesOf(text, textLength);
    if (known === undefined) {
      this.#hash.digestInto(text.subarray(0, textLength), this.#digest);
      out[7] = 1;
      return this.#writeAddress(start, size, this.#digest);
    }
    const own = known.filter((address) => address.length === size);
    if (own.length === 0) return this.#noData(zone);
    writeUint16(out, 6, own.length);
    return own.reduce((end, address) => this.#writeAddress(end, size, address), start);
  }

  #writeAddress(start: number, size: number, address: AddressBytes): number {
    const out = this.#scratch;
    writeUint16(out, start, 0xc000 | headerLength);
    writeUint16(out, start + 2, size === 4 ? types.A : types.AAAA);
    writeUint16(out, start + 4, classes.IN);
    writeUint32(out, start + 6, this.#ttl);
    writeUint16(out, start + 10, size);
    for (let i = 0; i < size; i++) out[start + addressHead + i] = address[i] as number;
    return start + addressHead + size;
  }

  /** NOERROR without an answer: the name is there, the type is not (RFC 2308 §2.2). */
  #noData(zone: Zone): number {
    this.#scratch[9] = 1;
    const { end, nameLength } = this.#question;
    return zone.writeSoa(this.#scratch, end, zone.apexIn(nameLength));
  }

  /** Adds the code and the OPT record, if there is to be one; the bytes are the caller's. */
  #finished(code: number, recordsEnd: number): Uint8Array {
    const out = this.#scratch;
    out[3] = code & 0x0f;
    let end = recordsEnd;
    if (this.#question.edns) {
      out.fill(0, end, end + optLength);
      out[end + 2] = types.OPT;
      writeUint16(out, end + 3, udpSize);
      out[end + 5] = code >>> 4;
      if (this.#question.dnssecOk) out[end + 7] = 0x80;
      end += optLength;
      out[11] = 1;
    }
    const answer = Buffer.allocUnsafe(end);
    for (let i = 0; i < end; i++) answer[i] = out[i] as number;
    return answer;
  }
}

function limitOf({ edns, ednsSize }: Question, transport: Transport): number {
  if (transport === 'tcp') return tcpSize;
  return edns ? Math.min(udpSize, Math.max(plainUdpSize, ednsSize)) : plainUdpSize;
}
