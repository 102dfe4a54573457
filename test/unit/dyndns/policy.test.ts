/** What a key may do: names, sources, intervals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Problem } from '../../../src/core/diagnostic.ts';
import {
  isTooSoon,
  type KeyPolicy,
  type KeyPolicySpec,
  makePolicy,
  openPolicy,
  publicPolicy,
} from '../../../src/dyndns/policy.ts';
import { address } from './fixtures.ts';

function policy(spec: KeyPolicySpec): KeyPolicy {
  const problems: Problem[] = [];
  const made = makePolicy(spec, problems);
  assert.deepEqual(problems, []);
  return made;
}

test('without a word a key may change any name, from public addresses only', () => {
  for (const made of [policy({}), publicPolicy]) {
    assert.ok(made.allowsName('a.net') && made.allowsName('*.x'));
    for (const text of ['8.8.8.8', '::ffff:8.8.8.8', '2606:4700::1']) assert.ok(made.allowsSource(address(text)), text);
    for (const text of [
      '127.0.0.1',
      '10.1.2.3',
      '100.64.0.1',
      '169.254.1.1',
      '192.0.2.1',
      '0.0.0.0',
      '255.255.255.255',
      '224.0.0.1',
      '::ffff:10.0.0.1',
      '::',
      '::1',
      'fe80::1',
      'fd00::1',
      '2001:db8::1',
      'ff02::1',
    ]) {
      assert.ok(!made.allowsSource(address(text)), text);
    }
    assert.equal(made.minimumInterval, 0);
  }
});

test('the open policy is that of the original', () => {
  for (const text of ['127.0.0.1', '::', '10.0.0.1']) assert.ok(openPolicy.allowsSource(address(text)));
});

test('names are exact or all below a suffix, without case, with or without the final dot', () => {
  const { allowsName } = policy({ names: ['a.net', '*.b.net.', 'X.Org'] });
  for (const name of [
    'a.net',
    'A.NET',
    'a.net.',
    'x.b.net',
    'y.x.b.net',
    '*.b.net',
    '\\052.b.net',
    'x.org',
    '\\141.net',
  ]) {
    assert.ok(allowsName(name), name);
  }
  for (const name of ['b.net', '.b.net', 'xb.net', 'x.a.net', 'a.net.x', 'b.net.x', '', '*']) {
    assert.ok(!allowsName(name), name);
  }
  assert.ok(policy({ names: ['*'] }).allowsName('anything'));
  assert.ok(!policy({ names: [] }).allowsName('anything'));
});

test('sources are prefixes, single addresses, "public" and "any"', () => {
  const { allowsSource } = policy({ sources: ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', 'fd00::1'] });
  for (const text of ['10.255.0.1', '::ffff:10.0.0.1', '192.0.2.7', '2001:db8:ffff::1', 'fd00::1']) {
    assert.ok(allowsSource(address(text)), text);
  }
  for (const text of ['11.0.0.1', '192.0.2.8', '8.8.8.8', '2001:db9::1', 'fd00::2', '::']) {
    assert.ok(!allowsSource(address(text)), text);
  }
  const mixed = policy({ sources: ['public', '192.168.0.0/16'] });
  assert.ok(mixed.allowsSource(address('8.8.8.8')) && mixed.allowsSource(address('192.168.1.1')));
  assert.ok(!mixed.allowsSource(address('10.0.0.1')));
  assert.ok(policy({ sources: ['any'] }).allowsSource(address('::1')));
});

test('each entry that cannot be meant so is a problem with its path, and allows nothing', () => {
  const problems: Problem[] = [];
  const made = makePolicy(
    {
      names: ['', 'a b', 'a.*', '*..x', 'a..net', 'ok.net', '*x'],
      sources: ['', '10.0.0.0/33', 'fe80::1%eth0', '10.0.0', 'private', '::/129', '10.0.0.0/8'],
      minimumInterval: -1,
    },
    problems,
  );
  assert.deepEqual(
    problems.map(({ path }) => path.join('.')),
    [
      ...[0, 1, 2, 3, 4, 6].map((index) => `names.${index}`),
      ...[0, 1, 2, 3, 4, 5].map((index) => `sources.${index}`),
      'minimum_interval',
    ],
  );
  assert.ok(made.allowsName('ok.net') && !made.allowsName('a.b'));
});

test('a change is too soon within the interval since the last one; a clock that went back refuses nothing', () => {
  const slow = policy({ minimumInterval: 60 });
  const last = { timestamp: 5, address: '8.8.8.8', acceptedAt: 190, written: { timestamp: 4, at: 100 } };
  assert.ok(isTooSoon(slow, last, 100) && isTooSoon(slow, last, 159.9));
  for (const now of [160, 1000, 99, 0]) assert.ok(!isTooSoon(slow, last, now), String(now));
  assert.ok(!isTooSoon(slow, undefined, 100));
  assert.ok(!isTooSoon(slow, { timestamp: 5, address: '8.8.8.8', acceptedAt: 100 }, 100));
  assert.ok(!isTooSoon(openPolicy, last, 100));
});

test('any words make a policy or problems, never a throw', () => {
  const words = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.ipV4(), fc.ipV6(), fc.domain()), { maxLength: 4 });
  fc.assert(
    fc.property(
      words,
      words,
      fc.string({ unit: 'binary' }),
      fc.oneof(fc.ipV4(), fc.ipV6()),
      (names, sources, name, from) => {
        const problems: Problem[] = [];
        const made = makePolicy({ names, sources }, problems);
        assert.equal(typeof made.allowsName(name), 'boolean');
        assert.equal(typeof made.allowsSource(address(from)), 'boolean');
      },
    ),
    { numRuns: 500 },
  );
});
