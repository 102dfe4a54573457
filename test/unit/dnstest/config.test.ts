/** The [dnstest] table: what is refused, with its place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDnstest } from '../../../src/dnstest/config.ts';
import { curesOf } from '../../../src/dnstest/configured-cures.ts';

const resolver = { address: '127.0.0.1' };

function problems(table: Record<string, unknown>): string[] {
  const parsed = parseDnstest({ name: '@.test.example.org', resolver: [resolver], ...table });
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const cured = (cures: Record<string, unknown>, address = '127.0.0.1') => ({ resolver: [{ address, ...cures }] });

test('a name and a resolver are enough', () => {
  assert.deepEqual(problems({}), []);
});

test('a server of the test zone needs neither a name nor a resolver', () => {
  assert.deepEqual(problems({ name: undefined, resolver: undefined, serve: { zones: ['test.example.org'] } }), []);
});

test('every problem is told with its place', () => {
  const fallback = { fallback_file: '/etc/resolv.conf', fallback_content: 'nameserver 192.0.2.53\n' };
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ resolver: [] }, /^resolver: must have at least one/],
    [{ name: undefined }, /^name: is missing$/],
    [{ serve: { zones: ['x'], bind: [] } }, /^serve\.bind: must have at least one/],
    [{ serve: { zones: ['x'], bind: ['localhost'] } }, /^serve\.bind\.0: must be a numeric address/],
    [{ serve: { zones: ['x'], bind: ['::1', '[::1]:53'] } }, /^serve\.bind: has an address twice/],
    [{ serve: { zones: ['x'], hash_key: 'k'.repeat(33) } }, /^serve\.hash_key: .*32/],
    [{ serve: { zones: ['a..b'] } }, /^serve\.zones: .*empty label/],
    [{ serve: {} }, /^serve\.zones: is missing$/],
    [{ serve: { zones: ['x'], ns: ['ns.x=y'] } }, /^serve\.ns: ns\.x=y: must be NAME or NAME=ADDRESS/],
    [{ serve: { zones: ['x'], cache_ttl: 300 } }, /^serve\.cache_ttl: must be a duration/],
    [{ resolver: [resolver, { address: 'udp://127.0.0.1:53' }] }, /^resolver\.1\.address: .* is there twice/],
    [
      { resolver: [{ address: 'dns.example' }] },
      /^resolver\.0\.address: must be the address of a resolver: .*looked up/,
    ],
    [{ name: 'fixed.example.org' }, /^name: must have an "@"/],
    [{ hash_key: 'k'.repeat(33) }, /^hash_key: .*32/],
    [{ control: 'system' }, /^control: must be an address/],
    [{ retries: -1 }, /^retries: must be a whole number/],
    [{ rest: '2d' }, /^longest_rest: must not be shorter/],
    [{ guard: { tcp: ['example.org:443'] } }, /^guard\.tcp\.0: must be a numeric address with a port/],
    [{ guard: { tcp: ['2001:db8::1:443'] } }, /^guard\.tcp\.0: /],
    [{ state: 'dnstest.db' }, /^state: must be an absolute path/],
    [cured({ restart: 'unbound' }), /^resolver\.0\.restart: must be a unit with its suffix/],
    [cured({ reload: '--all.service' }), /^resolver\.0\.reload: must be a unit/],
    [cured({ flush: 'unbound-control flush' }), /^resolver\.0\.flush: must be a list of words/],
    [cured({ hook: [''] }), /^resolver\.0\.hook\.0: must not be empty/],
    [cured({ fallback_file: '/x' }), /^resolver\.0\.fallback_content: is missing/],
    [cured({ ...fallback, fallback_resolver: 'system' }), /^resolver\.0\.fallback_resolver: must be an address/],
    [cured(fallback, 'system'), /^resolver\.0\.fallback_file: is not for "system"/],
    [
      {
        resolver: [
          { ...resolver, ...fallback },
          { address: '::1', ...fallback },
        ],
      },
      /^resolver\.1\.fallback_file: .* is another resolver's already/,
    ],
    [{ unknown: 1 }, /^unknown: unknown key/],
  ];
  for (const [table, expected] of cases) assert.match(problems(table).join('\n'), expected, JSON.stringify(table));
});

test('cures come out from the mildest on, however they are written', () => {
  const resolvers = [
    {
      address: '127.0.0.1',
      settle: '0s',
      cure_timeout: '30s',
      fallback_file: '/etc/resolv.conf',
      fallback_content: 'nameserver 192.0.2.53\n',
      fallback_resolver: '192.0.2.53',
      hook: ['mend'],
      restart: 'unbound@two.service',
      reload: 'unbound@two.service',
      flush: ['unbound-control', 'flush_zone', 'test.example.org'],
    },
  ];
  const parsed = parseDnstest({ name: '@.test', resolver: resolvers });
  assert.ok(parsed.ok);
  const [first] = parsed.config.resolver;
  assert.ok(first);
  const common = { timeout: 30_000, settle: 0 };
  assert.deepEqual(curesOf(first), [
    { kind: 'flush', command: ['unbound-control', 'flush_zone', 'test.example.org'], ...common },
    { kind: 'reload', unit: 'unbound@two.service', ...common },
    { kind: 'restart', unit: 'unbound@two.service', ...common },
    { kind: 'hook', command: ['mend'], ...common },
    {
      kind: 'fallback',
      file: '/etc/resolv.conf',
      content: 'nameserver 192.0.2.53\n',
      command: [],
      resolver: '192.0.2.53',
      ...common,
    },
  ]);
});
