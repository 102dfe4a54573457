/** From answers to kinds of failure: each kind, what its text says, and which questions come next. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CheckResult, type FailureKind, provesNetwork } from '../../../src/dnstest/check-result.ts';
import { type Evidence, judge, judgeControl, nextQuestion } from '../../../src/dnstest/judge.ts';
import type { ProbeAnswer } from '../../../src/dnstest/probe-answer.ts';

const right = '93.184.216.34';
const name = 'q7f3k2j9x0ab.test.example';

const addresses = (...list: string[]): ProbeAnswer => ({ kind: 'addresses', addresses: list });
const code = (text: string, note?: string): ProbeAnswer => ({ kind: 'code', code: text, note });
const failed = (how: Extract<ProbeAnswer, { kind: 'failed' }>['how']): ProbeAnswer => ({
  kind: 'failed',
  how,
  detail: 'said the socket',
});

const evidence = (answer: ProbeAnswer, more: Partial<Evidence> = {}): Evidence => ({
  name,
  family: 4,
  expected: right,
  filtered: undefined,
  any: false,
  answer,
  elapsed: 12,
  slow: undefined,
  knows: () => undefined,
  can: ['unchecked', 'another', 'control'],
  ...more,
});

const kindOf = (one: Evidence): FailureKind | 'right' => judge(one)?.kind ?? 'right';
const textOf = (one: Evidence): string => judge(one)?.text ?? '';

test('the one right address in time is no failure, and nothing more is asked', () => {
  assert.equal(judge(evidence(addresses(right))), undefined);
  assert.equal(nextQuestion(evidence(addresses(right))), undefined);
  assert.equal(kindOf(evidence(addresses(right), { slow: 12 })), 'right');
});

test('each answer has its kind', () => {
  const cases: readonly (readonly [FailureKind, ProbeAnswer])[] = [
    ['timeout', failed('timeout')],
    ['unreachable', failed('unreachable')],
    ['malformed', failed('malformed')],
    ['tls', failed('tls')],
    ['http', failed('http')],
    ['local', failed('local')],
    ['refused', code('REFUSED')],
    ['servfail', code('SERVFAIL')],
    ['nxdomain', code('NXDOMAIN')],
    ['other', code('NOTIMP')],
    ['empty', addresses()],
    ['wrong', addresses('203.0.113.9')],
    ['partial', addresses(right, '203.0.113.9')],
    ['truncated', { kind: 'truncated', detail: 'reset' }],
  ];
  for (const [kind, answer] of cases) {
    assert.equal(kindOf(evidence(answer)), kind);
    assert.ok(textOf(evidence(answer)).startsWith(`A of ${name}: `), kind);
    assert.ok(!textOf(evidence(answer)).endsWith('.'), kind);
  }
});

test('a right answer over the limit is slow, and says by how much', () => {
  const late = evidence(addresses(right), { elapsed: 812.4, slow: 500 });
  assert.equal(kindOf(late), 'slow');
  assert.match(textOf(late), /after 812 ms \(limit 500 ms\)/);
});

test('with any, one right address among others is enough, and none is still none', () => {
  assert.equal(kindOf(evidence(addresses('203.0.113.9', right), { any: true })), 'right');
  assert.equal(kindOf(evidence(addresses('203.0.113.9'), { any: true })), 'wrong');
  assert.equal(kindOf(evidence(addresses(), { any: true })), 'empty');
});

test('SERVFAIL that is right with checking disabled is a failed validation', () => {
  const first = evidence(code('SERVFAIL', 'DNSSEC bogus'));
  assert.equal(nextQuestion(first), 'unchecked');
  const second = { ...first, unchecked: addresses(right) };
  assert.equal(kindOf(second), 'bogus');
  assert.match(textOf(second), /SERVFAIL \(DNSSEC bogus\), but the right address with checking disabled/);
  for (const unchecked of [code('SERVFAIL'), addresses(), addresses('203.0.113.9'), failed('timeout')]) {
    assert.equal(kindOf({ ...first, unchecked }), 'servfail');
  }
});

test('an empty answer for an address that filters drop was stripped, unless the zone fails itself', () => {
  const fixed = evidence(addresses(), { expected: '10.9.8.7', filtered: '10.0.0.0/8' });
  assert.equal(kindOf(fixed), 'stripped');
  assert.match(textOf(fixed), /10\.9\.8\.7 is in 10\.0\.0\.0\/8/);
  assert.equal(kindOf({ ...fixed, control: addresses('10.9.8.7') }), 'stripped');
  assert.equal(kindOf({ ...fixed, control: addresses() }), 'empty');
  const other = evidence(addresses(), { control: addresses(right) });
  assert.equal(kindOf(other), 'empty');
  assert.match(textOf(other), /though the zone's own server says 93\.184\.216\.34/);
});

test('a wrong address says whose it is', () => {
  const stale = evidence(addresses('198.51.100.4'), {
    knows: (address) => (address === '198.51.100.4' ? 'this name under the old key' : undefined),
  });
  assert.equal(kindOf(stale), 'stale');
  assert.match(textOf(stale), /198\.51\.100\.4, the address of this name under the old key; 93\.184\.216\.34 is right/);
  const mixed = { ...stale, answer: addresses('198.51.100.4', '203.0.113.9') };
  assert.equal(kindOf(mixed), 'wrong', 'one that nobody knows is a lie all the same');
  const alias = evidence({ kind: 'addresses', addresses: ['203.0.113.9'], alias: 'blocked.example' });
  assert.match(textOf(alias), /203\.0\.113\.9 by way of blocked\.example/);
});

test('a portal that answers every name alike is told', () => {
  const first = evidence(addresses('203.0.113.9'));
  assert.equal(nextQuestion(first), 'another');
  const another = { name: 'other.test.example', expected: '192.0.2.77', answer: addresses('203.0.113.9') };
  const second = { ...first, another };
  assert.match(textOf(second), /everything is answered with 203\.0\.113\.9: other\.test\.example too/);
  const different = { ...first, another: { ...another, answer: addresses('203.0.113.10') } };
  assert.doesNotMatch(textOf(different), /everything/);
  assert.equal(kindOf(different), 'wrong');
});

test('the control is asked last, after each kind of failure, and once', () => {
  for (const answer of [
    failed('timeout'),
    code('REFUSED'),
    code('NXDOMAIN'),
    addresses(),
    addresses(right, '192.0.2.1'),
  ]) {
    assert.equal(nextQuestion(evidence(answer)), 'control');
    assert.equal(nextQuestion(evidence(answer, { control: addresses(right) })), undefined);
    assert.equal(nextQuestion(evidence(answer, { can: [] })), undefined);
  }
  const bogus = evidence(code('SERVFAIL'), { unchecked: addresses(right) });
  assert.equal(nextQuestion(bogus), 'control');
});

test('the control is right only with the one address', () => {
  const first = evidence(failed('timeout'), { any: true });
  assert.equal(judgeControl(first), undefined);
  assert.equal(judgeControl({ ...first, control: addresses(right) }), 'right');
  for (const control of [addresses(), addresses(right, '192.0.2.1'), code('REFUSED'), failed('timeout')]) {
    assert.equal(judgeControl({ ...first, control }), 'failed');
  }
});

test('a forged answer with hundreds of addresses makes no long text', () => {
  const many = Array.from({ length: 300 }, (_, index) => `203.0.113.${index % 256}`);
  assert.ok(textOf(evidence(addresses(...new Set(many)))).length < 300);
});

test('an address that came proves the network; silence and refusals do not', () => {
  const proves = (answer: ProbeAnswer, more: Partial<Evidence> = {}): boolean => {
    const failure = judge(evidence(answer, more));
    const result: CheckResult = { at: 0, elapsed: 1, name, failure, control: undefined };
    return provesNetwork(result);
  };
  assert.ok(proves(addresses('203.0.113.9')));
  assert.ok(proves(addresses(right, '203.0.113.9')));
  assert.ok(proves(addresses(right), { slow: 1 }));
  for (const answer of [failed('timeout'), failed('unreachable'), failed('local'), code('SERVFAIL'), addresses()]) {
    assert.equal(proves(answer), false);
  }
});
