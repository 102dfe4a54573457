/** Names that may be asked, and what two families make of one name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { questionProblem } from '../../../../src/system/linux/resolver-name.ts';
import { distinct, kindOf, mergeFamilies, unresolved } from '../../../../src/system/linux/resolver-outcome.ts';
import type { ResolveOutcome } from '../../../../src/system/ports.ts';

const found = (...addresses: string[]): ResolveOutcome => ({ ok: true, addresses });
const failed = (kind: Parameters<typeof unresolved>[0]): ResolveOutcome => unresolved(kind, '');

describe('a question', () => {
  it('may have letters, digits, hyphens, underscores and a trailing dot', () => {
    for (const name of ['example.test', 'A_b-c.example.test.', '_dmarc.x', 'localhost', 'a'.repeat(63)]) {
      assert.equal(questionProblem(name), undefined, name);
    }
  });

  it('has no blank, control character, empty or long label, and is not long', () => {
    const long = Array.from({ length: 64 }, () => 'abc').join('.');
    for (const name of ['', '.', 'a..b', 'a b', 'a\u0000b', 'a\nb', 'a;b', 'ä.test', '*.test', 'a'.repeat(64), long]) {
      assert.equal(typeof questionProblem(name), 'string', name);
    }
  });
});

describe('two families', () => {
  it('give all addresses of both', () => {
    assert.deepEqual(mergeFamilies(found('192.0.2.1'), found('2001:db8::1')), found('192.0.2.1', '2001:db8::1'));
  });

  it('give what one has when the other fails', () => {
    for (const kind of ['servfail', 'timeout', 'nxdomain', 'malformed'] as const) {
      assert.deepEqual(mergeFamilies(found('192.0.2.1'), failed(kind)), found('192.0.2.1'));
      assert.deepEqual(mergeFamilies(failed(kind), found('2001:db8::1')), found('2001:db8::1'));
    }
  });

  it('fail when one fails and the other has nothing, but for NXDOMAIN', () => {
    assert.deepEqual(mergeFamilies(found(), failed('servfail')), failed('servfail'));
    assert.deepEqual(mergeFamilies(failed('timeout'), found()), failed('timeout'));
    assert.deepEqual(mergeFamilies(found(), failed('nxdomain')), found());
  });

  it('are NXDOMAIN only when both are', () => {
    assert.deepEqual(mergeFamilies(failed('nxdomain'), failed('nxdomain')), failed('nxdomain'));
    assert.deepEqual(mergeFamilies(failed('nxdomain'), failed('servfail')), failed('servfail'));
    assert.deepEqual(mergeFamilies(failed('servfail'), failed('nxdomain')), failed('servfail'));
  });
});

it('a code that nobody knows is a failure, and details are one clean line', () => {
  assert.equal(kindOf('EWHATEVER'), 'failed');
  assert.equal(kindOf(undefined), 'failed');
  const outcome = unresolved('failed', `\u001b${'x'.repeat(500)}`);
  assert.ok(!outcome.ok && outcome.detail.startsWith('\\x1b') && outcome.detail.length === 200);
});

it('an address that is answered twice is one address', () => {
  assert.deepEqual(distinct(['192.0.2.1', '192.0.2.2', '192.0.2.1']), ['192.0.2.1', '192.0.2.2']);
});
