/** Whether a signature is good, asked of two independent implementations: the quick one first, the strict one second (pure). */
import { createPublicKey, type KeyObject, verify as opensslVerify } from 'node:crypto';
import type { VerifyKey } from './keys.ts';
import { ed25519 } from './noble.ts';

/** node:crypto. Rejects a forgery about twenty times quicker than the strict check does. */
export function fitsQuick(key: VerifyKey, message: Uint8Array, signature: Uint8Array): boolean {
  const imported = importedKey(key);
  return imported !== undefined && opensslVerify(null, message, imported, signature);
}

/** @noble/ed25519 by RFC 8032 (not ZIP 215, which takes keys and points of small order): 1-2 ms. */
export function fitsStrict(key: VerifyKey, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, key.bytes, { zip215: false });
  } catch {
    return false;
  }
}

// Keys come from the administrator's zones, so this stays as small as they are; the bound is for zones that change for years.
const imports = new Map<string, KeyObject | undefined>();
const mostImports = 10_000;

function importedKey(key: VerifyKey): KeyObject | undefined {
  if (imports.has(key.id)) return imports.get(key.id);
  if (imports.size >= mostImports) imports.clear();
  const made = importKey(key);
  imports.set(key.id, made);
  return made;
}

function importKey({ bytes }: VerifyKey): KeyObject | undefined {
  try {
    const x = Buffer.from(bytes).toString('base64url');
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  } catch {
    return undefined;
  }
}
