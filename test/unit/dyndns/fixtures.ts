/** Keys, packets and zones that the dyndns tests share; the vectors were made by three other Ed25519 implementations. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Address, readAddress } from '../../../src/dyndns/address.ts';
import { readSeed, type SigningKey } from '../../../src/dyndns/keys.ts';
import { checkout } from '../../checkout.ts';

export interface Vector {
  readonly seed: string;
  readonly verify: string;
  readonly keyId: string;
  readonly timestamp: number;
  /** 100 bytes in hexadecimal. */
  readonly packet: string;
}

export const vectors: readonly Vector[] = JSON.parse(
  readFileSync(join(checkout, 'test/unit/dyndns/vectors.json'), 'utf8'),
);

function keyOf(vector: Vector | undefined): SigningKey {
  assert.ok(vector !== undefined, 'a vector is missing');
  const key = readSeed(vector.seed);
  assert.ok(key.problem === undefined);
  return key.value;
}

/** Three different keys. */
export const keyA: SigningKey = keyOf(vectors[0]);
export const keyB: SigningKey = keyOf(vectors[5]);
export const keyC: SigningKey = keyOf(vectors[7]);

export const keys: readonly SigningKey[] = [keyA, keyB, keyC];

export function address(text: string): Address {
  const read = readAddress(text);
  assert.ok(read !== undefined, `${text} is no address`);
  return read;
}

/** Text as bytes, one per character. */
export const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

export const hex6 = (text: string): string => String(address(text).value);
