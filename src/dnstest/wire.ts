/** The numbers of DNS messages that the zone's server needs, and names as they are on the wire (RFC 1035 §3 and §4). */
import { domainToASCII } from 'node:url';
import { NetstewardError } from '../core/errors.ts';

export const headerLength = 12;
/** Of a name on the wire, its zero byte included (RFC 1035 §2.3.4). */
export const longestName = 255;
/** Of one label. A longer length byte is a compression pointer, or of a kind that nobody uses (RFC 6891 §5). */
export const longestLabel = 63;

export const types = { A: 1, NS: 2, SOA: 6, AAAA: 28, OPT: 41, IXFR: 251, AXFR: 252, MAILB: 253, MAILA: 254, ANY: 255 };
export const classes = { IN: 1, ANY: 255 };
/** RFC 1035 §4.1.1; badvers (RFC 6891 §9) has its upper eight bits in the OPT record. */
export const codes = { noerror: 0, formerr: 1, notimp: 4, refused: 5, badvers: 16 };

/** Of each byte: capital letters as small ones, all others (length bytes too, which are 63 at most) as they are. */
export const lowered: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);

export function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  writeUint16(bytes, at, value >>> 16);
  writeUint16(bytes, at + 2, value & 0xffff);
}

/**
 * A name that somebody typed, on the wire and in lower case; `.` is the root. Other letters than ASCII go by IDNA.
 * Throws NetstewardError `dnstest-name`.
 */
export function wireName(text: string): Uint8Array {
  const refuse = (why: string): NetstewardError =>
    new NetstewardError('dnstest-name', `${JSON.stringify(text)} is no domain name: ${why}`, {
      remedy: 'Name it like test.example.org.',
    });
  // domainToASCII takes what looks like an IPv4 address for one; plain ASCII needs no conversion.
  const ascii = /^[\x21-\x7e]*$/.test(text) ? text : domainToASCII(text);
  if (ascii === '') throw refuse(text === '' ? 'it is empty' : 'IDNA does not allow it');
  const labels = ascii === '.' ? [] : ascii.replace(/\.$/, '').toLowerCase().split('.');
  const bytes: number[] = [];
  for (const label of labels) {
    if (label === '') throw refuse('it has an empty label');
    if (label.length > longestLabel)
      throw refuse(`a label has ${label.length} bytes, and ${longestLabel} are the most`);
    bytes.push(label.length, ...Buffer.from(label, 'latin1'));
  }
  bytes.push(0);
  if (bytes.length > longestName)
    throw refuse(`it has ${bytes.length} bytes on the wire, and ${longestName} are the most`);
  return Uint8Array.from(bytes);
}
