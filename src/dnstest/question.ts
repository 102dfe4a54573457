/** A query as the zone's server reads it, in one pass over its bytes and without an object for each. */
import { codes, headerLength, longestLabel, longestName, lowered, types, uint16 } from './wire.ts';

/** What nobody may answer: a response (two servers would talk for ever), or too little for a header. */
export const silence = -1;

/** An OPT record's fixed part after its name: type, class, TTL, length. */
const fixedLength = 10;

/** One object serves all queries: read() overwrites every field. */
export class Question {
  /** Where the question ends in the message; its name begins after the header. The header's end where it could not be read. */
  end = headerLength;
  /** Of the name on the wire, the zero byte included. */
  nameLength = 0;
  /** The name as it is hashed: lower case, labels with dots between them. The first `textLength` bytes count. */
  readonly text = new Uint8Array(longestName);
  textLength = 0;
  type = 0;
  class = 0;
  /** Whether there was an OPT record, and so has to be one in the answer (RFC 6891 §7). */
  edns = false;
  ednsVersion = 0;
  /** What the sender takes over UDP, as it said. */
  ednsSize = 0;
  /** The DO bit, which the answer repeats (RFC 3225 §3). */
  dnssecOk = false;

  /** `silence`, or the response code that is settled by the message's form alone: noerror, formerr, notimp, badvers. */
  read(message: Uint8Array): number {
    this.end = headerLength;
    this.edns = false;
    if (message.length < headerLength || ((message[2] as number) & 0x80) !== 0) return silence;
    const understood = uint16(message, 4) === 1 && this.#readQuestion(message) && this.#readRecords(message);
    // Other operations may have sections of their own; a QUERY with two questions is no query (RFC 9619 §4).
    if (((message[2] as number) & 0x78) !== 0) return this.#notAnswered(understood, codes.notimp);
    if (!understood) return this.#notAnswered(false, codes.formerr);
    return this.edns && this.ednsVersion > 0 ? codes.badvers : codes.noerror;
  }

  #notAnswered(understood: boolean, code: number): number {
    if (!understood) {
      this.end = headerLength;
      this.edns = false;
    }
    return code;
  }

  /**
   * Nothing but the header stands before the name, so that a pointer in it can point at nothing (RFC 1035 §4.1.4: a prior
   * occurrence): it is an error, and loops cannot be.
   */
  #readQuestion(message: Uint8Array): boolean {
    const { text } = this;
    let at = headerLength;
    let length = 0;
    for (;;) {
      const size = message[at];
      if (size === undefined || size > longestLabel) return false;
      at++;
      if (size === 0) break;
      if (at + size - headerLength >= longestName || at + size > message.length) return false;
      if (length > 0) text[length++] = 0x2e;
      for (const end = at + size; at < end; at++) text[length++] = lowered[message[at] as number] as number;
    }
    if (at + 4 > message.length) return false;
    this.nameLength = at - headerLength;
    this.textLength = length;
    this.type = uint16(message, at);
    this.class = uint16(message, at + 2);
    this.end = at + 4;
    return true;
  }

  /** Whether all records that the header counts are there, with nothing after them, and no more than one OPT, in its place. */
  #readRecords(message: Uint8Array): boolean {
    const before = uint16(message, 6) + uint16(message, 8);
    const all = before + uint16(message, 10);
    let at = this.end;
    for (let index = 0; index < all; index++) {
      const owner = at;
      at = endOfName(message, at);
      if (at < 0 || at + fixedLength > message.length) return false;
      const end = at + fixedLength + uint16(message, at + 8);
      if (end > message.length) return false;
      if (uint16(message, at) === types.OPT) {
        if (this.edns || index < before || at !== owner + 1 || !optionsFit(message, at + fixedLength, end))
          return false;
        this.edns = true;
        this.ednsSize = uint16(message, at + 2);
        this.ednsVersion = message[at + 5] as number;
        this.dnssecOk = ((message[at + 6] as number) & 0x80) !== 0;
      }
      at = end;
    }
    return at === message.length;
  }
}

/** Behind a record's name; -1 where there is none. A pointer ends a name, and is not followed: nobody asks what it says. */
function endOfName(message: Uint8Array, start: number): number {
  for (let at = start; ; ) {
    const size = message[at];
    if (size === undefined) return -1;
    if (size >= 0xc0) return at + 2;
    if (size > longestLabel) return -1;
    at += 1 + size;
    if (size === 0) return at - start > longestName ? -1 : at;
  }
}

/** Whether EDNS options, each with its code and length, fill the record (RFC 6891 §6.1.2). */
function optionsFit(message: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at + 4 <= end) at += 4 + uint16(message, at + 2);
  return at === end;
}
