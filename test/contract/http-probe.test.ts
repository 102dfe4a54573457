/** The HttpProbe port: one suite on the scripted fake and on real sockets. */
import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { LinuxHttpProbe } from '../../src/system/linux/http-probe.ts';
import { TrustStore } from '../../src/system/linux/trust-store.ts';
import type { HttpProbe, ProbeOutcome, ProbeRequest } from '../../src/system/ports.ts';
import { FakeHttpProbe } from '../fakes/fake-http-probe.ts';
import { HostileServer } from '../kernel/probe-hostile-server.ts';

const server = new HostileServer();
const ports = await server.listen();
after(() => server.close());

const fake = new FakeHttpProbe();
fake.set('a.example.test', '127.0.0.1', { kind: 'answer', status: 200, bytes: 5, location: undefined });
fake.set('r.example.test', '*', { kind: 'answer', status: 302, bytes: 0, location: '/redirect' });
fake.blocked('a.example.test', '127.0.0.11');
fake.through('127.0.0.9', 'a.example.test', '*', { kind: 'answer', status: 200, bytes: 5, location: undefined });
fake.through('192.0.2.77', 'a.example.test', '*', { kind: 'local-failure', detail: 'EADDRNOTAVAIL' });
fake.set('expired.example.test', '*', {
  kind: 'failure',
  stage: 'tls',
  reason: 'certificate',
  detail: 'CERT_HAS_EXPIRED',
  facts: {
    wire: 900,
    certificate: { problem: 'expired', subject: 'CN=expired.example.test', issuer: 'CN=netsteward lab CA' },
  },
});
fake.set('a.example.test', '127.0.0.12', {
  kind: 'failure',
  stage: 'tls',
  reason: 'timeout',
  detail: 'not done within 300 ms',
  facts: { wire: 0, took: 300, late: 0 },
});
fake.delay = ({ path }) => new Promise((resolve) => (path === '/silence' ? setTimeout(resolve, 100) : resolve()));

const probes: Record<string, HttpProbe> = {
  'from a script': fake,
  'over real sockets': new LinuxHttpProbe({
    clock: systemClock,
    trust: new TrustStore({ bundles: [], ca: server.authority.certificate }, systemClock),
    ports,
  }),
};

const request: ProbeRequest = {
  scheme: 'https',
  host: 'a.example.test',
  address: '127.0.0.1',
  path: '/ok',
  timeout: 5000,
  bodyLimit: 65_536,
};

for (const [name, probe] of Object.entries(probes)) {
  describe(`checks ${name}`, () => {
    const never = new AbortController().signal;

    it('tell status and body length of a server that answers', async () => {
      const expected: ProbeOutcome = { kind: 'answer', status: 200, bytes: 5, location: undefined };
      assert.deepEqual(await probe.probe(request, never), expected);
    });

    it('tell where a redirect leads, and do not follow it', async () => {
      const outcome = await probe.probe({ ...request, host: 'r.example.test', path: '/redirect' }, never);
      assert.deepEqual(outcome, { kind: 'answer', status: 302, bytes: 0, location: '/redirect' });
    });

    it('belong to the address that was asked for, whatever the name does elsewhere', async () => {
      const outcomes = await Promise.all(
        ['127.0.0.11', '127.0.0.1', '127.0.0.11'].map((address) => probe.probe({ ...request, address }, never)),
      );
      assert.deepEqual(
        outcomes.map((outcome) => outcome.kind),
        ['failure', 'answer', 'failure'],
      );
    });

    it('come from the own address that was asked for, and cannot be made from another', async () => {
      const own = await probe.probe({ ...request, source: '127.0.0.9' }, never);
      assert.equal(own.kind, 'answer');
      const foreign = await probe.probe({ ...request, source: '192.0.2.77' }, never);
      assert.equal(foreign.kind, 'local-failure');
    });

    it('tell the stage and the reason of a block on the TLS hello', async () => {
      const outcome = await probe.probe({ ...request, address: '127.0.0.11' }, never);
      assert.ok(outcome.kind === 'failure');
      assert.deepEqual([outcome.stage, outcome.reason, outcome.status], ['tls', 'reset', undefined]);
    });

    it('tell beside it how much had come: nothing', async () => {
      for (const address of ['127.0.0.11', '127.0.0.12']) {
        const outcome = await probe.probe({ ...request, address, timeout: 300 }, never);
        assert.ok(outcome.kind === 'failure');
        assert.equal(outcome.facts?.wire, 0, address);
        // Of time-outs alone: whether something still came in the second half.
        assert.equal(outcome.facts.late, address === '127.0.0.12' ? 0 : undefined);
      }
    });

    it('tell beside it whose a wrong certificate is', async () => {
      const outcome = await probe.probe({ ...request, host: 'expired.example.test' }, never);
      assert.ok(outcome.kind === 'failure');
      assert.deepEqual(outcome.facts?.certificate, {
        problem: 'expired',
        subject: 'CN=expired.example.test',
        issuer: 'CN=netsteward lab CA',
      });
    });

    it('reject with the reason of an aborted signal, before and while they run', async () => {
      const reason = new Error('enough');
      await assert.rejects(probe.probe(request, AbortSignal.abort(reason)), reason);
      const stop = new AbortController();
      const running = probe.probe({ ...request, path: '/silence' }, stop.signal);
      setTimeout(() => stop.abort(reason), 30);
      await assert.rejects(running, reason);
    });
  });
}

it('checks over real sockets are seen from their source address by the server, and from a source port of their own', async () => {
  const seen: string[] = [];
  const listener = createServer((socket) => {
    seen.push(`${socket.remoteAddress} ${(socket.remotePort ?? 0) >= 61_000 && (socket.remotePort ?? 0) <= 61_009}`);
    socket.resume().end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const probe = new LinuxHttpProbe({
    clock: systemClock,
    trust: new TrustStore({ bundles: [] }, systemClock),
    ports: { http: port, https: port },
    sourcePorts: { first: 61_000, last: 61_009 },
  });
  for (const source of ['127.0.0.9', '127.0.0.10']) {
    const outcome = await probe.probe({ ...request, scheme: 'http', source }, new AbortController().signal);
    assert.equal(outcome.kind, 'answer', JSON.stringify(outcome));
  }
  assert.deepEqual(seen, ['127.0.0.9 true', '127.0.0.10 true']);
  await new Promise((resolve) => listener.close(resolve));
});
