/** Destinations and binds as they are written, and the pairs that they make. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Endpoint,
  type FamilyChoice,
  planTargets,
  readBinds,
  readDestinations,
} from '../../../src/dyndns/client-endpoints.ts';
import type { Read } from '../../../src/dyndns/keys.ts';

function value<T>(read: Read<T>): T {
  if (read.problem !== undefined) assert.fail(read.problem);
  return read.value;
}

const places = (text: string) => value(readDestinations(text)).map(({ host, port, family }) => [host, port, family]);

test('destinations are names and addresses, with and without ports and brackets', () => {
  assert.deepEqual(places('ns.example.org'), [['ns.example.org', 5533, undefined]]);
  assert.deepEqual(places('ns.example.org:53'), [['ns.example.org', 53, undefined]]);
  assert.deepEqual(places('192.0.2.1'), [['192.0.2.1', 5533, 4]]);
  assert.deepEqual(places('192.0.2.1:1'), [['192.0.2.1', 1, 4]]);
  assert.deepEqual(places('::1'), [['::1', 5533, 6]]);
  assert.deepEqual(places('[::1]'), [['::1', 5533, 6]]);
  assert.deepEqual(places('[2001:db8::1]:65535'), [['2001:db8::1', 65535, 6]]);
  assert.deepEqual(places('fe80::1%eth0'), [['fe80::1%eth0', 5533, 6]]);
  assert.deepEqual(places('[fe80::1%eth0]:7'), [['fe80::1%eth0', 7, 6]]);
});

test('a slash stands between several, in their order', () => {
  assert.deepEqual(places('ns1:1/::1/[::2]:3/192.0.2.1'), [
    ['ns1', 1, undefined],
    ['::1', 5533, 6],
    ['::2', 3, 6],
    ['192.0.2.1', 5533, 4],
  ]);
});

test('what is no destination is said, with the part that is wrong', () => {
  for (const [text, problem] of [
    ['', /^an empty destination$/],
    ['a//b', /^an empty destination$/],
    ['a/b:', /^the destination b:: write it as/],
    ['a:b', /^the destination a:b: write it as/],
    [':5533', /write it as/],
    ['ns:0', /a port is between 1 and 65535/],
    ['ns:65536', /a port is between/],
    ['2001:db8::1::2', /write it as/],
    ['[ns]:1', /in brackets is no IPv6/],
    ['[192.0.2.1]', /in brackets is no IPv6/],
    ['[::1]5', /write it as/],
    ['300.1.1.1', /no IPv4 address/],
    ['1.2.3:5', /no IPv4 address/],
  ] as const) {
    assert.match(readDestinations(text).problem ?? 'none', problem, text);
  }
});

test('a bind has any port where it names none', () => {
  assert.deepEqual(
    value(readBinds('192.0.2.1/[::1]:0/::2/host:5')).map(({ host, port }) => [host, port]),
    [
      ['192.0.2.1', 0],
      ['::1', 0],
      ['::2', 0],
      ['host', 5],
    ],
  );
  assert.match(readBinds('5533').problem ?? 'none', /no IPv4 address/);
});

test('any text is either destinations or a problem, and what is written in brackets is read back', () => {
  fc.assert(fc.property(fc.string(), (text) => void readDestinations(text)));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 65535 })), { minLength: 1 }), (pairs) => {
      const text = pairs.map(([host, port]) => `[${host}]:${port}`).join('/');
      assert.deepEqual(
        places(text),
        pairs.map(([host, port]) => [host, port, 6]),
      );
    }),
  );
});

const plan = (destinations: string, binds: string, choice: FamilyChoice) =>
  planTargets(value(readDestinations(destinations)), binds === '' ? [] : value(readBinds(binds)), choice);
const pairs = (destinations: string, binds: string, choice: FamilyChoice = 'first') =>
  value(plan(destinations, binds, choice)).map(({ destination, bind, families }) => [
    destination.text,
    bind?.text,
    families.join(),
  ]);

test('every destination goes with every bind, but not IPv4 with IPv6', () => {
  assert.deepEqual(pairs('a/192.0.2.1/::1', ''), [
    ['a', undefined, '4,6'],
    ['192.0.2.1', undefined, '4'],
    ['::1', undefined, '6'],
  ]);
  assert.deepEqual(pairs('a/192.0.2.1/::1', '10.0.0.1/::2/b'), [
    ['a', '10.0.0.1', '4'],
    ['a', '::2', '6'],
    ['a', 'b', '4,6'],
    ['192.0.2.1', '10.0.0.1', '4'],
    ['192.0.2.1', 'b', '4'],
    ['::1', '::2', '6'],
    ['::1', 'b', '6'],
  ]);
});

test('a family that is asked for leaves the other out, and both means each', () => {
  assert.deepEqual(pairs('a', '', 6), [['a', undefined, '6']]);
  assert.deepEqual(
    value(plan('a', '', 'both')).map(({ families, each }) => [families, each]),
    [[[4, 6], true]],
  );
  assert.equal(plan('::1', '', 4).problem, 'the destination ::1: it is not an IPv4 address');
  assert.equal(
    plan('a/::1', '10.0.0.1', 'first').problem,
    'the destination ::1: no address to send from is of its family',
  );
});

test('no pair mixes families, and no destination is left out', () => {
  const endpoint = (host: string, family: Endpoint['family']): Endpoint => ({ text: host, host, port: 1, family });
  const anyEndpoint = fc.constantFrom(endpoint('a', undefined), endpoint('192.0.2.1', 4), endpoint('::1', 6));
  fc.assert(
    fc.property(
      fc.array(anyEndpoint, { minLength: 1 }),
      fc.array(anyEndpoint),
      fc.constantFrom<FamilyChoice>(4, 6, 'first', 'both'),
      (destinations, binds, choice) => {
        const planned = planTargets(destinations, binds, choice);
        if (planned.problem !== undefined) return;
        for (const { destination, bind, families } of planned.value) {
          for (const family of families) {
            assert.ok([undefined, family].includes(destination.family) && [undefined, family].includes(bind?.family));
          }
        }
        assert.deepEqual(new Set(planned.value.map(({ destination }) => destination)), new Set(destinations));
      },
    ),
  );
});
