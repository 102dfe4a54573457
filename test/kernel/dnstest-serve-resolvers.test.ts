/** The test zone behind other resolvers than unbound: BIND, Knot Resolver, PowerDNS Recursor, dnscache, dnsmasq. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  askResolver,
  freshName,
  hash,
  knowsZone,
  lacks,
  nameWithFirstByte,
  startResolver,
  TestZone,
} from './dnstest-zone.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const resolver = '127.0.0.1';
const server = '127.0.0.2';
const served = [
  { name: 'test.example', servers: [{ name: 'ns.test.example', addresses: [Uint8Array.of(127, 0, 0, 2)] }] },
];

interface Setting {
  readonly what: string;
  readonly program: string;
  readonly files: Readonly<Record<string, string>>;
  readonly command: (folder: string) => readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** It asks for the zone's name servers first, and only a server that knows its zone has some. */
  readonly wantsZone?: true;
}

const named = (what: string, zone: string, more = ''): Setting => ({
  what,
  program: 'named',
  files: {
    'named.conf': `options {
  directory "FOLDER";
  pid-file none;
  session-keyfile none;
  listen-on { ${resolver}; };
  listen-on-v6 { none; };
  recursion yes;
  dnssec-validation no;
  empty-zones-enable no;
  ${more}
};
controls { };
${zone}
`,
  },
  command: (folder) => ['named', '-g', '-n', '1', '-c', `${folder}/named.conf`],
});

const kresd = (what: string, policy: string, more = ''): Setting => ({
  what,
  program: 'kresd',
  files: {
    'kresd.conf': `net.listen('${resolver}', 53, { kind = 'dns' })
trust_anchors.remove('.')
cache.size = 10 * MB
${more}
policy.add(policy.suffix(${policy}({ '${server}' }), { todname('test.example.') }))
`,
  },
  command: (folder) => ['kresd', '-n', '-q', '-c', `${folder}/kresd.conf`, folder],
});

const settings: readonly Setting[] = [
  named('BIND with a forward zone', `zone "test.example" { type forward; forward only; forwarders { ${server}; }; };`),
  named('BIND with a static-stub zone', `zone "test.example" { type static-stub; server-addresses { ${server}; }; };`),
  {
    ...named(
      'BIND with a stub zone',
      `zone "test.example" { type stub; masters { ${server}; }; };`,
      'qname-minimization strict;',
    ),
    wantsZone: true,
  },
  kresd('Knot Resolver with STUB', 'policy.STUB'),
  kresd('Knot Resolver with FORWARD', 'policy.FORWARD'),
  {
    what: 'PowerDNS Recursor with forward-zones',
    program: 'pdns_recursor',
    files: { 'recursor.conf': '' },
    command: (folder) => [
      'pdns_recursor',
      `--config-dir=${folder}`,
      `--socket-dir=${folder}`,
      `--local-address=${resolver}`,
      `--forward-zones=test.example=${server}`,
      '--dont-query=',
      '--dnssec=off',
      '--daemon=no',
      '--write-pid=no',
      '--threads=1',
      '--hint-file=no',
      '--security-poll-suffix=',
    ],
  },
  {
    what: 'dnscache',
    program: 'dnscache',
    files: {
      'root/ip/127.0.0.1': '',
      'root/servers/@': '127.9.9.9\n',
      'root/servers/test.example': `${server}\n`,
      // It gives up its groups, and a user namespace forbids that (user_namespaces(7)).
      'groups.c': 'int setgroups(void) { return 0; }\n',
    },
    command: () => ['sh', '-c', 'gcc -shared -fPIC -o groups.so groups.c && LD_PRELOAD=./groups.so exec dnscache'],
    environment: {
      ROOT: 'root',
      IP: resolver,
      IPSEND: '0.0.0.0',
      CACHESIZE: '1000000',
      DATALIMIT: '3000000',
      UID: '0',
      GID: '0',
    },
  },
  {
    what: 'dnsmasq',
    program: 'dnsmasq',
    files: {},
    command: () => dnsmasq(),
  },
  {
    what: 'dnsmasq with stop-dns-rebind, and the zone excepted',
    program: 'dnsmasq',
    files: {},
    command: () => dnsmasq('--stop-dns-rebind', '--rebind-domain-ok=test.example'),
  },
];

function dnsmasq(...more: readonly string[]): readonly string[] {
  // Its mode for debugging: the user namespace has no group to change to.
  const alone = ['--no-resolv', '--no-hosts', '--pid-file=', '--conf-file=/dev/null'];
  const where = [`--listen-address=${resolver}`, '--bind-interfaces', `--server=/test.example/${server}`];
  return ['dnsmasq', '--no-daemon', ...alone, ...where, ...more];
}

const asText = (address: string): string =>
  address.includes(':') ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;

if (!insideNamespace) {
  test('the test zone behind other resolvers, in a network namespace', async (t) => {
    const programs = new Set(settings.map(({ program }) => program));
    if (![...programs].some((program) => lacks(t, program))) await repeatInNamespace(t, import.meta.url);
  });
} else {
  for (const zones of [[], served]) {
    for (const { what, files, wantsZone, command, environment } of settings) {
      if (wantsZone === true && zones.length === 0) continue;
      test(`${what}: right answers from a server ${zones.length === 0 ? 'for any name' : 'for its zone'}`, async (t) => {
        const zone = await TestZone.open(t, server, { zones });
        const running = startResolver(t, files, command, environment);
        try {
          if (wantsZone === true) await knowsZone(resolver, 'test.example');
          for (const below of ['test.example', 'a.b.test.example']) {
            for (let i = 0; i < 3; i++) {
              const name = freshName(below);
              for (const [type, family] of [
                ['A', 4],
                ['AAAA', 6],
              ] as const) {
                const { code, addresses } = await askResolver(resolver, name, type);
                assert.deepEqual(
                  [code, addresses.map(asText)],
                  ['NOERROR', [hash.address(name, family)]],
                  `${name} ${type}`,
                );
              }
              // No data for one type must not take the others away.
              assert.deepEqual(await askResolver(resolver, name, 'MX'), { code: 'NOERROR', addresses: [] });
              assert.deepEqual((await askResolver(resolver, name, 'A')).addresses, [hash.address(name, 4)]);
            }
          }
        } catch (error) {
          t.diagnostic(`${running.log().slice(-3000)}\n${JSON.stringify(zone.seen.slice(-20))}`);
          throw error;
        }
      });
    }
  }

  test('control: dnsmasq with stop-dns-rebind alone drops addresses of private ranges', async (t) => {
    await TestZone.open(t, server, { zones: served });
    startResolver(t, {}, () => dnsmasq('--stop-dns-rebind'));
    const filtered = nameWithFirstByte(10, 'test.example');
    assert.deepEqual((await askResolver(resolver, filtered, 'A')).addresses, []);
    const other = nameWithFirstByte(11, 'test.example');
    assert.deepEqual((await askResolver(resolver, other, 'A')).addresses, [hash.address(other, 4)]);
  });
}
