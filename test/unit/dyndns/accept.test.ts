/** The way of a packet: each step refuses by its own name, in the order of their cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Accepted,
  type Candidate,
  checkSignature,
  type Denied,
  judge,
  knownKeys,
  noRefusals,
  type Refusal,
  refusals,
  type Scene,
  screen,
} from '../../../src/dyndns/accept.ts';
import { keyIdOf, keyText } from '../../../src/dyndns/keys.ts';
import { encodePacket } from '../../../src/dyndns/packet.ts';
import { makePolicy, openPolicy, publicPolicy } from '../../../src/dyndns/policy.ts';
import { emptyReplayState, withAccepted } from '../../../src/dyndns/replay.ts';
import { fitsQuick } from '../../../src/dyndns/signature.ts';
import { parseZone } from '../../../src/dyndns/zone-file.ts';
import { bytesOf, keyA, keyB, keyC } from './fixtures.ts';

const a = keyA.verify.text;
const now = 1_700_000_000;
const zone = parseZone(bytesOf(`# dynamic: 100.00 ${a}\n+a.net:1.1.1.1\n# dynamic: 0 ${keyB.verify.text}\n+broken\n`));
const scene: Scene = { keys: knownKeys([zone]), state: emptyReplayState, now, clockWindow: 600 };

function candidate(datagram: Uint8Array, at: Scene = scene, source = '8.8.8.8'): Candidate {
  const result = screen(datagram, source, at);
  if (typeof result === 'string') assert.fail(`refused: ${result}`);
  return result;
}

const refused = (datagram: Uint8Array, at: Scene = scene): Refusal | 'taken' => {
  const result = screen(datagram, '8.8.8.8', at);
  return typeof result === 'string' ? result : 'taken';
};

/** The signature does not fit, all before it does. */
function forged(key = keyA, timestamp = now): Buffer {
  const packet = Buffer.from(encodePacket(key, timestamp));
  packet.fill(7, 36);
  return packet;
}

test('a genuine packet passes all steps', () => {
  const fresh = candidate(encodePacket(keyA, now - 1));
  assert.equal(checkSignature(fresh), undefined);
  assert.deepEqual(
    judge(fresh, scene, openPolicy, () => true),
    { keyId: keyA.verify.id, address: { family: 4, text: '8.8.8.8', value: 0x08080808 }, timestamp: now - 1 },
  );
});

test('each step before the queue refuses by its own name, cheapest first', () => {
  assert.equal(refused(new Uint8Array(99)), 'length');
  assert.equal(refused(forged(keyC)), 'key-unknown');
  assert.equal(refused(forged(keyB)), 'block-unusable');
  assert.equal(refused(forged(keyA, Number.NaN)), 'timestamp-invalid');
  assert.equal(refused(forged(keyA, Number.POSITIVE_INFINITY)), 'timestamp-invalid');
  assert.equal(refused(forged(keyA, 100)), 'not-newer');
  assert.equal(refused(forged(keyA, 101)), 'clock-window');
  assert.equal(refused(forged(keyA, now + 601)), 'clock-window');
  assert.equal(refused(forged(keyA, now + 600)), 'taken');
  assert.equal(refused(forged(keyA, now - 600)), 'taken');
  assert.equal(checkSignature(candidate(forged())), 'signature');
});

test('a clock window of 0 takes any time', () => {
  const any = { ...scene, clockWindow: 0 };
  assert.equal(refused(forged(keyA, 101), any), 'taken');
  assert.equal(refused(forged(keyA, 1e300), any), 'taken');
});

test('a signature that only the quick check takes is refused by the strict one', () => {
  // A key of small order never comes out of a zone; here it stands for any difference between the two.
  const bytes = new Uint8Array(32);
  const key = { bytes, id: keyIdOf(bytes), text: keyText(bytes) };
  const signature = new Uint8Array(64);
  signature[0] = 1;
  for (let index = 0; index < 64; index += 1) {
    const packet = { keyId: key.id, timestamp: index, signed: Buffer.from(`signed ${index}`), signature };
    // OpenSSL of Node 20 takes some of these, that of Node 24 none.
    const word = fitsQuick(key, packet.signed, signature) ? 'signature-strict' : 'signature';
    assert.equal(checkSignature({ packet, key, family: 4, source: '8.8.8.8' }), word);
  }
});

test('a candidate that waited while a newer one was accepted is refused then', () => {
  const waiting = candidate(encodePacket(keyA, now));
  const state = withAccepted(emptyReplayState, {
    keyId: keyA.verify.id,
    family: 4,
    timestamp: now,
    address: '8.8.8.8',
    now,
    writes: true,
  });
  const judged = (at: Partial<Scene>): Accepted | Denied => judge(waiting, { ...scene, ...at }, openPolicy, () => true);
  assert.deepEqual(judged({ state }), { refusal: 'not-newer', spent: false });
  assert.deepEqual(judged({ now: now + 700 }), { refusal: 'clock-window', spent: false });
  assert.deepEqual(judged({ keys: knownKeys([]) }), { refusal: 'key-unknown', spent: false });
});

test('the other family of a round is taken from an IPv6 source, and a mapped source counts as IPv4', () => {
  const packet = encodePacket(keyA, now);
  const state = withAccepted(emptyReplayState, {
    keyId: keyA.verify.id,
    family: 4,
    timestamp: now,
    address: '8.8.8.8',
    now,
    writes: true,
  });
  const header = parseZone(bytesOf(`# dynamic: ${now}.00 ${a}\n+a.net:8.8.8.8\n`));
  const later = { ...scene, state, keys: knownKeys([header]) };
  assert.equal(candidate(packet, later, '2606:4700::1').family, 6);
  assert.equal(screen(packet, '::ffff:9.9.9.9', later), 'not-newer');
});

test('sources that have no meaning here, or that the policy does not allow, are refused without being spent', () => {
  const packet = encodePacket(keyA, now);
  assert.deepEqual(
    judge(candidate(packet, scene, 'fe80::1%eth0'), scene, openPolicy, () => true),
    { refusal: 'source-invalid', spent: false },
  );
  assert.deepEqual(
    judge(candidate(packet, scene, '10.0.0.1'), scene, publicPolicy, () => true),
    { refusal: 'source-not-allowed', spent: false },
  );
});

test('a change within the minimum interval is refused and spent; a keep-alive in it is taken', () => {
  const policy = makePolicy({ minimumInterval: 60 }, []);
  const state = withAccepted(emptyReplayState, {
    keyId: keyA.verify.id,
    family: 4,
    timestamp: now - 30,
    address: '8.8.8.8',
    now: now - 30,
    writes: true,
  });
  const at = { ...scene, state };
  const packet = candidate(encodePacket(keyA, now), at);
  assert.deepEqual(
    judge(packet, at, policy, () => true),
    { refusal: 'too-soon', spent: true },
  );
  assert.ok(!('refusal' in judge(packet, at, policy, () => false)));
  assert.ok(!('refusal' in judge(packet, { ...at, now: now + 30 }, policy, () => true)));
});

test('keys of several zones are known together, with the timestamps of their usable blocks', () => {
  const other = parseZone(
    bytesOf(`# dynamic: 7 ${a} ${keyC.verify.text}\n+c.net:1.1.1.1\n# dynamic: 7 ${a}\n+d.net:1.1.1.1`),
  );
  const keys = knownKeys([zone, other]);
  assert.deepEqual(keys.get(keyA.verify.id)?.headers, [100, 7]);
  assert.deepEqual(keys.get(keyB.verify.id)?.headers, []);
  assert.deepEqual(keys.get(keyC.verify.id)?.headers, [7]);
  // The packet is newer than one of the blocks: that suffices.
  assert.equal(refused(forged(keyA, 50), { ...scene, keys, clockWindow: 0 }), 'taken');
});

test('any datagram from any source is refused by a known name or is a candidate', () => {
  const datagrams = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc.uint8Array({ minLength: 72, maxLength: 72 }).map((tail) => Buffer.concat([bytesOf(keyA.verify.id), tail])),
  );
  const sources = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string());
  const counts = noRefusals();
  assert.deepEqual(Object.keys(counts), [...refusals]);
  fc.assert(
    fc.property(datagrams, sources, (datagram, source) => {
      const result = screen(datagram, source, { ...scene, clockWindow: 0 });
      if (typeof result === 'string') counts[result]++;
      else assert.equal(result.key, zone.blocks[0]?.keys[0]);
    }),
    { numRuns: 1500 },
  );
  assert.ok(counts.length > 0 && counts['not-newer'] > 0);
});
