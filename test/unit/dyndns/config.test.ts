/** The [dyndns] table: what is refused, with its place, and what keys may do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBind } from '../../../src/dyndns/binding.ts';
import { parseDyndns } from '../../../src/dyndns/config.ts';
import { policiesOf } from '../../../src/dyndns/key-policies.ts';

const verify = 'jLxAZY-vnJfubHr8srYy3mIN2_mCi_OExUwHOluOlLY=';
const keyId = 'QlH0RDCxXrI2OvL2OUA4DBeDY79X';

function problems(table: Record<string, unknown>): string[] {
  const parsed = parseDyndns({ zone: [{ file: '/zone' }], ...table });
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('a table with a zone is enough', () => {
  assert.deepEqual(problems({}), []);
});

test('every problem is told with its place', () => {
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ zone: [] }, /^zone: must have at least one/],
    [{ zone: [{ file: '/a' }, { file: '/a' }] }, /^zone: has a file twice/],
    [{ zone: [{ file: 'a' }] }, /^zone\.0\.file: must be an absolute path/],
    [{ zone: [{ file: '/a', records: ['%'] }] }, /^zone\.0\.records\.0: must be one of/],
    [{ bind: '5533' }, /^bind: must be a numeric address with a port/],
    [{ bind: '::1:5533' }, /^bind: /],
    [{ bind: '[::]:70000' }, /^bind: /],
    [{ verify: 'localhost' }, /^verify: must be the numeric address/],
    [{ clock_window: '2d' }, /^clock_window: must be between/],
    [{ key: [{ key: 'short' }] }, /^key\.0\.key: must be a verify key: this is a key of 5 characters/],
    [{ key: [{ key: `${'A'.repeat(43)}=` }] }, /^key\.0\.key: .*placeholder of zeros/],
    [{ key: [{ key: verify }, { key: verify.replace('=', '') }] }, /^key: has a key twice/],
    [{ key: [{ key: verify, names: ['a..b'] }] }, /^key\.0\.names\.0: must be a name/],
    [{ key: [{ key: verify, sources: ['300.0.0.1'] }] }, /^key\.0\.sources\.0: must be an address/],
    [{ unknown: 1 }, /^unknown: unknown key/],
  ];
  for (const [table, expected] of cases) assert.match(problems(table).join('\n'), expected, JSON.stringify(table));
});

test('a key has the policy of its table, in whatever form it is written; others are for public addresses', () => {
  const standard = verify.replaceAll('-', '+').replaceAll('_', '/').replace('=', '');
  const parsed = parseDyndns({
    zone: [{ file: '/zone' }],
    key: [{ key: standard, names: ['a.net'], sources: ['10.0.0.0/8'], minimum_interval: '90s' }],
  });
  assert.ok(parsed.ok);
  const policyOf = policiesOf(parsed.config);
  const own = policyOf(keyId);
  assert.deepEqual([own.allowsName('A.net'), own.allowsName('b.net'), own.minimumInterval], [true, false, 90]);
  const inside = { family: 4, text: '10.1.2.3', value: 0x0a010203 } as const;
  assert.deepEqual([own.allowsSource(inside), policyOf('other').allowsSource(inside)], [true, false]);
});

test('an address to listen on has a port, and IPv6 stands in brackets', () => {
  assert.deepEqual(readBind('[::]:5533'), { address: '::', port: 5533 });
  assert.deepEqual(readBind('192.0.2.1:53'), { address: '192.0.2.1', port: 53 });
  for (const text of ['[192.0.2.1]:53', '::', 'host:53', '']) assert.equal(readBind(text), undefined, text);
});
