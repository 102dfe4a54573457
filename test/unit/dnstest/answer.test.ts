/** What the zone's server says, read back by dns-packet. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OptAnswer, SoaAnswer, StringAnswer } from 'dns-packet';
import { Answerer } from '../../../src/dnstest/answer.ts';
import { NameHash } from '../../../src/dnstest/name-hash.ts';
import { checkout } from '../../checkout.ts';
import { answererOf, ask, hash, query, read, testZone } from './build-answers.ts';
import { capturedQueries } from './captured-queries.ts';

const anyName = answererOf();
const zoned = answererOf(testZone);
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

interface Vector {
  readonly key: string;
  readonly name: string;
  readonly A: string;
  readonly AAAA: string;
  readonly raw_hash_only?: true;
}
const vectors = JSON.parse(readFileSync(join(checkout, 'test/unit/dnstest/vectors.json'), 'utf8')) as readonly Vector[];

test('each vector is answered with its address, in whatever case its name is asked', () => {
  const used = vectors.filter((vector) => vector.raw_hash_only === undefined);
  assert.ok(used.length >= 10);
  for (const { key, name, A, AAAA } of used) {
    const answerer = new Answerer({ hash: new NameHash(key), ttl: 300, zones: [] });
    for (const asked of [name, name.toUpperCase()]) {
      for (const [type, data] of Object.entries({ A, AAAA })) {
        const said = ask(answerer, asked, type);
        const full = type === 'AAAA' ? new URL(`http://[${data}]/`).hostname.slice(1, -1) : data;
        assert.deepEqual(
          (said.answers ?? []).map((answer) => [
            answer.type,
            answer.name,
            (answer as StringAnswer).data,
            (answer as StringAnswer).ttl,
          ]),
          [[type, asked, full, 300]],
        );
      }
    }
  }
});

test('an answer is, to the byte, what the original says to a query with rd', () => {
  const asked = query('test.com', 'A');
  const expected = `1234850000010001000000000474657374${'03636f6d'}0000010001${'c00c00010001'}0000012c00040eb57823`;
  assert.equal(hex(anyName.answer(Buffer.from(hex(asked).replace(/^12340000/, '12340100'), 'hex'), 'udp')), expected);
});

test('the question comes back byte for byte, with its id and rd, and no flag that is not ours to set', () => {
  const asked = Buffer.from(hex(query('tEsT.CoM', 'A')).replace(/^12340000/, 'abcd01b0'), 'hex');
  const answer = zonedAnswer(anyName, asked);
  assert.equal(hex(answer.subarray(12, asked.length)), hex(asked.subarray(12)));
  assert.equal(hex(answer.subarray(0, 4)), 'abcd8500');
  const quiet = zonedAnswer(anyName, query('tEsT.CoM', 'A'));
  assert.equal(hex(quiet.subarray(0, 4)), '12348400');
});

function zonedAnswer(answerer: Answerer, message: Uint8Array): Uint8Array {
  const answer = answerer.answer(message, 'udp');
  assert.ok(answer !== undefined);
  return answer;
}

test('the root has an address, too', () => {
  const said = ask(anyName, '.', 'A');
  assert.deepEqual(data(said), ['116.55.114.205']);
});

test('other types have no data, and the SOA of the zone says for how long', () => {
  for (const type of ['MX', 'TXT', 'NS', 'SOA', 'HTTPS', 'DS', 'DNSKEY', 'CNAME', 'UNKNOWN_4711']) {
    const message = query('a.b.test.example', type.startsWith('UNKNOWN') ? 'A' : type);
    if (type.startsWith('UNKNOWN')) message.writeUInt16BE(47, message.length - 4);
    const said = read(zoned.answer(message, 'udp'));
    assert.equal(said.rcode, 'NOERROR', type);
    assert.equal(said.flag_aa, true, type);
    assert.deepEqual(said.answers, [], type);
    const [soa, ...more] = said.authorities ?? [];
    assert.deepEqual(more, []);
    assert.equal(soa?.type, 'SOA');
    assert.equal(soa?.name, 'test.example');
    assert.equal((soa as SoaAnswer).ttl, 300);
    assert.deepEqual((soa as SoaAnswer).data, {
      mname: 'ns.test.example',
      rname: 'hostmaster.test.example',
      serial: 1,
      refresh: 3600,
      retry: 600,
      expire: 86_400,
      minimum: 300,
    });
  }
});

test('without zones each name is a zone of its own: its SOA stands in negative answers, and is its own answer', () => {
  for (const name of ['a.test.example', 'x'.repeat(63), `${'x.'.repeat(126)}y`, '.']) {
    for (const type of ['MX', 'NS']) {
      const said = ask(anyName, name, type);
      assert.equal(said.rcode, 'NOERROR');
      assert.deepEqual(said.answers, []);
      assert.deepEqual(
        said.authorities?.map((soa) => [
          soa.name,
          soa.type,
          (soa as SoaAnswer).data.mname,
          (soa as SoaAnswer).data.rname,
        ]),
        [[name, 'SOA', name, 'hostmaster']],
      );
    }
    assert.deepEqual(
      ask(anyName, name, 'SOA').answers?.map((soa) => [soa.name, soa.type]),
      [[name, 'SOA']],
    );
  }
});

test('the apex has SOA and NS, in whatever case it is asked for', () => {
  const soa = ask(zoned, 'TEST.example', 'SOA');
  assert.deepEqual(
    soa.answers?.map(({ type }) => type),
    ['SOA'],
  );
  assert.deepEqual(soa.authorities, []);
  const ns = ask(zoned, 'test.EXAMPLE', 'NS');
  assert.deepEqual(
    ns.answers?.map((answer) => [answer.type, (answer as StringAnswer).data]),
    [
      ['NS', 'ns.test.EXAMPLE'],
      ['NS', 'ns.elsewhere.example'],
    ],
  );
});

test('a name server inside the zone has its own addresses, and not the hash of its name', () => {
  assert.deepEqual(data(ask(zoned, 'NS.test.example', 'A')), ['192.0.2.1']);
  assert.deepEqual(data(ask(zoned, 'ns.test.example', 'AAAA')), ['2001:db8::1']);
  const without = answererOf({ name: 'test.example', servers: [{ name: 'ns.test.example', addresses: [] }] });
  const said = ask(without, 'ns.test.example', 'A');
  assert.deepEqual(data(said), []);
  assert.equal(said.authorities?.length, 1);
});

const data = ({ answers }: ReturnType<typeof read>): unknown[] =>
  (answers ?? []).map((answer) => (answer as StringAnswer).data);

test('what is outside of the zones is refused, be it ever so similar', () => {
  for (const name of ['example', 'a.example', 'xtest.example', 'test.example.org', '.', 'a\u0000test.example']) {
    assert.equal(ask(zoned, name, 'A').rcode, 'REFUSED', name);
    assert.equal(ask(zoned, name, 'A').flag_aa, false, name);
  }
  // One label that has a dot in it is not two.
  const trick = Buffer.from(`${hex(query('x', 'A').subarray(0, 12))}0c746573742e6578616d706c650000010001`, 'hex');
  assert.equal(read(zoned.answer(trick, 'udp')).rcode, 'REFUSED');
});

test('of zones inside each other the closest one answers', () => {
  const both = answererOf(
    { name: 'test.example', servers: [] },
    { name: 'deep.test.example', servers: [] },
    { name: 'other.example', servers: [] },
  );
  const soaOf = (name: string): string | undefined => ask(both, name, 'MX').authorities?.[0]?.name;
  assert.equal(soaOf('a.deep.test.example'), 'deep.test.example');
  assert.equal(soaOf('deep.test.example'), 'deep.test.example');
  assert.equal(soaOf('a.test.example'), 'test.example');
  assert.equal(soaOf('a.other.example'), 'other.example');
});

test('ANY gets one address, and transfers and questions about the server are refused', () => {
  assert.deepEqual(data(ask(zoned, 'a.test.example', 'ANY')), [hash.address('a.test.example', 4)]);
  for (const type of ['AXFR', 'IXFR', 'OPT', 'TKEY', 'TSIG']) {
    assert.equal(ask(zoned, 'a.test.example', type, undefined, 'tcp').rcode, 'REFUSED', type);
  }
});

test('other classes than IN and ANY are refused', () => {
  const message = query('a.test.example', 'A');
  for (const [number, code] of [
    [1, 'NOERROR'],
    [3, 'REFUSED'],
    [4, 'REFUSED'],
    [254, 'REFUSED'],
    [255, 'NOERROR'],
  ] as const) {
    message.writeUInt16BE(number, message.length - 2);
    assert.equal((zonedAnswer(zoned, message)[3] ?? 0) & 15, code === 'NOERROR' ? 0 : 5, `class ${number}`);
  }
});

test('an OPT record is answered with one, which has our size, version 0 and the DO bit as it came', () => {
  for (const dnssecOk of [false, true]) {
    const said = ask(zoned, 'a.test.example', 'A', { dnssecOk });
    assert.equal(said.additionals?.length, 1);
    const opt = said.additionals?.[0] as unknown as OptAnswer & { ednsVersion: number };
    assert.equal(opt.type, 'OPT');
    assert.equal(opt.udpPayloadSize, 1232);
    assert.equal(opt.ednsVersion, 0);
    assert.equal(opt.flag_do, dnssecOk);
  }
  assert.deepEqual(ask(zoned, 'a.test.example', 'A').additionals, []);
});

test('EDNS above version 0 gets BADVERS, in the header and in the OPT record', () => {
  const said = ask(zoned, 'a.test.example', 'A', { version: 1 });
  const opt = said.additionals?.[0] as unknown as { extendedRcode: number; ednsVersion: number };
  assert.equal(opt.extendedRcode, 1);
  assert.equal(opt.ednsVersion, 0);
  assert.equal(said.rcode, 'NOERROR');
  assert.deepEqual(said.answers, []);
  assert.deepEqual(
    said.questions?.map(({ name }) => name),
    ['a.test.example'],
  );
});

test('other operations are not implemented', () => {
  for (let operation = 1; operation < 16; operation++) {
    const message = query('a.test.example', 'A', {});
    message[2] = operation << 3;
    const answer = zonedAnswer(zoned, message);
    assert.equal(answer[2], 0x80 | (operation << 3));
    assert.equal(answer[3], 4);
  }
});

/** Hexadecimal, after the id. */
const malformed: Readonly<Record<string, string>> = {
  'no question': '0100' + '0000000000000000',
  'two questions': `01000002000000000000${'0161000001' + '0001'}${'0162000001' + '0001'}`,
  'a question that is counted and not there': '01000001000000000000',
  'a name without end': '010000010000000000000161',
  'a label that is longer than the message': '010000010000000000003f61',
  'a pointer to itself': '01000001000000000000c00c00010001',
  'a pointer into the header': '01000001000000000000c00000010001',
  'a pointer after a label': '010000010000000000000161c00c00010001',
  'a label of an unknown kind': '0100000100000000000041610000010001',
  'no class': '0100000100000000000001610000' + '01',
  'bytes behind the end': '0100000100000000000001610000010001ff',
  'an OPT record that is counted and not there': '0100000100000000000101610000010001',
  'an OPT record with a name': '01000001000000000001016100000100010161000029100000000000' + '0000',
  'an OPT record as an answer': '0100000100010000000001610000010001' + '000029100000000000' + '0000',
  'two OPT records': `0100000100000000000201610000010001${'0000291000000000000000'.repeat(2)}`,
  'an option that is longer than its record':
    '0100000100000000000101610000010001' + '0000291000000000000004' + '000a0008',
  'half an option': '0100000100000000000101610000010001' + '0000291000000000000002' + '000a',
};

test('what cannot be read gets FORMERR, a header alone', () => {
  for (const [what, rest] of Object.entries(malformed)) {
    const answer = zoned.answer(Buffer.from(`4711${rest}`, 'hex'), 'udp');
    assert.equal(hex(answer), '471181010000000000000000', what);
  }
});

test('a name of more than 255 bytes gets FORMERR, and one of 255 an answer', () => {
  const header = '471101000001000000000000';
  const named = (labels: string): Buffer => Buffer.from(`${header}${labels}0000010001`, 'hex');
  const full = `3f${'61'.repeat(63)}`.repeat(3);
  const longest = zonedAnswer(anyName, named(`${full}3d${'61'.repeat(61)}`));
  assert.equal(longest.length, 12 + 255 + 4 + 16);
  assert.equal(longest[3], 0);
  assert.equal(zonedAnswer(anyName, named(`${full}3e${'61'.repeat(62)}`))[3], 1);
});

test('a response is never answered, nor is what has no header', () => {
  const response = query('a.test.example', 'A');
  response[2] = 0x80;
  assert.equal(zoned.answer(response, 'udp'), undefined);
  for (let length = 0; length < 12; length++) {
    assert.equal(zoned.answer(query('a.test.example', 'A').subarray(0, length), 'udp'), undefined, `${length} bytes`);
  }
  for (const rest of Object.values(malformed)) {
    const answer = zonedAnswer(zoned, Buffer.from(`4711${rest}`, 'hex'));
    assert.equal(zoned.answer(answer, 'udp'), undefined);
  }
});

test('an answer that its sender does not take over UDP is cut to none, and comes whole over TCP', () => {
  const servers = Array.from({ length: 40 }, (_, i) => ({ name: `name-server-${i}.elsewhere.example`, addresses: [] }));
  const many = answererOf({ name: 'test.example', servers });
  for (const [edns, limit] of [
    [undefined, 512],
    [{ size: 0 }, 512],
    [{ size: 800 }, 800],
    [{ size: 65_535 }, 1232],
  ] as const) {
    const answer = zonedAnswer(many, query('test.example', 'NS', edns));
    assert.ok(answer.length <= limit);
    const said = read(answer);
    assert.equal(said.flag_tc, true);
    assert.deepEqual([said.answers, said.authorities], [[], []]);
    assert.equal(said.additionals?.length, edns === undefined ? 0 : 1);
  }
  const whole = ask(many, 'test.example', 'NS', undefined, 'tcp');
  assert.equal(whole.flag_tc, false);
  assert.equal(whole.answers?.length, 40);
});

test('a size that is enough takes the whole answer, to the byte', () => {
  const servers = Array.from({ length: 40 }, (_, i) => ({ name: `n${i}.test.example`, addresses: [] }));
  const many = answererOf({ name: 'test.example', servers });
  const { length } = many.answer(query('test.example', 'NS', {}), 'tcp') ?? { length: 0 };
  assert.ok(length > 512 && length < 1232);
  assert.equal(ask(many, 'test.example', 'NS', { size: length }).flag_tc, false);
  assert.equal(ask(many, 'test.example', 'NS', { size: length - 1 }).flag_tc, true);
});

test('what dig and unbound really send is answered as it should be', () => {
  const names: Readonly<Record<number, string>> = { 0: 'NOERROR', 1: 'FORMERR', 4: 'NOTIMP', 5: 'REFUSED' };
  for (const { by, what, hex: bytes, code } of capturedQueries) {
    const answer = zonedAnswer(zoned, Buffer.from(bytes, 'hex'));
    const said = read(answer);
    const extended = (said.additionals?.[0] as unknown as { extendedRcode?: number } | undefined)?.extendedRcode ?? 0;
    assert.equal(extended === 1 ? 'BADVERS' : names[(answer[3] ?? 0) & 15], code, `${by}: ${what}`);
  }
});
