/** Messages of every kind, well-formed and not: no crash, no loop, no answer that is too long or that should not be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, type StringAnswer } from 'dns-packet';
import fc from 'fast-check';
import { answererOf, codeOf, hash, query, read, testZone } from './build-answers.ts';
import { capturedQueries } from './captured-queries.ts';

const seeds = capturedQueries.map(({ hex }) => Buffer.from(hex, 'hex'));
const servers = [answererOf(), answererOf(testZone), answererOf(testZone, { name: 'deep.test.example', servers: [] })];

/** A seed, with bytes changed, cut out, put in or cut off. */
const mutated = fc
  .record({
    seed: fc.constantFrom(...seeds),
    changes: fc.array(fc.record({ at: fc.nat(300), byte: fc.nat(255) }), { maxLength: 6 }),
    cut: fc.option(fc.nat(300)),
    splice: fc.option(fc.record({ at: fc.nat(300), remove: fc.nat(20), insert: fc.uint8Array({ maxLength: 20 }) })),
  })
  .map(({ seed, changes, cut, splice }) => {
    let bytes = Buffer.from(seed);
    for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
    if (splice !== null) {
      const { at, remove, insert } = splice;
      bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
    }
    return cut === null ? bytes : bytes.subarray(0, cut);
  });

const message = fc.oneof(
  fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  { weight: 4, arbitrary: mutated },
);

const addressSeeds = seeds.filter((seed) => ['A', 'AAAA'].includes(decode(seed).questions?.[0]?.type ?? ''));

/** A query for an address, with bytes of its name changed, lengths of labels among them. */
const renamed = fc
  .record({
    seed: fc.constantFrom(...addressSeeds),
    changes: fc.array(fc.record({ at: fc.nat(24), byte: fc.oneof(fc.nat(127), fc.nat(20)) }), { maxLength: 4 }),
  })
  .map(({ seed, changes }) => {
    const bytes = Buffer.from(seed);
    for (const { at, byte } of changes) if (12 + at < bytes.length) bytes[12 + at] = byte;
    return bytes;
  });

/** What an answer can have that its query has not: an SOA record, with the names of testZone, is the longest. */
const mostAdded = 60;

test('whatever comes, an answer is one to it: its id, its operation, a response, no longer than allowed, and readable', () => {
  let answered = 0;
  fc.assert(
    fc.property(message, fc.constantFrom('udp' as const, 'tcp' as const), (bytes, transport) => {
      for (const server of servers) {
        const answer = server.answer(bytes, transport);
        const deserved = bytes.length >= 12 && ((bytes[2] ?? 0) & 0x80) === 0;
        assert.equal(answer !== undefined, deserved);
        if (answer === undefined) continue;
        answered++;
        assert.deepEqual(answer.subarray(0, 2), Buffer.from(bytes.subarray(0, 2)));
        assert.equal((answer[2] ?? 0) & 0xf9, 0x80 | ((bytes[2] ?? 0) & 0x79));
        assert.equal((answer[3] ?? 0) & 0xf0, 0);
        assert.ok(answer.length <= bytes.length + mostAdded, `${bytes.length} → ${answer.length}`);
        assert.ok(transport === 'tcp' || answer.length <= 1232);
        const said = read(answer);
        assert.equal(said.type, 'response');
        assert.equal(server.answer(answer, transport), undefined);
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(answered > 1000);
});

test('where the server found a question, dns-packet finds the same, and its hash is the answer', () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.oneof(mutated, renamed), (bytes) => {
      const answer = servers[0]?.answer(bytes, 'udp');
      if (answer === undefined || codeOf(answer) !== 0) return;
      const said = read(answer);
      const [address] = (said.answers ?? []) as StringAnswer[];
      if (address === undefined || (address.type !== 'A' && address.type !== 'AAAA')) return;
      const [asked] = decode(questionAlone(bytes)).questions ?? [];
      assert.ok(asked !== undefined);
      // dns-packet reads names as UTF-8, and gives up what is none.
      if (asked.name.includes('\ufffd') || Buffer.byteLength(asked.name) > asked.name.length) return;
      const name = asked.name === '.' ? '' : asked.name;
      compared++;
      // A name that ends with a dot inside its last label has no text of its own.
      if (name.endsWith('.')) return;
      assert.equal(textOf(address.data), hash.address(name, address.type === 'A' ? 4 : 6));
    }),
    { numRuns: 3000 },
  );
  assert.ok(compared > 300, `${compared}`);
});

/** dns-packet looks into the data of records, which is nobody's question: none are counted. */
function questionAlone(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  return copy.fill(0, 6, 12);
}

/** Addresses as all others are written. */
const textOf = (data: string): string =>
  data.includes(':') ? new URL(`http://[${data}]/`).hostname.slice(1, -1) : data;

test('where dns-packet writes a query, the server reads it, and answers with the hash of the name', () => {
  const label = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_*'.split('')), minLength: 1, maxLength: 63 });
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(
      name.filter((text) => text.length <= 240),
      fc.constantFrom('A', 'AAAA'),
      fc.option(fc.record({ size: fc.nat(65_535), dnssecOk: fc.boolean() }), { nil: undefined }),
      (below, type, edns) => {
        for (const [server, text] of [
          [servers[0], below],
          [servers[1], `${below}.Test.Example`],
        ] as const) {
          if (text.length > 253 || /^ns\.test\.example$/i.test(text)) continue;
          const said = read(server?.answer(query(text, type, edns), 'udp'));
          const [address, ...more] = (said.answers ?? []) as StringAnswer[];
          assert.deepEqual(more, []);
          assert.equal(address?.name, text);
          assert.equal(textOf(address?.data ?? ''), hash.address(text, type === 'A' ? 4 : 6));
          assert.equal(said.additionals?.length, edns === undefined ? 0 : 1);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test('no message makes the reader go round: the longest name with the most pointers costs one pass', () => {
  // 65 535 bytes of records whose names are pointers to each other.
  const header = Buffer.from('471101000001000000000fff', 'hex');
  const question = Buffer.from('0161000001' + '0001', 'hex');
  const record = Buffer.from('c00c' + '0001000100000000' + '0000', 'hex');
  const records = Array.from({ length: 0xfff }, () => record);
  const answer = servers[0]?.answer(Buffer.concat([header, question, ...records]), 'tcp');
  assert.equal(answer?.[3], 0);
  assert.equal(answer?.length, 12 + 7 + 16);
});
