/** The DnsTransport port: one suite over UDP, TCP, TLS, HTTPS and on the fake; and what each way has of its own. */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { encodeQuery, whyNoAnswer } from '../../src/dnstest/probe-query.ts';
import type { DnsOutcome, DnsQuestion, DnsServer, DnsTransport } from '../../src/system/dns-client-ports.ts';
import { LinuxDnsTransport } from '../../src/system/linux/dns-client.ts';
import { LibcLookup } from '../../src/system/linux/dns-client-libc.ts';
import { TrustStore } from '../../src/system/linux/trust-store.ts';
import { answerTo, FakeDnsTransport } from '../fakes/fake-dns-transport.ts';
import { ScriptedServer, serverName, type Via } from '../kernel/dnstest-check-server.ts';

const scripted = new ScriptedServer();
const plainPort = await scripted.listen();
const ports: Record<Via, number> = {
  udp: plainPort,
  tcp: plainPort,
  tls: await scripted.listenTls(),
  https: await scripted.listenHttps(),
};
const http1Port = await scripted.listenHttps({ http1: true });
const strangerPort = await scripted.listenTls('other.netsteward.test');
after(() => scripted.close());

const trust = new TrustStore({ ca: scripted.authority.certificate, bundles: [] }, systemClock);
const real = new LinuxDnsTransport(systemClock, () => trust);

const never = new AbortController().signal;

/** The id tells the questions of this file apart. */
let id = 0;

function question(timeout = 5000): DnsQuestion {
  id++;
  const shape = { name: 'x.test.example', family: 4, id, recursion: true, unchecked: false, edns: true } as const;
  const bytes = encodeQuery(shape);
  return { bytes, timeout, refuses: (answer) => whyNoAnswer(bytes, answer, false) };
}

const right = (query: Uint8Array): Buffer => answerTo(query, { addresses: ['192.0.2.1'] });
function forged(query: Uint8Array): Buffer {
  const bytes = right(query);
  bytes[0] = (bytes[0] ?? 0) ^ 0xff;
  return bytes;
}

const at = (protocol: Via, port = ports[protocol]): DnsServer => ({
  protocol,
  address: '127.0.0.1',
  port,
  name: protocol === 'tls' || protocol === 'https' ? serverName : undefined,
  path: protocol === 'https' ? '/dns-query' : '',
});

const kind = (outcome: DnsOutcome): string => (outcome.ok ? 'answer' : outcome.kind);

beforeEach(() => {
  scripted.behaviour = (query) => [right(query)];
  scripted.http = { status: 200, type: 'application/dns-message' };
  scripted.seen.length = 0;
  scripted.versions.length = 0;
});

for (const protocol of ['udp', 'tcp', 'tls', 'https', 'fake'] as const) {
  describe(`a question over ${protocol}`, () => {
    const via = protocol === 'fake' ? 'udp' : protocol;
    const fake = new FakeDnsTransport((query) => {
      const messages = scripted.behaviour(Buffer.from(query.bytes), 'udp');
      return messages === 'close' ? 'silence' : (messages.at(-1) ?? 'silence');
    });
    const transport: DnsTransport = protocol === 'fake' ? fake : real;

    it('is answered with the very bytes', async () => {
      const asked = question();
      const outcome = await transport.exchange(at(via), asked, never);
      assert.deepEqual(outcome, { ok: true, bytes: right(asked.bytes) });
    });

    it('that nobody answers ends with its time', async () => {
      scripted.behaviour = () => [];
      assert.equal(kind(await transport.exchange(at(via), question(200), never)), 'timeout');
    });

    it('that is answered with something else has no answer, and it is told why', async () => {
      scripted.behaviour = (query) => [forged(query)];
      // Over UDP the true answer may still come, until the end.
      const outcome = await transport.exchange(at(via), question(via === 'udp' ? 2000 : 20_000), never);
      assert.equal(kind(outcome), 'malformed');
      assert.match(outcome.ok ? '' : outcome.detail, /another id/);
    });

    it('rejects with the reason of an aborted signal, before and while it is asked', async () => {
      const reason = new Error('enough');
      await assert.rejects(transport.exchange(at(via), question(), AbortSignal.abort(reason)), reason);
      if (protocol === 'fake') return;
      const stop = new AbortController();
      // Over TLS the abort may come before the question does: both ways it is the reason that counts.
      const running = transport.exchange(at(via), question(), stop.signal);
      setImmediate(() => stop.abort(reason));
      await assert.rejects(running, reason);
    });

    // Over TLS the first thing is to load code, so there it would stand still too early to show anything.
    if (protocol === 'udp' || protocol === 'tcp') {
      it('is not given up because this process stood still itself', async () => {
        const asked = real.exchange(at(via), question(400), never);
        await new Promise((resolve) => setImmediate(resolve));
        // Longer than the time-out; the server, which is in this process, stands still with it.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
        assert.equal(kind(await asked), 'answer');
      });
    }

    if (protocol !== 'fake') {
      it('finds out that nothing listens', async () => {
        const outcome = await transport.exchange(at(via, 9), question(), never);
        assert.equal(kind(outcome), 'unreachable');
        assert.match(outcome.ok ? '' : outcome.detail, /nothing listens at 127\.0\.0\.1:9/);
      });
    }
  });
}

describe('UDP', () => {
  it('asks again, from the same port, and takes the answer to any of the questions', async () => {
    scripted.behaviour = (query) => (scripted.seen.length < 3 ? [] : [right(query)]);
    assert.equal(kind(await real.exchange(at('udp'), question(8000), never)), 'answer');
    assert.equal(scripted.seen.length, 3);
    assert.equal(new Set(scripted.seen.map(({ port }) => port)).size, 1);
  });

  it('lets forged answers pass and takes the true one that follows', async () => {
    scripted.behaviour = (query) => [forged(query), Buffer.from('junk'), query, right(query)];
    assert.equal(kind(await real.exchange(at('udp'), question(), never)), 'answer');
  });

  it('asks from another port each time', async () => {
    for (let count = 0; count < 5; count++) await real.exchange(at('udp'), question(), never);
    assert.ok(new Set(scripted.seen.map(({ port }) => port)).size > 1);
  });
});

describe('a stream', () => {
  it('that ends without an answer is told', async () => {
    scripted.behaviour = () => 'close';
    for (const protocol of ['tcp', 'tls'] as const) {
      const outcome = await real.exchange(at(protocol), question(), never);
      assert.equal(kind(outcome), 'unreachable');
      assert.match(outcome.ok ? '' : outcome.detail, /closed the connection without an answer/);
    }
    assert.equal(kind(await real.exchange(at('https'), question(), never)), 'http');
  });
});

describe('TLS', () => {
  it('of a server with another name is refused, and the certificate’s owner is told', async () => {
    const outcome = await real.exchange(at('tls', strangerPort), question(), never);
    assert.equal(kind(outcome), 'tls');
    assert.match(outcome.ok ? '' : outcome.detail, /not valid for dns\.netsteward\.test.*other\.netsteward\.test/);
    assert.equal(scripted.seen.length, 0, 'the name that is asked for stays secret');
  });

  it('of a server that nobody vouches for is refused', async () => {
    const strict = new LinuxDnsTransport(systemClock, () => new TrustStore({ bundles: [] }, systemClock));
    for (const protocol of ['tls', 'https'] as const) {
      const outcome = await strict.exchange(at(protocol), question(), never);
      assert.equal(kind(outcome), 'tls', protocol);
      assert.match(outcome.ok ? '' : outcome.detail, /UNABLE_TO|SELF_SIGNED/, protocol);
    }
    assert.equal(scripted.seen.length, 0);
  });

  it('with a server that speaks none fails in the handshake', async () => {
    scripted.behaviour = () => [Buffer.from('no TLS at all')];
    const outcome = await real.exchange(at('tls', ports.tcp), question(1000), never);
    assert.ok(['tls', 'timeout'].includes(kind(outcome)), kind(outcome));
    assert.match(outcome.ok ? '' : outcome.detail, /handshake|wrong version|SSL|TLS/);
  });
});

describe('HTTPS', () => {
  it('goes over HTTP/2, and over HTTP/1.1 where the server knows no other', async () => {
    assert.equal(kind(await real.exchange(at('https'), question(), never)), 'answer');
    assert.equal(kind(await real.exchange(at('https', http1Port), question(), never)), 'answer');
    assert.deepEqual(scripted.versions, ['2.0 POST /dns-query', '1.1 POST /dns-query']);
  });

  it('with another status or type is no answer', async () => {
    for (const port of [ports.https, http1Port]) {
      scripted.http = { status: 404, type: 'application/dns-message' };
      const missing = await real.exchange(at('https', port), question(), never);
      assert.deepEqual(missing, { ok: false, kind: 'http', detail: 'status 404 from /dns-query' });
      scripted.http = { status: 200, type: 'text/html' };
      const page = await real.exchange(at('https', port), question(), never);
      assert.match(page.ok ? '' : page.detail, /gave text\/html, not application\/dns-message/);
    }
  });

  it('may end at any moment, and nothing of it is left to fail later', async () => {
    const reason = new Error('enough');
    const outcomes = Array.from({ length: 60 }, (_, index) => {
      const stop = new AbortController();
      scripted.behaviour = () => (index % 3 === 0 ? 'close' : []);
      setTimeout(() => stop.abort(reason), index / 2);
      const server = at('https', index % 2 === 0 ? ports.https : http1Port);
      return real.exchange(server, question(40), stop.signal).then(kind, (error: unknown) => error);
    });
    for (const outcome of await Promise.all(outcomes)) {
      assert.ok(outcome === reason || outcome === 'timeout' || outcome === 'http', String(outcome));
    }
  });

  it('that gives more than a message can be is cut off', async () => {
    scripted.behaviour = () => [Buffer.alloc(100_000)];
    for (const port of [ports.https, http1Port]) {
      const outcome = await real.exchange(at('https', port), question(), never);
      assert.equal(kind(outcome), 'malformed');
    }
  });
});

describe('libc', () => {
  const ask = (lookup: ConstructorParameters<typeof LibcLookup>[1], timeout = 3000) =>
    new LibcLookup(systemClock, lookup).lookup('x.test.example', 4, timeout, never);

  it('gives all addresses', async () => {
    const both = ['192.0.2.1', '192.0.2.2'].map((address) => ({ address, family: 4 }));
    assert.deepEqual(await ask((_name, _family, done) => done(null, both)), {
      ok: true,
      addresses: ['192.0.2.1', '192.0.2.2'],
    });
  });

  it('tells a name without an address from no name at all', async () => {
    const fails = (errno: number) =>
      ask((_name, _family, done) => done(Object.assign(new Error('no'), { code: 'ENOTFOUND', errno }), []));
    assert.deepEqual(await fails(-3007), { ok: false, code: 'ENOTFOUND', empty: true });
    assert.deepEqual(await fails(-3008), { ok: false, code: 'ENOTFOUND', empty: false });
  });

  it('is waited for no longer than its time, and not after an abort', async () => {
    assert.deepEqual(await ask(() => {}, 20), { ok: false, code: 'ETIMEDOUT', empty: false });
    const reason = new Error('enough');
    const stop = new AbortController();
    const running = new LibcLookup(systemClock, () => {}).lookup('x.test.example', 4, 3000, stop.signal);
    stop.abort(reason);
    await assert.rejects(running, reason);
  });
});
