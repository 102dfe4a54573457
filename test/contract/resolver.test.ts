/** The Resolver port: one suite on the scripted fake, on c-ares with a named server, and on the system's way. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { ServersResolver } from '../../src/system/linux/resolver-servers.ts';
import { SystemResolver } from '../../src/system/linux/resolver-system.ts';
import type { Resolver } from '../../src/system/ports.ts';
import { FakeResolver } from '../fakes/fake-resolver.ts';
import { HostileNameServer } from '../kernel/probe-name-server.ts';

const server = new HostileNameServer();
const port = await server.listen();
after(() => server.close());

const fake = new FakeResolver();
fake.answer('both.example.test', '192.0.2.1', '192.0.2.2', '2001:db8::1');
fake.answer('empty.example.test');
fake.fail('servfail.example.test', 'servfail');
fake.delay = (name) =>
  new Promise((resolve) => (name === 'silent.example.test' ? setTimeout(resolve, 100) : resolve()));

const codes: Readonly<Record<string, string>> = { 'servfail.example.test': 'EAI_FAIL' };

/** What glibc would say; the real one is tried in test/kernel/probe-names.test.ts, with an /etc/resolv.conf of its own. */
const system = new SystemResolver({
  clock: systemClock,
  concurrency: 4,
  lookup(name, done) {
    if (name === 'silent.example.test') return;
    const addresses = name === 'both.example.test' ? ['192.0.2.1', '192.0.2.2', '2001:db8::1'] : [];
    const code = codes[name] ?? 'ENOTFOUND';
    const error =
      addresses.length > 0 || name === 'empty.example.test' ? null : Object.assign(new Error(code), { code });
    setImmediate(
      done,
      error,
      addresses.map((address) => ({ address })),
    );
  },
});

const resolvers: Record<string, Resolver> = {
  'from a script': fake,
  'over c-ares': new ServersResolver({ clock: systemClock, servers: [{ address: '127.0.0.1', port }] }),
  'over getaddrinfo': system,
};

for (const [name, resolver] of Object.entries(resolvers)) {
  describe(`names ${name}`, () => {
    const never = new AbortController().signal;
    const ask = (host: string) => resolver.resolve({ name: host, timeout: 3000 }, never);

    it('have the addresses of both families, in canonical text', async () => {
      const outcome = await ask('both.example.test');
      assert.ok(outcome.ok);
      assert.deepEqual([...outcome.addresses].sort(), ['192.0.2.1', '192.0.2.2', '2001:db8::1']);
    });

    it('may have no address at all', async () => {
      assert.deepEqual(await ask('empty.example.test'), { ok: true, addresses: [] });
    });

    it('that do not exist, and failing resolvers, are told apart', async () => {
      const [missing, broken] = await Promise.all([ask('missing.example.test'), ask('servfail.example.test')]);
      assert.ok(!missing.ok && !broken.ok);
      assert.deepEqual([missing.kind, broken.kind], ['nxdomain', 'servfail']);
    });

    it('reject with the reason of an aborted signal, before and while they are asked', async () => {
      const reason = new Error('enough');
      const request = { name: 'silent.example.test', timeout: 3000 };
      await assert.rejects(resolver.resolve(request, AbortSignal.abort(reason)), reason);
      const stop = new AbortController();
      const running = resolver.resolve(request, stop.signal);
      setTimeout(() => stop.abort(reason), 30);
      await assert.rejects(running, reason);
    });
  });
}
