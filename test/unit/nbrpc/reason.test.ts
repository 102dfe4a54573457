/** From what a probe or a resolver saw to the cause of a failure, and to a sentence for people. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { judge } from '../../../src/nbrpc/checker.ts';
import {
  type Cause,
  cause,
  causeCodes,
  causeOf,
  causeOfName,
  decodeCause,
  encodeCause,
} from '../../../src/nbrpc/reason.ts';
import { causeSentence } from '../../../src/nbrpc/reason-text.ts';
import type { ProbeOutcome } from '../../../src/system/ports.ts';
import type { ProbeFacts } from '../../../src/system/probe-facts.ts';

const asked = { host: 'video.example', codes: new Set([200]) };

type Failure = Extract<ProbeOutcome, { kind: 'failure' }>;

const failed = (stage: Failure['stage'], reason: string, facts?: ProbeFacts, status?: number): ProbeOutcome => ({
  kind: 'failure',
  stage,
  reason,
  detail: 'detail',
  ...(facts === undefined ? {} : { facts }),
  ...(status === undefined ? {} : { status }),
});
const answer = (status: number, location?: string): ProbeOutcome => ({ kind: 'answer', status, bytes: 0, location });

const certificate = { problem: 'self-signed', subject: 'CN=blocked.example', issuer: 'CN=blocked.example' } as const;

/** What a probe saw, and what people read. */
const seen: readonly (readonly [ProbeOutcome, string])[] = [
  [answer(200), ''],
  [{ kind: 'local-failure', detail: 'EMFILE' }, ''],
  [failed('connect', 'timeout'), 'connect: no answer'],
  [failed('connect', 'refused', { errno: 'ECONNREFUSED' }), 'connect: refused (RST)'],
  [failed('connect', 'reset', { errno: 'ECONNRESET' }), 'connect: reset (RST)'],
  [failed('connect', 'unreachable', { errno: 'EACCES' }), 'connect: prohibited by a router on the way (ICMP) (EACCES)'],
  [
    failed('connect', 'unreachable', { errno: 'EHOSTUNREACH' }),
    'connect: a router on the way says unreachable or prohibited (ICMP) (EHOSTUNREACH)',
  ],
  [failed('tls', 'timeout', { wire: 0, took: 800, late: 0 }), 'TLS: no answer to the ClientHello'],
  [
    failed('tls', 'timeout', { wire: 6, took: 800, late: 0 }),
    'TLS: no answer to the ClientHello (6 bytes of the handshake came)',
  ],
  [failed('tls', 'reset', { wire: 0 }), 'TLS: reset on the ClientHello'],
  [failed('tls', 'closed', { wire: 0 }), 'TLS: closed on the ClientHello'],
  [failed('tls', 'protocol', { wire: 7, alert: true }), 'TLS: the far side refuses the handshake (detail)'],
  [failed('tls', 'protocol', { wire: 47 }), 'TLS: what answers is not TLS (detail)'],
  [
    failed('tls', 'certificate', { wire: 900, certificate }),
    "TLS: a certificate that is not the service's (self-signed: blocked.example)",
  ],
  [
    failed('tls', 'certificate', { certificate: { problem: 'other-name', subject: 'CN=isp.test', issuer: 'CN=A CA' } }),
    "TLS: a certificate that is not the service's (of another name: isp.test, issued by A CA)",
  ],
  [failed('http', 'timeout', { wire: 1400, reply: 574, took: 800, late: 0 }), 'HTTP: no answer to the request'],
  [failed('http', 'reset', { wire: 1400, reply: 574 }), 'HTTP: reset on the request'],
  [failed('http', 'protocol', { wire: 70, reply: 70 }), 'HTTP: what answers is not HTTP (detail)'],
  [failed('http', 'headers-too-large'), 'HTTP: what answers is not HTTP (detail)'],
  [
    failed('http', 'timeout', { wire: 16_384, reply: 14_900, took: 800, late: 0 }),
    'transfer: frozen after 0 bytes of the page, 16 kB in all',
  ],
  [answer(403), 'HTTP: status 403'],
  [failed('body', 'timeout', { body: 4 }, 403), 'HTTP: status 403'],
  [answer(451), 'HTTP: unavailable for legal reasons (451)'],
  [answer(301, 'https://www.video.example/x'), 'HTTP: status 301 to https://www.video.example/x'],
  [answer(302, '/login'), 'HTTP: status 302 to /login'],
  [answer(302, 'http://law.test/why'), 'HTTP: sent to another site: 302 to http://law.test/why'],
  [
    failed('body', 'timeout', { body: 15_000, wire: 16_384, took: 8000, late: 0 }, 200),
    'transfer: frozen after 15 kB of the page, 16 kB in all',
  ],
  [
    failed('body', 'timeout', { body: 7000, wire: 8000, took: 8000, late: 100 }, 200),
    'transfer: throttled (1000 bytes a second, 8000 bytes in all)',
  ],
  [
    failed('body', 'reset', { body: 15_000, wire: 20_480 }, 200),
    'transfer: reset after 15 kB of the page, 20 kB in all',
  ],
  [
    failed('body', 'closed', { body: 5, wire: 500 }, 200),
    'transfer: cut off after 5 bytes of the page, 500 bytes in all',
  ],
  [failed('body', 'protocol', { body: 5 }, 200), 'transfer: broken (detail)'],
];

describe('the cause of a failed check', () => {
  for (const [outcome, sentence] of seen) {
    it(`"${sentence}"`, () => assert.equal(causeSentence(causeOf(outcome, asked)), sentence));
  }

  it('is a redirect to another site, even with an expected code, where only answers of the same site count', () => {
    const any = { host: 'video.example', codes: new Set([200, 302]) };
    const told = (location: string, sameSite: boolean): string =>
      causeOf(answer(302, location), { ...any, sameSite }).code;
    assert.deepEqual([told('http://law.test/', false), told('http://law.test/', true)], ['none', 'redirect']);
    assert.equal(told('https://www.video.example/', true), 'none');
  });

  it('is told without any facts too: probes that know less than ours', () => {
    for (const stage of ['connect', 'tls', 'http', 'body'] as const) {
      for (const reason of ['timeout', 'reset', 'closed', 'unreachable', 'certificate', 'something-new']) {
        const found = causeOf(failed(stage, reason), asked);
        assert.notEqual(found.kind, 'none');
        assert.notEqual(causeSentence(found), '');
      }
    }
  });
});

describe('the cause of a name without an address', () => {
  const name = (change: Partial<Parameters<typeof causeOfName>[0]>): string => {
    const found = causeOfName({ addresses: [], junk: [], answered: true, failure: undefined, ...change });
    return `${found.code}: ${found.detail}`;
  };
  it('is what the resolver said', () => {
    assert.equal(name({ addresses: ['62.1.1.1'], junk: ['10.1.1.1'] }), 'none: ');
    assert.equal(name({ failure: 'nxdomain' }), 'nxdomain: ');
    assert.equal(name({ failure: 'no addresses' }), 'no-address: ');
    assert.equal(name({ answered: false, failure: 'servfail, EDE 6' }), 'no-answer: servfail, EDE 6');
    const junk = ['10.66.66.66', '127.0.0.1', '::', 'fd66::66'];
    assert.equal(name({ junk }), 'junk: 10.66.66.66, 127.0.0.1, :: and 1 more');
  });
});

const text = fc.string({ unit: 'binary', maxLength: 400 });
const count = fc.option(fc.oneof(fc.integer(), fc.double()), { nil: undefined });
const facts: fc.Arbitrary<ProbeFacts> = fc
  .record({
    errno: fc.option(text, { nil: undefined }),
    wire: count,
    reply: count,
    body: count,
    took: count,
    late: count,
    location: fc.option(fc.oneof(text, fc.webUrl()), { nil: undefined }),
    certificate: fc.option(
      fc.record({
        problem: fc.constantFrom('expired', 'not-yet-valid', 'self-signed', 'other-name', 'untrusted'),
        subject: text,
        issuer: text,
      }),
      { nil: undefined },
    ),
    alert: fc.constantFrom(true, undefined),
  })
  // Absent, not undefined: as the adapter does it.
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
const outcomes: fc.Arbitrary<ProbeOutcome> = fc.oneof(
  fc.record({
    kind: fc.constant('answer' as const),
    status: fc.integer(),
    bytes: fc.nat(),
    location: fc.option(fc.oneof(text, fc.webUrl()), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('failure' as const),
    stage: fc.constantFrom('connect' as const, 'tls' as const, 'http' as const, 'body' as const),
    reason: fc.oneof(
      fc.constantFrom('timeout', 'refused', 'reset', 'closed', 'unreachable', 'certificate', 'protocol'),
      text,
    ),
    detail: text,
    facts,
  }),
);

/** Nothing that a terminal would obey, and one line. */
const tame = /^[^\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*$/u;

test('no probe and no stranger’s bytes make it throw, and what people read has no control characters and is short', () => {
  fc.assert(
    fc.property(outcomes, text, (outcome, host) => {
      const found = causeOf(outcome, { host, codes: new Set([200]) });
      const codes: readonly string[] = causeCodes[found.kind];
      assert.ok(codes.includes(found.code), `${found.kind} ${found.code}`);
      const sentence = causeSentence(found);
      assert.match(sentence, tame);
      assert.match(found.detail, tame);
      assert.ok(sentence.length < 400);
      assert.equal(sentence === '', found.kind === 'none');
      assert.deepEqual(decodeCause(encodeCause(found)), found);
    }),
  );
});

test('there is a cause where the verdict is a failure, and nowhere else', () => {
  fc.assert(
    fc.property(outcomes, (outcome) => {
      const failing = judge(outcome, asked.codes).kind === 'fail';
      assert.equal(causeOf(outcome, asked).kind !== 'none', failing);
    }),
  );
});

test('the resolver’s words do not reach people raw either', () => {
  fc.assert(
    fc.property(fc.array(text), fc.boolean(), fc.option(text, { nil: undefined }), (junk, answered, failure) => {
      assert.match(causeSentence(causeOfName({ addresses: [], junk, answered, failure })), tame);
    }),
  );
});

test('each code has a sentence of its own', () => {
  const all = Object.entries(causeCodes).flatMap(([kind, codes]) =>
    codes.map((code) => causeSentence(cause(kind as Cause['kind'], code as never, 'x'))),
  );
  assert.equal(new Set(all).size, all.length);
});

test('what the state file holds is read as a cause of this version, or as none', () => {
  for (const bad of [
    '',
    'x',
    '{}',
    '[]',
    'null',
    '{"kind":"tls","code":"frozen","detail":""}',
    '{"kind":"constructor","code":"name","detail":""}',
  ]) {
    assert.deepEqual(decodeCause(bad), { kind: 'none', code: 'none', detail: '' }, bad);
  }
  assert.equal(decodeCause('{"kind":"tls","code":"sni","detail":"a\\u001b[2J"}').detail, 'a\\x1b[2J');
  fc.assert(fc.property(fc.oneof(text, fc.json()), (any) => assert.match(decodeCause(any).detail, tame)));
});
