/** The 100 bytes on the wire, against the vectors of other implementations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkSignature } from '../../../src/dyndns/accept.ts';
import { readSeed } from '../../../src/dyndns/keys.ts';
import { decodePacket, encodePacket, packetLength } from '../../../src/dyndns/packet.ts';
import { keyA, vectors } from './fixtures.ts';

test('packets are the bytes that PyNaCl, OpenSSL and the original make', () => {
  for (const { seed, verify, keyId, timestamp, packet } of vectors) {
    const key = readSeed(seed);
    assert.ok(key.problem === undefined);
    assert.equal(key.value.verify.text, verify);
    assert.equal(key.value.verify.id, keyId);
    assert.equal(Buffer.from(encodePacket(key.value, timestamp)).toString('hex'), packet);
  }
});

test('a packet read gives back key id, timestamp, signed bytes and signature', () => {
  for (const { keyId, timestamp, packet } of vectors) {
    const read = decodePacket(Buffer.from(packet, 'hex'));
    assert.equal(read?.keyId, keyId);
    assert.equal(read?.timestamp, timestamp);
    assert.equal(Buffer.from(read?.signed ?? []).toString('hex'), packet.slice(0, 72));
    assert.equal(Buffer.from(read?.signature ?? []).toString('hex'), packet.slice(72));
  }
});

test('whatever has not exactly 100 bytes is no packet', () => {
  for (const length of [0, 1, 28, 36, 64, 99, 101, 200, 65_507]) {
    assert.equal(decodePacket(new Uint8Array(length)), undefined, String(length));
  }
});

test('a view into a larger buffer is read where it begins', () => {
  const whole = Buffer.concat([Buffer.alloc(7, 0xff), encodePacket(keyA, 5), Buffer.alloc(9, 0xff)]);
  const read = decodePacket(new Uint8Array(whole.buffer, whole.byteOffset + 7, packetLength));
  assert.equal(read?.keyId, keyA.verify.id);
  assert.equal(read?.timestamp, 5);
});

test('any 100 bytes are read without a throw, and a forged signature is never good', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 100, maxLength: 100 }), (bytes) => {
      const packet = decodePacket(bytes);
      assert.ok(packet !== undefined);
      assert.equal(packet.keyId.length, 28);
      const candidate = { packet, key: keyA.verify, family: 4 as const, source: '192.0.2.1' };
      assert.equal(checkSignature(candidate), 'signature');
    }),
    { numRuns: 300 },
  );
});
