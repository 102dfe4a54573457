/** One line of a tinydns zone: which bytes of it are an address that an update may change (pure; bytes, not characters). */
import { type AddressValue, type Family, inetAton, octalOf, tinydnsQuad } from './address.ts';

/** Line kinds that hold an IPv4 address besides `+`; the original leaves them alone, so they count only where config asks. */
export const optionalKinds = ['=', '@', '.', '&'] as const;
export type OptionalKind = (typeof optionalKinds)[number];
export type EntryKind = '+' | '6' | '3' | ':' | OptionalKind;

/** The address in a line. Offsets count from the start of the file. */
export interface Entry {
  readonly kind: EntryKind;
  readonly family: Family;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly addressStart: number;
  readonly addressEnd: number;
  readonly value: AddressValue;
  /** False for a text that tinydns-data reads otherwise than inet_aton(3) does, or not at all: `1.2.3`, `010.0.0.1`. */
  readonly publishes: boolean;
}

const colon = 0x3a;
const kindOf: ReadonlyMap<number, EntryKind> = new Map(
  (['+', '6', '3', ':', ...optionalKinds] as const).map((kind) => [kind.charCodeAt(0), kind]),
);

/** Blanks as Python's `\s` has them for bytes, which the original goes by: tab, line feed, VT, FF, CR, space. */
export function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

/**
 * The line `bytes[start..end)`, without blanks around it. An entry; or what is wrong with one; or undefined for a line
 * that no update touches.
 */
export function readEntry(
  bytes: Buffer,
  start: number,
  end: number,
  optional: ReadonlySet<OptionalKind>,
): Entry | string | undefined {
  const kind = kindOf.get(bytes[start] ?? 0);
  if (kind === undefined) return undefined;
  switch (kind) {
    case '+':
      return readIpv4(bytes, kind, start, end);
    case '6':
    case '3':
      return readHex(bytes, kind, start, end);
    case ':':
      return readGeneric(bytes, start, end);
    default:
      return optional.has(kind) ? readIpv4(bytes, kind, start, end) : undefined;
  }
}

/** The text that a record of this kind holds an address as. */
export function addressText(kind: EntryKind, value: AddressValue, text: string): string {
  if (typeof value === 'number') return text;
  return kind === ':' ? octalOf(value) : value;
}

/** A field's end: the next colon, or the line's end. */
function fieldEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== colon) at++;
  return at;
}

function readIpv4(bytes: Buffer, kind: EntryKind, start: number, end: number): Entry | string | undefined {
  const nameEnd = fieldEnd(bytes, start + 1, end);
  const addressStart = nameEnd + 1;
  let addressEnd = fieldEnd(bytes, Math.min(addressStart, end), end);
  while (addressEnd > addressStart && isBlank(bytes[addressEnd - 1])) addressEnd--;
  if (nameEnd === end || addressEnd === addressStart) {
    // A name server or mail exchanger may have its address elsewhere (tinydns-data's format).
    return kind === '+' || kind === '=' ? `a ${kind} record without an address` : undefined;
  }
  let value: number | undefined = readQuad(bytes, addressStart, addressEnd);
  let publishes = true;
  if (value < 0) {
    const text = bytes.toString('latin1', addressStart, addressEnd);
    value = inetAton(text);
    if (value === undefined) return `a ${kind} record whose address is no IPv4 address`;
    publishes = tinydnsQuad(text) === value;
  }
  return { kind, family: 4, nameStart: start + 1, nameEnd, addressStart, addressEnd, value, publishes };
}

/** Four decimal numbers without leading zeros, the usual way to write it, without making a text of it; -1 for all else. */
function readQuad(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  let part = -1;
  let dots = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x2e) {
      if (part < 0 || dots === 3) return -1;
      value = value * 256 + part;
      part = -1;
      dots++;
    } else if (byte < 0x30 || byte > 0x39 || part === 0) return -1;
    else {
      part = (part < 0 ? 0 : part * 10) + byte - 0x30;
      if (part > 255) return -1;
    }
  }
  return dots === 3 && part >= 0 ? value * 256 + part : -1;
}

function readHex(bytes: Buffer, kind: EntryKind, start: number, end: number): Entry | string {
  const nameEnd = fieldEnd(bytes, start + 1, end);
  const addressStart = nameEnd + 1;
  let addressEnd = fieldEnd(bytes, Math.min(addressStart, end), end);
  while (addressEnd > addressStart && isBlank(bytes[addressEnd - 1])) addressEnd--;
  if (nameEnd === end || addressEnd === addressStart) return `a ${kind} record without an address`;
  const text = addressEnd - addressStart === 32 ? bytes.toString('latin1', addressStart, addressEnd) : '';
  if (!/^[0-9a-fA-F]{32}$/.test(text)) return `a ${kind} record whose address is not 32 hexadecimal digits`;
  const value = text.toLowerCase();
  return { kind, family: 6, nameStart: start + 1, nameEnd, addressStart, addressEnd, value, publishes: true };
}

/** `:fqdn:28:data…`: AAAA (RFC 3596) in the form that every tinydns knows; other types are not ours. */
function readGeneric(bytes: Buffer, start: number, end: number): Entry | string | undefined {
  const nameEnd = fieldEnd(bytes, start + 1, end);
  const typeStart = Math.min(nameEnd + 1, end);
  const typeEnd = fieldEnd(bytes, typeStart, end);
  // scan_ulong reads the digits in front and leaves the rest.
  if (!/^0*28(?:\D|$)/.test(bytes.toString('latin1', typeStart, Math.min(typeEnd, typeStart + 64)))) return undefined;
  const addressStart = Math.min(typeEnd + 1, end);
  const addressEnd = fieldEnd(bytes, addressStart, end);
  const value = readOctal(bytes, addressStart, addressEnd);
  if (value === undefined) return 'a generic record of type 28 (AAAA) whose data is not 16 bytes';
  return { kind: ':', family: 6, nameStart: start + 1, nameEnd, addressStart, addressEnd, value, publishes: true };
}

/** tinydns-data's escapes: a backslash and up to three octal digits, or a backslash and any other byte for that byte. */
function readOctal(bytes: Buffer, start: number, end: number): string | undefined {
  let hex = '';
  let at = start;
  const digit = (): number => {
    const value = at < end ? (bytes[at] ?? 0) - 0x30 : -1;
    return value >= 0 && value <= 7 ? value : -1;
  };
  while (at < end) {
    if (hex.length === 32) return undefined;
    let byte = bytes[at++] ?? 0;
    if (byte === 0x5c) {
      // A backslash at the very end is dropped.
      if (at === end) break;
      if (digit() < 0) byte = bytes[at++] ?? 0;
      else {
        byte = 0;
        for (let count = 0; count < 3 && digit() >= 0; count++, at++) byte = (byte * 8 + digit()) & 255;
      }
    }
    hex += byte.toString(16).padStart(2, '0');
  }
  return hex.length === 32 ? hex : undefined;
}

/** A name as tinydns writes it, in plain ASCII: `*.a.net`; bytes outside of it as `\ooo`. */
export function nameOf(bytes: Buffer, entry: Pick<Entry, 'nameStart' | 'nameEnd'>): string {
  return bytes
    .toString('latin1', entry.nameStart, entry.nameEnd)
    .replace(/[^\x21-\x7e]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
