/** Key texts, key ids, keys that anyone could sign for, and the two verifications. */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCurvePoint, keyText, readSeed, readVerifyKey, sign, signingKey } from '../../../src/dyndns/keys.ts';
import { ed25519 } from '../../../src/dyndns/noble.ts';
import { fitsQuick, fitsStrict } from '../../../src/dyndns/signature.ts';
import { keyA, keyB, vectors } from './fixtures.ts';

const padded = keyA.verify.text;

test('a key is read as base64url or standard base64, padded or not', () => {
  const standard = Buffer.from(keyA.verify.bytes).toString('base64');
  assert.notEqual(standard, padded);
  for (const text of [padded, padded.slice(0, -1), standard, standard.slice(0, -1)]) {
    assert.deepEqual(readVerifyKey(text).value, keyA.verify, text);
  }
});

test('nothing in a key text is skipped', () => {
  const body = padded.slice(0, -1);
  const wrong = [
    ['', /empty/],
    ['=', /characters/],
    [`!!!${padded}`, /neither base64url nor standard/],
    [`${body} =`, /neither/],
    [` ${padded}`, /neither/],
    [`${padded}=`, /neither/],
    [`${body.slice(0, 20)}\n${body.slice(20)}`, /neither/],
    [body.slice(0, -1), /42 characters/],
    [`${padded.slice(0, -2)}=`, /43 characters/],
    [`${body}A`, /44 characters/],
    [`${body}AA==`, /neither/],
    [`+${body.slice(1, -2)}_Y`, /neither/],
    ['é'.repeat(43), /neither/],
    [`${body.slice(0, -1)}Z`, /last character/],
    [`${body.slice(0, -1)}Z=`, /last character/],
  ] as const;
  for (const [text, problem] of wrong) {
    assert.match(readVerifyKey(text).problem ?? 'taken', problem, JSON.stringify(text));
    assert.match(readSeed(text).problem ?? 'taken', problem, JSON.stringify(text));
  }
});

test('a problem with a secret key does not repeat the key', () => {
  const { problem } = readSeed(`${vectors[0]?.seed}x`);
  assert.ok(problem !== undefined && !problem.includes(vectors[0]?.seed.slice(0, 8) ?? ''));
});

const p = 2n ** 255n - 19n;

function encoded(y: bigint, sign: boolean): Uint8Array {
  const bytes = Buffer.from((y + (sign ? 2n ** 255n : 0n)).toString(16).padStart(64, '0'), 'hex').reverse();
  return Uint8Array.from(bytes);
}

/** The y of all eight points of small order, from the group itself: multiples by the order of the base point. */
function smallOrderYs(): Set<bigint> {
  const found = new Set<bigint>();
  for (let y = 2n; found.size < 5 && y < 200n; y++) {
    try {
      const point = ed25519.Point.fromBytes(encoded(y, false), true);
      // l * P for a prime order l of the base point leaves what is of small order; noble multiplies by less than l.
      const small = point.multiply(ed25519.Point.CURVE().n - 1n, false).add(point);
      for (let many = small, count = 0; count < 8; count++, many = many.add(small)) found.add(many.toAffine().y);
    } catch {
      // Not on the curve.
    }
  }
  return found;
}

test('the 14 encodings of small order are refused, as is every y from p on', () => {
  const ys = smallOrderYs();
  assert.equal(ys.size, 5);
  const encodings = [...ys, p, p + 1n].flatMap((y) => [encoded(y, false), encoded(y, true)]);
  assert.equal(new Set(encodings.map((bytes) => bytes.join())).size, 14);
  for (const bytes of encodings) {
    assert.match(readVerifyKey(keyText(bytes)).problem ?? 'taken', /anyone could sign|canonical|small order/);
  }
  for (let y = p; y < 2n ** 255n; y++) {
    for (const sign of [false, true]) {
      assert.ok(readVerifyKey(keyText(encoded(y, sign))).problem !== undefined, y.toString(16));
    }
  }
  assert.equal(readVerifyKey(keyText(encoded(p - 2n, false))).problem, undefined);
  assert.match(readVerifyKey('A'.repeat(43)).problem ?? '', /placeholder of zeros/);
});

test('a forgery for a key of small order is refused by the strict check, though OpenSSL may take it (that of Node 20 does)', (t) => {
  const zeros = new Uint8Array(32);
  const key = { bytes: zeros, id: 'A'.repeat(28), text: keyText(zeros) };
  const forged = new Uint8Array(64);
  forged[0] = 1;
  const messages = Array.from({ length: 64 }, (_, index) => Buffer.from(`message ${index}`));
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(zeros).toString('base64url') };
  const openssl = createPublicKey({ key: jwk, format: 'jwk' });
  const taken = messages.filter((message) => verify(null, message, openssl, forged)).length;
  t.diagnostic(`OpenSSL ${process.versions.openssl} takes ${taken} of ${messages.length}`);
  if (process.versions.node.startsWith('20.')) assert.ok(taken > 0);
  assert.ok(!messages.some((message) => fitsStrict(key, message, forged)));
});

test('both verifications take a genuine signature, and neither any with a changed bit or for another key', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(511), (message, bit) => {
      const signature = sign(keyA, message);
      assert.ok(fitsQuick(keyA.verify, message, signature) && fitsStrict(keyA.verify, message, signature));
      assert.ok(!fitsQuick(keyB.verify, message, signature) && !fitsStrict(keyB.verify, message, signature));
      const changed = Uint8Array.from(signature);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.ok(!fitsQuick(keyA.verify, message, changed) && !fitsStrict(keyA.verify, message, changed));
    }),
    { numRuns: 25 },
  );
});

test('a signature with S + l, which the same key could also have made, is refused by both', () => {
  const message = Buffer.from('once');
  const signature = sign(keyA, message);
  const s = BigInt(`0x${Buffer.from(signature.slice(32)).reverse().toString('hex')}`) + ed25519.Point.CURVE().n;
  const other = Uint8Array.from([
    ...signature.slice(0, 32),
    ...Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(),
  ]);
  assert.ok(!fitsQuick(keyA.verify, message, other));
  assert.ok(!fitsStrict(keyA.verify, message, other));
});

test('a signature of another length is refused without a throw', () => {
  for (const length of [0, 63, 65]) {
    assert.equal(fitsQuick(keyA.verify, Buffer.from('x'), new Uint8Array(length)), false);
    assert.equal(fitsStrict(keyA.verify, Buffer.from('x'), new Uint8Array(length)), false);
  }
});

test('a key that is no point of the curve is told from one that is', () => {
  const off = encoded(2n, false);
  const key = readVerifyKey(keyText(off));
  assert.ok(key.problem === undefined);
  assert.equal(isCurvePoint(key.value), false);
  assert.equal(isCurvePoint(keyA.verify), true);
  assert.equal(fitsQuick(key.value, Buffer.from('x'), new Uint8Array(64)), false);
});

test('a seed of another length makes no key', () => {
  assert.throws(() => signingKey(new Uint8Array(31)), /32 bytes, not 31/);
});

test('any text is read without a throw, and what is taken prints as the same key', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[A-Za-z0-9_-]{42,44}=?$/),
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const key = readVerifyKey(text);
      if (key.problem === undefined) assert.deepEqual(readVerifyKey(key.value.text).value, key.value);
      const seed = readSeed(text);
      if (seed.problem === undefined) assert.equal(seed.value.seed.length, 32);
    }),
    { numRuns: 300 },
  );
});
