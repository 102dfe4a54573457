/** How a service is blocked, as netsteward says it: each kind that the lab's censor knows, by the real probe and resolvers. */
import assert from 'node:assert/strict';
import { extname } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CensorOptions } from '../../src/lab/censor.ts';
import type { CensorKind } from '../../src/lab/vocabulary.ts';
import { labForTests } from './lab-fixture.ts';
import type { Finding, Order } from './reasons-child.ts';

const child = fileURLToPath(new URL(`./reasons-child${extname(import.meta.url)}`, import.meta.url));

interface Case {
  readonly kind: CensorKind;
  readonly options?: CensorOptions;
  readonly scheme: 'http' | 'https';
  readonly family?: 4 | 6;
  /** What the first check says, and where it is another one, what the second look makes of it. */
  readonly expect: readonly [string, string?];
  readonly sentence: RegExp;
}

// An address where another server answers than that of the name: the forger's own.
const forger = { ipv4: '62.66.0.1', ipv6: '2a10:66::1' };

const cases: Readonly<Record<string, Case>> = {
  'fine.example': { kind: 'none', scheme: 'https', expect: ['none none'], sentence: /^$/ },
  'drop.example': {
    kind: 'drop',
    scheme: 'https',
    expect: ['connect timeout'],
    sentence: /^connect: no answer$/,
  },
  'rst.example': { kind: 'rst', scheme: 'https', expect: ['connect refused'], sentence: /^connect: refused \(RST\)$/ },
  'icmp4.example': {
    kind: 'icmp',
    scheme: 'https',
    expect: ['connect icmp-unreachable'],
    sentence: /unreachable or prohibited \(ICMP\) \(EHOSTUNREACH\)$/,
  },
  'icmp6.example': {
    kind: 'icmp',
    scheme: 'https',
    family: 6,
    expect: ['connect icmp-prohibited'],
    sentence: /prohibited by a router on the way \(ICMP\)/,
  },
  'sni.example': {
    kind: 'sni',
    scheme: 'https',
    expect: ['tls reset', 'tls sni'],
    sentence: /^TLS: reset on the ClientHello; the same address answers to another name, so it is the name \(SNI\)$/,
  },
  'sni-drop.example': {
    kind: 'sni-drop',
    scheme: 'https',
    expect: ['tls tls-silent', 'tls sni'],
    sentence:
      /^TLS: no answer to the ClientHello; the same address answers to another name, so it is the name \(SNI\)$/,
  },
  'hijack.example': {
    kind: 'hijack',
    scheme: 'https',
    expect: ['tls bogus-certificate'],
    sentence: /^TLS: a certificate that is not the service's \(self-signed: blocked\.example\)$/,
  },
  'junk-http.example': { kind: 'hijack', scheme: 'http', expect: ['http not-http'], sentence: /^HTTP: what answers/ },
  'page.example': { kind: 'blockpage', scheme: 'http', expect: ['http status'], sentence: /^HTTP: status 403$/ },
  'legal.example': { kind: 'legal', scheme: 'http', expect: ['http legal'], sentence: /legal reasons \(451\)$/ },
  'redirect.example': {
    kind: 'redirect',
    options: { location: 'http://law.test/why' },
    scheme: 'http',
    expect: ['http redirect'],
    sentence: /^HTTP: sent to another site: 302 to http:\/\/law\.test\/why$/,
  },
  'freeze.example': {
    kind: 'stall',
    scheme: 'https',
    expect: ['transfer frozen'],
    sentence: /^transfer: frozen after \d+ (?:bytes|kB) of the page, 16 kB in all$/,
  },
  'cut.example': {
    kind: 'cut',
    options: { after: 20 * 1024 },
    scheme: 'https',
    expect: ['transfer reset-after'],
    sentence: /^transfer: reset after 1\d kB of the page, 20 kB in all$/,
  },
  'slow.example': {
    kind: 'throttle',
    scheme: 'https',
    expect: ['transfer throttled'],
    sentence: /^transfer: throttled \(\d+ bytes a second, \d+ (?:bytes|kB) in all\)$/,
  },
  'junk.example': {
    kind: 'dns',
    scheme: 'https',
    expect: ['name junk'],
    sentence: /^name: .* \(10\.66\.66\.66, fd66::66; 62\.77\.0\.53 answers 62\.[\d.]+, .*\)$/,
  },
  'denied.example': {
    kind: 'nxdomain',
    scheme: 'https',
    expect: ['name nxdomain'],
    sentence: /^name: the resolver says that there is no such name \(62\.77\.0\.53 answers 62\./,
  },
  'foreign.example': {
    kind: 'dns',
    options: { addresses: Object.values(forger) },
    scheme: 'https',
    expect: ['tls bogus-certificate', 'name foreign-answer'],
    sentence:
      /^name: .* \(62\.66\.0\.1, TLS: .*self-signed: blocked\.example.*; 62\.77\.0\.53 answers 62\.[\d.]+, which works\)$/,
  },
};

const lab = await labForTests([
  ...Object.keys(cases).map((name) => ({ name })),
  { name: 'forger.example', ipv4: [forger.ipv4], ipv6: [forger.ipv6] },
]);

const find = async (hosts: Order['hosts'], second = [lab.farResolvers[0] ?? '']): Promise<readonly Finding[]> => {
  const order: Order = { caFile: lab.caFile, resolvers: lab.resolvers, second, timeout: 4000, hosts };
  const { stdout, stderr, code } = await lab.exec('router', [process.execPath, child], {
    stdin: JSON.stringify(order),
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Finding[];
};

for (const [name, { kind, options }] of Object.entries(cases)) await lab.censor(name, kind, options);
await lab.censor(Object.values(forger), 'hijack');
const findings = await find(Object.entries(cases).map(([host, { scheme, family = 4 }]) => ({ host, scheme, family })));

for (const [name, { kind, expect, sentence }] of Object.entries(cases)) {
  const [first, second = first] = expect;
  test(`${kind} is ${second}${second === first ? '' : `, not only ${first}`} (${name})`, () => {
    const found = findings.find(({ host }) => host === name);
    assert.deepEqual([found?.first, found?.second], [first, second], found?.sentence);
    assert.match(found?.sentence ?? '', sentence);
  });
}

test('a block of an address whatever the name is not said to be the name', async () => {
  const [address = ''] = (await lab.status()).services.find(({ name }) => name === 'fine.example')?.addresses ?? [];
  await lab.censor(address, 'sni');
  const [found] = await find([{ host: 'fine.example', scheme: 'https', family: 4 }]);
  assert.deepEqual([found?.first, found?.second], ['tls reset', 'tls reset']);
  assert.match(found?.sentence ?? '', /^TLS: reset on the ClientHello \(whatever the name, neutral\.example too\)$/);
  await lab.censor(address, 'none');
});

test('an address that works through an exit is not said to be a foreign answer; nor is one without a second resolver', async () => {
  const host = { host: 'foreign.example', scheme: 'https', family: 4 } as const;
  const [through] = await find([{ ...host, elsewhere: true }]);
  assert.equal(through?.second, 'tls bogus-certificate');
  const [alone] = await find([host], []);
  assert.equal(alone?.second, 'tls bogus-certificate');
});

test('a name that no resolver knows does not exist', async () => {
  const [found] = await find([{ host: 'nobody.example', scheme: 'https', family: 4 }]);
  assert.deepEqual([found?.first, found?.second], ['name nxdomain', 'name no-such-name']);
  assert.equal(found?.sentence, 'name: there is no such name; the second resolver says so too (62.77.0.53)');
});
