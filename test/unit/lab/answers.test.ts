/** What the world's DNS says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet, RecordType } from 'dns-packet';
import { dnsBehaviour } from '../../../src/lab/dns-behaviour.ts';
import { type DnsBehaviour, serviceOf } from '../../../src/lab/service.ts';
import { replyTo, udpLimit } from '../../../src/lab/world/answers.ts';

const service = serviceOf(
  { name: 'a.example', ipv4: ['62.1.1.1', '62.1.1.2', '62.1.1.3'], ipv6: ['2a10::1', '2a10::2'] },
  0,
);
const ask = (type: RecordType, name = 'a.example'): Packet => ({
  type: 'query',
  id: 7,
  flags: 0x100,
  questions: [{ type, name }],
});

/** Addresses of the answer, or the response code when there are none, or what happens instead. */
function said(type: RecordType, behaviour: DnsBehaviour, { turn = 0, known = true } = {}): string {
  const reply = replyTo(ask(type), known ? service : undefined, behaviour, turn);
  if (reply.kind !== 'packet') return reply.kind;
  assert.equal(reply.packet.id, 7);
  const { answers = [], flags = 0 } = reply.packet;
  return (
    answers.map((answer) => (answer.type === 'A' || answer.type === 'AAAA' ? answer.data : '')).join(' ') ||
    `code ${flags & 15}`
  );
}

test('each question gets the addresses of its family', () => {
  assert.equal(said('A', { kind: 'normal' }), '62.1.1.1 62.1.1.2 62.1.1.3');
  assert.equal(said('AAAA', { kind: 'normal' }), '2a10::1 2a10::2');
  assert.equal(said('MX', { kind: 'normal' }), 'code 0');
  assert.equal(said('A', { kind: 'normal' }, { known: false }), 'code 3');
});

test('rotation moves on at each question, and shrinking keeps the first', () => {
  const rotate = (turn: number): string => said('A', { kind: 'rotate', count: 2 }, { turn });
  assert.deepEqual([0, 1, 2, 3].map(rotate), [
    '62.1.1.1 62.1.1.2',
    '62.1.1.2 62.1.1.3',
    '62.1.1.3 62.1.1.1',
    '62.1.1.1 62.1.1.2',
  ]);
  assert.equal(said('AAAA', { kind: 'rotate', count: 9 }), '2a10::1 2a10::2');
  assert.equal(said('A', { kind: 'shrink', count: 1 }), '62.1.1.1');
});

test('lies and failures are told as asked', () => {
  assert.match(said('A', { kind: 'junk' }), /62\.1\.1\.1 .*10\.1\.2\.3/);
  assert.match(said('AAAA', { kind: 'junk' }), /2a10::1 .*fe80::1/);
  assert.equal(said('A', { kind: 'addresses', addresses: ['127.0.0.1', '::1'] }, { known: false }), '127.0.0.1');
  assert.equal(said('A', { kind: 'empty' }), 'code 0');
  assert.deepEqual(
    (['servfail', 'nxdomain', 'refused', 'silence', 'garbage'] as const).map((kind) => said('A', { kind })),
    ['code 2', 'code 3', 'code 5', 'silence', 'garbage'],
  );
});

test('a reply is as long as the question allows', () => {
  assert.equal(udpLimit(ask('A')), 512);
  const withSize = (udpPayloadSize: number): Packet => ({
    ...ask('A'),
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  assert.deepEqual(
    [0, 1000, 65_000].map((size) => udpLimit(withSize(size))),
    [512, 1000, 1232],
  );
});

test('behaviours that make no sense are refused', () => {
  assert.deepEqual(dnsBehaviour({ kind: 'addresses', addresses: ['2A10::0'] }), {
    kind: 'addresses',
    addresses: ['2a10::'],
  });
  for (const bad of [
    { kind: 'lies' },
    { kind: 'rotate' },
    { kind: 'shrink', count: 0 },
    { kind: 'addresses', addresses: ['x'] },
    { kind: 'normal', delay: -1 },
  ]) {
    assert.throws(() => dnsBehaviour(bad as DnsBehaviour), { code: 'lab-request' }, JSON.stringify(bad));
  }
});
