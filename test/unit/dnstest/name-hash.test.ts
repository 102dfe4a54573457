/** The name's hash against the vectors of the original, and against RFC 7693's own limits. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { NameHash } from '../../../src/dnstest/name-hash.ts';
import { checkout } from '../../checkout.ts';

interface Vector {
  readonly key: string;
  readonly name: string;
  readonly A: string;
  readonly AAAA: string;
  readonly digest: string;
  /** The bare hash of a name in upper case, which no server and no client may ever use. */
  readonly raw_hash_only?: true;
}

const vectors = JSON.parse(readFileSync(join(checkout, 'test/unit/dnstest/vectors.json'), 'utf8')) as readonly Vector[];

test("the bare hash is the original's, for each vector", () => {
  assert.equal(vectors.length, 21);
  for (const { key, name, digest } of vectors) {
    assert.equal(Buffer.from(new NameHash(key).digest(name)).toString('hex'), digest, `${key} ${name}`);
    const bytes = Uint8Array.from(Buffer.from(name));
    assert.equal(Buffer.from(new NameHash(key).digest(bytes)).toString('hex'), digest, `${key} ${name}`);
  }
});

test("the address of a name is the original's, for each vector that is in lower case", () => {
  const used = vectors.filter((vector) => vector.raw_hash_only === undefined);
  assert.ok(used.length >= 10);
  for (const { key, name, A, AAAA } of used) {
    const hash = new NameHash(key);
    for (const typed of [name, `${name}.`, name.toUpperCase(), `${name.toUpperCase()}.`]) {
      assert.equal(hash.address(typed, 4), A, `${key} ${typed}`);
      assert.equal(hash.address(typed, 6), AAAA, `${key} ${typed}`);
    }
  }
});

test('a name in upper case never has the address of its bare hash', () => {
  const raw = vectors.filter((vector) => vector.raw_hash_only === true);
  assert.ok(raw.length >= 3);
  for (const { key, name, A, AAAA } of raw) {
    assert.notEqual(new NameHash(key).address(name, 4), A);
    assert.notEqual(new NameHash(key).address(name, 6), AAAA);
  }
});

test('names and keys of the contract that the vectors lack: one letter, the root, keys of 0, 8 and 32 bytes', () => {
  const expected: readonly (readonly [string, string, string, string])[] = [
    ['hash-key', 'a', '239.132.93.186', 'ef84:5dba:f256:7b8a:37db:8a87:d8b7:498e'],
    ['hash-key', '', '116.55.114.205', '7437:72cd:c283:8ba6:e99:9f3f:32bc:2a4f'],
    ['hash-key', '.', '116.55.114.205', '7437:72cd:c283:8ba6:e99:9f3f:32bc:2a4f'],
    ['', 'test.com', '229.208.126.251', 'e5d0:7efb:602c:28b2:fa8a:b51f:2851:2596'],
    ['k'.repeat(32), 'test.com', '239.177.78.133', 'efb1:4e85:f3a5:1a19:c5cc:482a:191:498a'],
    ['ключ', 'test.com', '189.119.24.138', 'bd77:188a:c389:5987:8aa6:8b68:4496:d005'],
  ];
  for (const [key, name, four, six] of expected) {
    const hash = new NameHash(key);
    assert.equal(hash.address(name, 4), four, `${key} ${name}`);
    assert.equal(hash.address(name, 6), six, `${key} ${name}`);
  }
});

test('one object gives the same digest for a name whatever was hashed before', () => {
  const hash = new NameHash('hash-key');
  const names = ['', 'a', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(65), 'y'.repeat(128), 'z'.repeat(253), 'test.com'];
  const alone = names.map((name) => new NameHash('hash-key').digest(name));
  for (const order of [names, [...names].reverse(), names.flatMap((name) => [name, name])]) {
    for (const name of order) assert.deepEqual(hash.digest(name), alone[names.indexOf(name)]);
  }
});

test('only the 26 letters lose their case', () => {
  const hash = new NameHash('');
  assert.equal(hash.address('É.test', 4), hash.address('É.TEST', 4));
  assert.notEqual(hash.address('É.test', 4), hash.address('é.test', 4));
  assert.notEqual(hash.address('@[`{', 4), hash.address('`{`{', 4));
});

test('an IPv6 address is written as inet_ntop(3) writes it, zero groups included', () => {
  const hash = new NameHash('');
  let zeros = 0;
  for (let i = 0; i < 20_000; i++) {
    const digest = hash.digest(`${i}.test`);
    const groups = Array.from({ length: 8 }, (_, g) => (digest[2 * g] ?? 0) * 256 + (digest[2 * g + 1] ?? 0));
    if (!groups.includes(0)) continue;
    zeros++;
    // WHATWG URL: the longest run of at least two zero groups is left out, as in RFC 5952.
    const host = new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]/`).hostname;
    assert.equal(hash.address(`${i}.test`, 6), host.slice(1, -1));
  }
  assert.ok(zeros > 0);
});

test('a key of 33 bytes is refused, in letters as in bytes of UTF-8', () => {
  for (const key of ['k'.repeat(33), `${'ключ'.repeat(4)}k`]) {
    assert.throws(
      () => new NameHash(key),
      (error: unknown) =>
        error instanceof NetstewardError && error.code === 'dnstest-key' && /has 33 bytes/.test(error.message),
    );
  }
});
