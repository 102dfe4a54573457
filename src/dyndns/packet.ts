/** The 100 bytes of an update on the wire: key id, timestamp, signature (pure). */
import { type SigningKey, sign } from './keys.ts';

export const packetLength = 100;
export const keyIdLength = 28;
/** Key id and timestamp: what the signature covers. */
export const signedLength = 36;

export interface Packet {
  /** 28 characters, one per byte; anything at all in what strangers send. */
  readonly keyId: string;
  /** Seconds since the Unix epoch, as sent: NaN and infinities too. */
  readonly timestamp: number;
  /** Bytes 0..35. */
  readonly signed: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Undefined unless it has exactly 100 bytes. The parts are views of the datagram, not copies. */
export function decodePacket(datagram: Uint8Array): Packet | undefined {
  if (datagram.length !== packetLength) return undefined;
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
  return {
    keyId: bytes.toString('latin1', 0, keyIdLength),
    timestamp: bytes.readDoubleBE(keyIdLength),
    signed: bytes.subarray(0, signedLength),
    signature: bytes.subarray(signedLength),
  };
}

/** A signed update for this moment, in seconds since the Unix epoch. */
export function encodePacket(key: SigningKey, timestamp: number): Uint8Array {
  const bytes = Buffer.alloc(packetLength);
  bytes.write(key.verify.id, 0, keyIdLength, 'latin1');
  bytes.writeDoubleBE(timestamp, keyIdLength);
  bytes.set(sign(key, bytes.subarray(0, signedLength)), signedLength);
  return bytes;
}
