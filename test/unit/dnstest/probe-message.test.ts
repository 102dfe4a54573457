/** The bytes of questions and answers: what is taken for an answer, and what is read in it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { test } from 'node:test';
import { decode } from 'dns-packet';
import fc from 'fast-check';
import { isTruncated, readAnswer, readLookup } from '../../../src/dnstest/probe-answer.ts';
import { encodeQuery, mixCase, whyNoAnswer } from '../../../src/dnstest/probe-query.ts';
import { answerTo } from '../../fakes/fake-dns-transport.ts';

const shape = {
  name: 'abc.test.example',
  family: 4,
  id: 0x1234,
  recursion: true,
  unchecked: false,
  edns: true,
} as const;
const query = encodeQuery(shape);

test('a question has its id, RD, and one OPT record with the size that every link carries', () => {
  const packet = decode(query);
  assert.equal(packet.id, 0x1234);
  assert.equal((packet.flags ?? 0) & 0x0110, 0x0100);
  assert.deepEqual(packet.questions, [{ name: 'abc.test.example', type: 'A', class: 'IN' }]);
  const [opt] = packet.additionals ?? [];
  assert.ok(opt?.type === 'OPT');
  assert.equal(opt.udpPayloadSize, 1232);
  const bare = decode(encodeQuery({ ...shape, family: 6, recursion: false, unchecked: true, edns: false }));
  assert.equal((bare.flags ?? 0) & 0x0110, 0x0010);
  assert.equal(bare.questions?.[0]?.type, 'AAAA');
  assert.deepEqual(bare.additionals, []);
});

test('mixed case changes letters of the name and nothing else', () => {
  const mixed = mixCase(query, (count) => new Uint8Array(count).fill(1));
  assert.equal(decode(mixed).questions?.[0]?.name, 'ABC.TEST.EXAMPLE');
  assert.equal(mixed.toString('latin1').toLowerCase(), query.toString('latin1').toLowerCase());
  assert.deepEqual(
    mixCase(query, (count) => new Uint8Array(count)),
    query,
  );
});

test('an answer to the very question is taken', () => {
  assert.equal(whyNoAnswer(query, answerTo(query, { addresses: ['192.0.2.1'] }), true), undefined);
  assert.equal(whyNoAnswer(query, answerTo(query, { rcode: 'SERVFAIL' }), true), undefined);
});

test('what answers something else is not taken, and it is told why', () => {
  const answer = answerTo(query, { addresses: ['192.0.2.1'] });
  const other = (change: (bytes: Buffer) => void): Buffer => {
    const copy = Buffer.from(answer);
    change(copy);
    return copy;
  };
  const why = (bytes: Uint8Array): string => whyNoAnswer(query, bytes, false) ?? 'taken';
  assert.match(why(answer.subarray(0, 11)), /less than a header/);
  assert.match(why(other((bytes) => bytes.writeUInt16BE(0x1235, 0))), /another id/);
  assert.match(why(query), /a question, no answer/);
  assert.match(why(other((bytes) => bytes.write('x', 13))), /another question/);
  const type = 12 + 'abc.test.example'.length + 2;
  assert.match(why(other((bytes) => bytes.writeUInt16BE(28, type))), /another question/);
  assert.match(why(other((bytes) => bytes.writeUInt16BE(2, 4))), /another question/);
  assert.match(why(other((bytes) => bytes.writeUInt16BE(0, 4))), /another question/);
  assert.match(why(answer.subarray(0, 20)), /another question/);
});

test('a refusal may leave the question out', () => {
  const header = answerTo(query, { rcode: 'REFUSED' }).subarray(0, 12);
  header.writeUInt16BE(0, 4);
  assert.equal(whyNoAnswer(query, header, true), undefined);
  assert.deepEqual(readAnswer(header, 4), { kind: 'code', code: 'REFUSED', note: undefined });
});

test('other case than asked is taken, unless the case was drawn by chance', () => {
  const mixed = mixCase(query, (count) => new Uint8Array(count).fill(1));
  const lower = answerTo(query, { addresses: ['192.0.2.1'] });
  assert.equal(whyNoAnswer(mixed, lower, false), undefined);
  assert.match(whyNoAnswer(mixed, lower, true) ?? '', /other case/);
  assert.equal(whyNoAnswer(mixed, answerTo(mixed, {}), true), undefined);
});

test('of an answer the addresses of the family asked are read, each once and in one form', () => {
  assert.deepEqual(readAnswer(answerTo(query, { addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.1'] }), 4), {
    kind: 'addresses',
    addresses: ['192.0.2.1', '192.0.2.2'],
    alias: undefined,
    note: undefined,
  });
  const six = encodeQuery({ ...shape, family: 6 });
  const answer = readAnswer(answerTo(six, { addresses: ['2001:DB8:0:0:1:0:0:1'], alias: 'blocked.example' }), 6);
  assert.deepEqual(answer, {
    kind: 'addresses',
    addresses: ['2001:db8::1:0:0:1'],
    alias: 'blocked.example',
    note: undefined,
  });
  assert.deepEqual(readAnswer(answerTo(six, { addresses: ['2001:db8::1'] }), 4), {
    kind: 'addresses',
    addresses: [],
    alias: undefined,
    note: undefined,
  });
});

test('what a resolver says of its failure is read (RFC 8914), without control characters', () => {
  const said = (extended: readonly [number, string]): string => {
    const answer = readAnswer(answerTo(query, { rcode: 'SERVFAIL', extended }), 4);
    return answer.kind === 'code' ? `${answer.code} ${answer.note}` : answer.kind;
  };
  assert.equal(said([6, 'no signature']), 'SERVFAIL DNSSEC bogus, "no signature"');
  assert.equal(said([22, '']), 'SERVFAIL no reachable authority');
  assert.equal(said([4711, '']), 'SERVFAIL extended error 4711');
  assert.ok(!said([15, '\u001b[31mred']).includes('\u001b'));
});

test('truncation is a bit of the header', () => {
  assert.equal(isTruncated(answerTo(query, { truncated: true })), true);
  assert.equal(isTruncated(answerTo(query)), false);
});

test('an address record that is cut off is a malformed answer, no address', () => {
  const whole = answerTo(query, { addresses: ['192.0.2.1', '192.0.2.2'] });
  for (let left = 1; left < 4; left++) {
    // The rest of the last address is not there; dns-packet would make one of what is past the end.
    assert.equal(readAnswer(whole.subarray(0, whole.length - left), 4).kind, 'failed');
  }
});

test('no bytes are too strange to be read', () => {
  const answer = answerTo(query, { addresses: ['192.0.2.1', '192.0.2.2'], alias: 'x.example', extended: [3, 'old'] });
  const broken = fc.array(fc.tuple(fc.nat(answer.length - 1), fc.nat(255)), { maxLength: 8 }).map((changes) => {
    const copy = Buffer.from(answer);
    for (const [at, byte] of changes) copy[at] = byte;
    return copy;
  });
  const cut = fc.tuple(broken, fc.nat(answer.length)).map(([bytes, length]) => bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.oneof(broken, cut, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      whyNoAnswer(query, bytes, true);
      const read = readAnswer(bytes, 4);
      if (read.kind === 'addresses') for (const address of read.addresses) assert.ok(isIPv4(address));
      if (read.kind === 'failed') assert.equal(read.how, 'malformed');
    }),
    { numRuns: 5000 },
  );
});

test('mixed case is by chance, and the question stays the same', () => {
  const seen = new Set(Array.from({ length: 20 }, () => mixCase(query, randomBytes).toString('latin1')));
  assert.ok(seen.size > 15);
});

test('what libc says is told in the same words as what a server says', () => {
  const said = (code: string, elapsed: number, empty = false): string => {
    const answer = readLookup({ ok: false, code, empty }, elapsed);
    if (answer.kind === 'code') return answer.code;
    return answer.kind === 'failed' ? answer.how : answer.kind;
  };
  assert.equal(said('ENOTFOUND', 3), 'NXDOMAIN');
  assert.equal(said('ENOTFOUND', 3, true), 'addresses');
  assert.equal(said('EAI_AGAIN', 3), 'SERVFAIL');
  assert.equal(said('EAI_AGAIN', 10_010), 'timeout');
  assert.equal(said('ETIMEDOUT', 30_000), 'timeout');
  assert.equal(said('EAI_FAIL', 3), 'EAI_FAIL');
  assert.equal(said('EAI_MEMORY', 3), 'local');
  assert.deepEqual(readLookup({ ok: true, addresses: ['2001:db8::1', '2001:db8::1'] }, 3), {
    kind: 'addresses',
    addresses: ['2001:db8::1'],
  });
});
