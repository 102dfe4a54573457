/** Real resolvers against a name server that does everything wrong: one outcome each, in bounded time. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { openResolver } from '../../src/system/linux/resolver.ts';
import type { ResolveOutcome, Resolver } from '../../src/system/ports.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';
import { HostileNameServer } from './probe-name-server.ts';

const never = new AbortController().signal;

const told = (outcome: ResolveOutcome): string =>
  outcome.ok
    ? outcome.addresses.length > 4
      ? `${outcome.addresses.length} addresses`
      : outcome.addresses.join(' ')
    : outcome.kind;

async function inside(): Promise<void> {
  const server = new HostileNameServer();
  await server.listen(53);
  const slow = new HostileNameServer(50);
  const slowPort = await slow.listen();
  after(() => Promise.all([server.close(), slow.close()]));

  const ask = (resolver: Resolver, label: string, timeout = 2000): Promise<ResolveOutcome> =>
    resolver.resolve({ name: label.includes('.') ? label : `${label}.example.test`, timeout }, never);

  describe('through a named server', () => {
    const resolver = openResolver(systemClock, [{ address: '127.0.0.1', port: 53 }]);
    const expected: Readonly<Record<string, string>> = {
      both: '192.0.2.1 192.0.2.2 2001:db8::1',
      'both.example.test.': '192.0.2.1 192.0.2.2 2001:db8::1',
      empty: '',
      missing: 'nxdomain',
      servfail: 'servfail',
      refused: 'refused',
      'only-v4': '192.0.2.4',
      'v6-nxdomain': '192.0.2.4',
      'v4-empty-v6-fails': 'servfail',
      'same-twice': '192.0.2.9',
      thousand: '1000 addresses',
      'cname-loop': '',
    };
    for (const [label, outcome] of Object.entries(expected)) {
      it(`${label} is "${outcome}"`, async () => assert.equal(told(await ask(resolver, label)), outcome));
    }

    it('silence, forged ids and other names end with the time-out', async () => {
      const labels = ['silent', 'wrong-id'];
      const outcomes = await Promise.all(labels.map((label) => ask(resolver, label, 500)));
      assert.deepEqual(
        outcomes.map(told),
        labels.map(() => 'timeout'),
      );
    });

    it('garbage is never an address', async () => {
      const labels = ['garbage', 'garbage-with-id', 'cut', 'other-name', 'truncated'];
      const outcomes = await Promise.all(labels.map((label) => ask(resolver, label, 500)));
      for (const [index, outcome] of outcomes.entries()) {
        assert.ok(!outcome.ok, `${labels[index]}: ${told(outcome)}`);
        assert.ok(['timeout', 'malformed', 'unreachable'].includes(outcome.kind), `${labels[index]}: ${outcome.kind}`);
      }
    });

    it('what one family has is there when the other never answers', async () => {
      assert.equal(told(await ask(resolver, 'v6-silent', 1500)), '192.0.2.4');
    });

    it('a dead first server leaves the second one time to answer', async () => {
      const two = openResolver(systemClock, [
        { address: '192.0.2.53', port: 53 },
        { address: '127.0.0.1', port: 53 },
      ]);
      assert.equal(told(await ask(two, 'only-v4')), '192.0.2.4');
      const silentFirst = openResolver(systemClock, [
        { address: '127.0.0.1', port: 54 },
        { address: '127.0.0.1', port: 53 },
      ]);
      assert.equal(told(await ask(silentFirst, 'only-v4')), '192.0.2.4');
    });

    it('a server that nobody runs is unreachable', async () => {
      const none = openResolver(systemClock, [{ address: '127.0.0.1', port: 54 }]);
      assert.equal(told(await ask(none, 'both')), 'unreachable');
    });

    it('a name that cannot be one is not asked', async () => {
      const before = server.questions.length;
      assert.equal(told(await resolver.resolve({ name: 'a b.example.test', timeout: 500 }, never)), 'invalid-name');
      assert.equal(server.questions.length, before);
    });

    it('300 names are asked together: a server that takes 50 ms for each is not waited for 300 times', async () => {
      const patient = openResolver(systemClock, [{ address: '127.0.0.1', port: slowPort }]);
      let most = 0;
      let open = 0;
      const outcomes = await Promise.all(
        Array.from({ length: 300 }, async (_, i) => {
          const running = ask(patient, `h${i}`, 30_000);
          open++;
          most = Math.max(most, open);
          const outcome = await running;
          open--;
          return outcome;
        }),
      );
      assert.ok(outcomes.every((outcome) => outcome.ok && outcome.addresses.length === 3));
      assert.equal(slow.questions.length, 600);
    });

    it('a server that is no address is refused', () => {
      for (const server of [
        { address: 'dns.example', port: 53 },
        { address: '127.0.0.1', port: 70_000 },
      ]) {
        assert.throws(() => openResolver(systemClock, [server]), { code: 'resolver-server-invalid' });
      }
      assert.throws(() => openResolver(systemClock, []), { code: 'resolver-server-invalid' });
    });
  });

  describe('through getaddrinfo', () => {
    writeFileSync('/run/resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
    writeFileSync('/run/hosts', '192.0.2.99 in-hosts.example.test\n');
    for (const file of ['resolv.conf', 'hosts']) {
      assert.equal(spawnSync('mount', ['--bind', `/run/${file}`, `/etc/${file}`]).status, 0);
    }
    const resolver = openResolver(systemClock);
    const expected: Readonly<Record<string, string>> = {
      both: '192.0.2.1 192.0.2.2 2001:db8::1',
      'in-hosts': '192.0.2.99',
      missing: 'nxdomain',
      servfail: 'try-again',
      thousand: '1000 addresses',
    };
    for (const [label, outcome] of Object.entries(expected)) {
      it(`${label} is "${outcome}"`, async () => {
        const result = await ask(resolver, label, 5000);
        assert.equal(told(result).split(' ').sort().join(' '), outcome.split(' ').sort().join(' '));
      });
    }

    it('silence ends with the request’s own time-out, sooner than glibc’s', async () => {
      assert.equal(told(await ask(resolver, 'silent', 300)), 'timeout');
    });
  });
}

if (insideNamespace) await inside();
else it('names in a namespace', (t) => repeatInNamespace(t, import.meta.url));
