/** Ed25519 keys as text: seeds of clients, verify keys of zone headers, and the key id that a packet names (pure). */
import { createHash } from 'node:crypto';
import { ed25519 } from './noble.ts';

/** A verify key that no stranger can sign for: 32 bytes, canonical, not of small order. */
export interface VerifyKey {
  readonly bytes: Uint8Array;
  /** What packets carry: 28 characters of base64url. */
  readonly id: string;
  /** As the original writes it: base64url, padded, 44 characters. */
  readonly text: string;
}

export interface SigningKey {
  /** RFC 8032's 32-byte secret. Never in a message or a log. */
  readonly seed: Uint8Array;
  readonly verify: VerifyKey;
}

/** Either the value or, in plain words, why there is none; the text itself is not repeated: it may be a secret. */
export type Read<T> =
  | { readonly value: T; readonly problem?: never }
  | { readonly value?: never; readonly problem: string };

/** A zone header's key: base64url or standard base64, padded or not. */
export function readVerifyKey(text: string): Read<VerifyKey> {
  const bytes = readKeyBytes(text);
  if (bytes.problem !== undefined) return bytes;
  const weakness = weaknessOf(bytes.value);
  return weakness === undefined ? { value: verifyKey(bytes.value) } : { problem: weakness };
}

/** A client's secret key, in the same encodings. */
export function readSeed(text: string): Read<SigningKey> {
  const bytes = readKeyBytes(text);
  return bytes.problem === undefined ? { value: signingKey(bytes.value) } : bytes;
}

/** Of 32 random bytes; throws RangeError for any other length. */
export function signingKey(seed: Uint8Array): SigningKey {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`);
  const own = Uint8Array.from(seed);
  return { seed: own, verify: verifyKey(ed25519.getPublicKey(own)) };
}

/** 64 bytes; deterministic (RFC 8032 §5.1.6). */
export function sign(key: SigningKey, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, key.seed);
}

/** Padded base64url of 32 bytes, for `--genkey` and for zone headers. */
export function keyText(bytes: Uint8Array): string {
  return `${Buffer.from(bytes).toString('base64url')}=`;
}

/** base64url(SHA-256(key)[0..20]): 168 bits fill 28 characters, so nothing is ever padded. */
export function keyIdOf(verify: Uint8Array): string {
  return createHash('sha256').update(verify).digest('base64url').slice(0, 28);
}

/** Whether any signature can fit the key: false for half of all typing errors. About 0.1 ms. */
export function isCurvePoint(key: VerifyKey): boolean {
  try {
    ed25519.Point.fromBytes(key.bytes, false);
    return true;
  } catch {
    return false;
  }
}

function verifyKey(bytes: Uint8Array): VerifyKey {
  return { bytes, id: keyIdOf(bytes), text: keyText(bytes) };
}

function readKeyBytes(text: string): Read<Uint8Array> {
  if (text === '') return { problem: 'an empty key' };
  const body = text.endsWith('=') ? text.slice(0, -1) : text;
  // Node's decoder skips what it does not know, so that a damaged key would become another key.
  if (!/^(?:[A-Za-z0-9_-]*|[A-Za-z0-9+/]*)$/.test(body)) {
    return { problem: 'a key with characters that are neither base64url nor standard base64' };
  }
  if (body.length !== 43) {
    return { problem: `a key of ${text.length} characters; 32 bytes take 43, or 44 with the = at the end` };
  }
  const bytes = Uint8Array.from(Buffer.from(body, 'base64url'));
  // 43 characters hold 258 bits: the last two must be zero, or the last character is a slip.
  if (Buffer.from(bytes).toString('base64url').at(-1) !== standardToUrl(body.at(-1) ?? '')) {
    return { problem: 'a key whose last character holds more than 32 bytes: it is mistyped' };
  }
  return { value: bytes };
}

function standardToUrl(character: string): string {
  return character === '+' ? '-' : character === '/' ? '_' : character;
}

/**
 * The y coordinates of the eight points of small order, little-endian: 0 and p-1 and 1 (orders 4, 2, 1), and the two of
 * order 8. With either sign bit, and with y + p for 0 and 1, they make 14 encodings. For such a key OpenSSL accepts
 * signatures that anyone can make (R of small order, S = 0).
 */
const smallOrder: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

function weaknessOf(key: Uint8Array): string | undefined {
  if (key.every((byte) => byte === 0)) return 'a placeholder of zeros, for which anyone could sign';
  const y = Buffer.from(key);
  y[31] = (y[31] ?? 0) & 0x7f;
  if (smallOrder.has(y.toString('hex'))) return 'a key of small order, for which anyone could sign';
  // p = 2^255 - 19: from p on, the middle bytes are all ones and the lowest at least 0xed.
  const notReduced = y[31] === 0x7f && (y[0] ?? 0) >= 0xed && y.subarray(1, 31).every((byte) => byte === 0xff);
  return notReduced ? 'a key that is not in canonical form (y >= 2^255 - 19)' : undefined;
}
