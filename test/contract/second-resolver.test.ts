/** The second resolver as a Resolver: one suite over UDP and HTTPS to real sockets, and on the fake transport. */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { decode } from 'dns-packet';
import { systemClock } from '../../src/core/clock.ts';
import type { SecondResolver } from '../../src/nbrpc/reason-config.ts';
import { SecondOpinion } from '../../src/nbrpc/second-resolver.ts';
import { LinuxDnsTransport } from '../../src/system/linux/dns-client.ts';
import { TrustStore } from '../../src/system/linux/trust-store.ts';
import { type AnswerShape, answerTo, FakeDnsTransport } from '../fakes/fake-dns-transport.ts';
import { ScriptedServer, serverName } from '../kernel/dnstest-check-server.ts';

const scripted = new ScriptedServer();
const udpPort = await scripted.listen();
const httpsPort = await scripted.listenHttps();
after(() => scripted.close());

const trust = new TrustStore({ ca: scripted.authority.certificate, bundles: [] }, systemClock);
const real = new LinuxDnsTransport(systemClock, () => trust);
const fake = new FakeDnsTransport();
const never = new AbortController().signal;

const server = { label: 'second', address: '127.0.0.1' } as const;
const overUdp: SecondResolver = { ...server, protocol: 'udp', name: undefined, port: udpPort, path: '' };
const overHttps: SecondResolver = {
  ...server,
  protocol: 'https',
  name: serverName,
  port: httpsPort,
  path: '/dns-query',
};

/** What the server says of each family. */
let says: Readonly<Record<string, AnswerShape>> = {};
const answer = (query: Uint8Array): Buffer =>
  answerTo(query, says[decode(Buffer.from(query)).questions?.[0]?.type ?? ''] ?? {});
beforeEach(() => {
  says = { A: { addresses: ['62.1.1.1', '62.1.1.2'] }, AAAA: { addresses: ['2a10::1'] } };
});
scripted.behaviour = (query) => [answer(query)];
fake.script = ({ bytes }) => answer(bytes);

const ways = {
  'over UDP': new SecondOpinion(overUdp, { transport: real, id: () => 4711 }),
  'over HTTPS': new SecondOpinion(overHttps, { transport: real, id: () => 4711 }),
  'on the fake': new SecondOpinion(overUdp, { transport: fake, id: () => 4711 }),
};

for (const [way, opinion] of Object.entries(ways)) {
  describe(`the second resolver ${way}`, () => {
    const ask = (timeout = 5000) => opinion.resolve({ name: 'video.example.', timeout }, never);

    it('gives the addresses of both families', async () => {
      assert.deepEqual(await ask(), { ok: true, addresses: ['62.1.1.1', '62.1.1.2', '2a10::1'] });
    });

    it('gives those of an alias, and those of one family when the other fails', async () => {
      says = { A: { addresses: ['62.1.1.1'], alias: 'cdn.example' }, AAAA: { rcode: 'SERVFAIL' } };
      assert.deepEqual(await ask(), { ok: true, addresses: ['62.1.1.1'] });
    });

    it('tells a name that does not exist from one without an address, and from a refusal', async () => {
      says = { A: { rcode: 'NXDOMAIN' }, AAAA: { rcode: 'NXDOMAIN' } };
      assert.deepEqual(await ask(), { ok: false, kind: 'nxdomain', detail: '' });
      says = {};
      assert.deepEqual(await ask(), { ok: true, addresses: [] });
      says = { A: { rcode: 'REFUSED' }, AAAA: { rcode: 'REFUSED' } };
      const outcome = await ask();
      assert.equal(outcome.ok ? 'ok' : outcome.kind, 'refused');
    });
  });
}
