/** The test zone behind the real unbound, in each setting of the contract's matrix (contracts/dnstest.md, section 5). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  askResolver,
  forward,
  freshName,
  hash,
  lacks,
  local,
  nameWithFirstByte,
  noValidator,
  startUnbound,
  stub,
  TestZone,
} from './dnstest-zone.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const resolver = '127.0.0.1';
const served = [
  { name: 'test.example', servers: [{ name: 'ns.test.example', addresses: [Uint8Array.of(127, 0, 0, 2)] }] },
];

/** Each address of names that nobody has asked for yet. */
async function assertRight(below = 'test.example', count = 3): Promise<void> {
  for (let i = 0; i < count; i++) {
    const name = freshName(below);
    assert.deepEqual(await askResolver(resolver, name, 'A'), { code: 'NOERROR', addresses: [hash.address(name, 4)] });
    const six = await askResolver(resolver, name, 'AAAA');
    assert.deepEqual(six.code, 'NOERROR');
    assert.deepEqual(six.addresses.map(asText), [hash.address(name, 6)]);
  }
}

const asText = (address: string): string => new URL(`http://[${address}]/`).hostname.slice(1, -1);

if (!insideNamespace) {
  test('the test zone behind unbound, in a network namespace', async (t) => {
    if (!lacks(t, 'unbound')) await repeatInNamespace(t, import.meta.url);
  });
} else {
  const cases: readonly (readonly [string, string, string])[] = [
    ['a stub zone', local + noValidator, stub],
    ['a forward zone', local + noValidator, forward],
    ['a forward zone over TCP', `${local}${noValidator}  tcp-upstream: yes\n`, forward],
    ['strict QNAME minimisation', `${local}${noValidator}  qname-minimisation-strict: yes\n`, stub],
    ['harden-referral-path and all other hardening', `${local}${noValidator}${hardened()}`, stub],
  ];
  for (const zones of [[], served]) {
    const which = zones.length === 0 ? 'for any name' : 'for its zone';
    for (const [what, more, after] of cases) {
      test(`${what}: right answers from a server ${which}`, async (t) => {
        const zone = await TestZone.open(t, '127.0.0.2', { zones });
        startUnbound(t, more, after);
        await assertRight();
        // Three labels deep: QNAME minimisation asks on the way down.
        await assertRight('a.b.c.test.example', 2);
        const transport = more.includes('tcp-upstream') ? 'tcp' : 'udp';
        assert.ok(zone.seen.length > 0 && zone.seen.every((each) => each.transport === transport));
      });
    }
  }

  test('the server over IPv6', async (t) => {
    await TestZone.open(t, '::1', { port: 5300, zones: served });
    startUnbound(t, local + noValidator, forward.replace('127.0.0.2', '::1@5300'));
    await assertRight();
  });

  test('use-caps-for-id: each question once, in mixed case, without a fallback', async (t) => {
    const zone = await TestZone.open(t, '127.0.0.2', { zones: served });
    const unbound = startUnbound(
      t,
      `${local}${noValidator}  use-caps-for-id: yes\n  qname-minimisation: no\n  verbosity: 4\n`,
      stub,
    );
    const names = Array.from({ length: 12 }, () => freshName('test.example'));
    for (const name of names) {
      assert.deepEqual((await askResolver(resolver, name, 'A')).addresses, [hash.address(name, 4)]);
    }
    assert.deepEqual(
      zone.seen.map(({ name }) => name.toLowerCase()),
      names,
    );
    assert.ok(zone.seen.some(({ name }) => name !== name.toLowerCase()));
    assert.doesNotMatch(unbound.log(), /Capsforid/i);
  });

  test('control: without do-not-query-localhost: no, the server on loopback is never asked', async (t) => {
    const zone = await TestZone.open(t, '127.0.0.2', { zones: served });
    startUnbound(t, noValidator, stub);
    assert.equal((await askResolver(resolver, freshName('test.example'), 'A')).code, 'SERVFAIL');
    assert.deepEqual(zone.seen, []);
  });

  test('a delegated zone: its NS, SOA and the address of its name server are what the parent says', async (t) => {
    const zone = await TestZone.open(t, '127.0.0.2', { zones: served });
    startUnbound(t, `${local}${noValidator}${hardened()}`, parent());
    await assertRight();
    assert.deepEqual((await askResolver(resolver, 'ns.test.example', 'A')).addresses, ['127.0.0.2']);
    await assertRight();
    assert.ok(zone.seen.some(({ type, name }) => type === 'NS' && name.toLowerCase() === 'test.example'));
  });

  test('a delegated zone whose server knows no address of its own name server is reached by the parent’s glue', async (t) => {
    await TestZone.open(t, '127.0.0.2', {
      zones: [{ name: 'test.example', servers: [{ name: 'ns.test.example', addresses: [] }] }],
    });
    startUnbound(t, `${local}${noValidator}${hardened()}`, parent());
    await assertRight();
    await askResolver(resolver, 'ns.test.example', 'A');
    await assertRight();
  });

  test('no data for other types is kept by the resolver, and does not hide the address', async (t) => {
    const zone = await TestZone.open(t, '127.0.0.2', { zones: served });
    startUnbound(t, local + noValidator, stub);
    const name = freshName('test.example');
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await askResolver(resolver, name, 'MX'), { code: 'NOERROR', addresses: [] });
    }
    assert.equal(zone.seen.filter(({ type }) => type === 'MX').length, 1);
    assert.deepEqual((await askResolver(resolver, name, 'A')).addresses, [hash.address(name, 4)]);
  });

  test('a validator whose parent zone is signed needs domain-insecure', async (t) => {
    await TestZone.open(t, '127.0.0.2', { zones: served });
    await withValidator(t, '', 'SERVFAIL');
  });

  test('a validator with domain-insecure gives right answers', async (t) => {
    await TestZone.open(t, '127.0.0.2', { zones: served });
    await withValidator(t, '  domain-insecure: test.example\n', 'NOERROR');
    await assertRight();
  });

  test('a rebinding filter strips what falls into its ranges, and private-domain lets it through', async (t) => {
    await TestZone.open(t, '127.0.0.2', { zones: served });
    const filter = `${local}${noValidator}  private-address: 10.0.0.0/8\n`;
    const filtered = nameWithFirstByte(10, 'test.example');
    const other = nameWithFirstByte(11, 'test.example');
    await t.test('filtered', async (inner) => {
      startUnbound(inner, filter, stub);
      assert.deepEqual(await askResolver(resolver, filtered, 'A'), { code: 'NOERROR', addresses: [] });
      assert.deepEqual((await askResolver(resolver, other, 'A')).addresses, [hash.address(other, 4)]);
    });
    await t.test('let through', async (inner) => {
      startUnbound(inner, `${filter}  private-domain: test.example\n`, stub);
      assert.deepEqual((await askResolver(resolver, filtered, 'A')).addresses, [hash.address(filtered, 4)]);
    });
  });
}

function hardened(): string {
  const options = ['referral-path', 'glue', 'below-nxdomain', 'dnssec-stripped', 'algo-downgrade', 'large-queries'];
  return `${options.map((option) => `  harden-${option}: yes\n`).join('')}  qname-minimisation-strict: yes\n  use-caps-for-id: yes\n`;
}

/** Unbound's own copy of the parent zone, which delegates the test zone. */
function parent(): string {
  return `auth-zone:
  name: example
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
  zonefile: "FOLDER/example.zone"
`;
}

/** A trust anchor above the zone, whose key the parent zone cannot show. */
async function withValidator(t: TestContext, more: string, code: string): Promise<void> {
  const digest = '20'.repeat(32);
  startUnbound(
    t,
    `${local}  module-config: "validator iterator"\n  trust-anchor: "example. DS 12345 8 2 ${digest}"\n${more}`,
    `${stub}${parent()}`,
  );
  assert.equal((await askResolver(resolver, freshName('test.example'), 'A')).code, code);
}
