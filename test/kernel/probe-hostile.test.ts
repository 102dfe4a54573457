/** Real checks against servers that do everything wrong: one verdict each, in bounded time and memory. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { LinuxHttpProbe } from '../../src/system/linux/http-probe.ts';
import { TrustStore } from '../../src/system/linux/trust-store.ts';
import type { ProbeOutcome, ProbeRequest } from '../../src/system/ports.ts';
import { HostileServer, rawAddresses } from './probe-hostile-server.ts';

const server = new HostileServer();
const ports = await server.listen();
after(() => server.close());

const trust = new TrustStore({ bundles: [], ca: server.authority.certificate }, systemClock);
const probe = new LinuxHttpProbe({ clock: systemClock, trust, ports });
const never = new AbortController().signal;

const ask = (change: Partial<ProbeRequest> = {}): Promise<ProbeOutcome> =>
  probe.probe(
    {
      scheme: 'https',
      host: 'a.example.test',
      address: '127.0.0.1',
      path: '/ok',
      timeout: 8000,
      bodyLimit: 65_536,
      ...change,
    },
    never,
  );

/** `stage reason`, with the status where there is one; or the answer. */
function verdict(outcome: ProbeOutcome): string {
  if (outcome.kind === 'answer') return `${outcome.status}, ${outcome.bytes} bytes`;
  if (outcome.kind === 'local-failure') return `local: ${outcome.detail}`;
  return [outcome.stage, outcome.reason, outcome.status].filter((part) => part !== undefined).join(' ');
}

const byPath: Readonly<Record<string, string>> = {
  '/ok': '200, 5 bytes',
  '/close-delimited': '200, 5 bytes',
  '/no-body': '204, 0 bytes',
  '/chunked': '200, 5 bytes',
  '/redirect': '302, 0 bytes',
  '/early-hints': '200, 5 bytes',
  '/big': '200, 65536 bytes',
  '/gzip': '200, 4 bytes',
  '/one-byte-chunks': '200, 9000 bytes',
  '/too-long': '200, 5 bytes',
  '/endless-headers': 'http headers-too-large',
  '/endless-status': 'http headers-too-large',
  '/endless-header-name': 'http headers-too-large',
  '/endless-chunk-extension': 'body protocol 200',
  '/endless-trailers': 'body headers-too-large 200',
  '/reset': 'http reset',
  '/close': 'http closed',
  '/short': 'body closed 200',
  '/short-chunks': 'body closed 200',
  '/junk': 'http protocol',
  '/continue-flood': 'http protocol',
  '/hints-flood': 'http protocol',
  '/upgrade': 'http protocol',
  '/two-lengths': 'http protocol',
  '/negative-length': 'http protocol',
  '/bad-chunk': 'body protocol 200',
};

for (const scheme of ['https', 'http'] as const) {
  describe(`over ${scheme}`, () => {
    for (const [path, expected] of Object.entries(byPath)) {
      it(`${path.slice(1)} gives "${expected}"`, async () => {
        assert.equal(verdict(await ask({ scheme, path })), expected);
      });
    }

    it('a drip or a stall ends with the time-out, however many bytes still come', async () => {
      const paths = ['/drip-headers', '/drip-body', '/stall', '/silence'];
      const outcomes = await Promise.all(paths.map((path) => ask({ scheme, path, timeout: 1500 })));
      assert.deepEqual(outcomes.map(verdict), ['http timeout', 'body timeout 200', 'body timeout 200', 'http timeout']);
    });

    it('a reset in the middle of a body without a length is no good end', async () => {
      // 127.0.0.1 answers /close-delimited in good order (above); this one says the same and resets.
      const outcome = await ask({ scheme, path: '/reset-mid-body' });
      assert.equal(verdict(outcome), 'body reset 200');
    });
  });
}

describe('before and within TLS', () => {
  const expected: Readonly<Record<string, string>> = {
    'reset on hello': 'tls reset',
    silence: 'tls timeout',
    garbage: 'tls protocol',
    'close on hello': 'tls closed',
    'reset on accept': 'tls reset',
    'plain HTTP': 'tls protocol',
    'half a record, then silence': 'tls timeout',
    alert: 'tls protocol',
  };
  for (const [address, behaviour] of Object.entries(rawAddresses)) {
    it(`${behaviour} gives "${expected[behaviour]}"`, async () => {
      const told = verdict(await ask({ address, timeout: behaviour.includes('silence') ? 400 : 8000 }));
      // A reset right behind the SYN-ACK may be seen before the connect is.
      assert.equal(behaviour === 'reset on accept' ? told.replace('connect', 'tls') : told, expected[behaviour]);
    });
  }

  it('a port without a server is refused', async () => {
    const closed = new LinuxHttpProbe({ clock: systemClock, trust, ports: { http: 1, https: 1 } });
    const request = {
      scheme: 'https',
      host: 'a.example.test',
      address: '127.0.0.1',
      path: '/',
      timeout: 5000,
      bodyLimit: 1,
    } as const;
    assert.equal(verdict(await closed.probe(request, never)), 'connect refused');
  });

  it('a certificate that is expired, of another name, or vouched for by nobody fails, and says whose it is', async () => {
    const hosts = ['expired', 'wrong-name', 'self-signed', 'stranger'].map((name) => `${name}.example.test`);
    const details: string[] = [];
    for (const host of hosts) {
      const outcome = await ask({ host });
      assert.ok(outcome.kind === 'failure', verdict(outcome));
      assert.deepEqual([outcome.stage, outcome.reason], ['tls', 'certificate'], host);
      details.push(outcome.detail);
    }
    assert.match(
      details[0] ?? '',
      /^CERT_HAS_EXPIRED: certificate of CN=expired\.example\.test, issued by CN=netsteward lab CA/,
    );
    assert.match(details[1] ?? '', /^not valid for wrong-name\.example\.test: certificate of CN=other\.example\.test/);
    assert.match(details[2] ?? '', /^DEPTH_ZERO_SELF_SIGNED_CERT/);
    assert.match(details[3] ?? '', /^(?:UNABLE|SELF_SIGNED)/);
  });

  it('a certificate that fails is told as facts too: what is wrong, whose it is, who issued it', async () => {
    const hosts = ['expired', 'wrong-name', 'self-signed', 'stranger'].map((name) => `${name}.example.test`);
    const outcomes = await Promise.all(hosts.map((host) => ask({ host })));
    const told = outcomes.map((outcome) => (outcome.kind === 'failure' ? outcome.facts?.certificate : undefined));
    assert.deepEqual(
      told.map((facts) => facts?.problem),
      ['expired', 'other-name', 'self-signed', 'untrusted'],
    );
    assert.deepEqual([told[0]?.subject, told[0]?.issuer], ['CN=expired.example.test', 'CN=netsteward lab CA']);
    assert.equal(told[1]?.subject, 'CN=other.example.test');
    for (const facts of told) assert.doesNotMatch(`${facts?.subject} ${facts?.issuer}`, /\p{Cc}/u);
  });

  it('an alert of the far side shows that it read the hello, what is no TLS does not', async () => {
    const facts = async (address: string): Promise<unknown> => {
      const outcome = await ask({ address });
      return outcome.kind === 'failure' ? outcome.facts : outcome;
    };
    assert.deepEqual(await facts('127.0.0.18'), { wire: 7, alert: true });
    assert.deepEqual(await facts('127.0.0.13'), { wire: 3000 });
  });

  it('control characters of a certificate do not reach the detail', async () => {
    const outcome = await ask({ host: 'self-signed.example.test' });
    assert.ok(outcome.kind === 'failure');
    assert.doesNotMatch(outcome.detail, /\p{Cc}/u);
    assert.match(outcome.detail, /red/);
  });

  it('a chain of 400 certificates is refused', async () => {
    assert.equal(verdict(await ask({ host: 'long-chain.example.test' })), 'tls protocol');
  });

  it('a name with an underscore or a trailing dot is good under a wildcard certificate', async () => {
    assert.equal(verdict(await ask({ host: 'my_host.example.test' })), '200, 5 bytes');
    assert.equal(verdict(await ask({ host: 'dotted.example.test.' })), '200, 5 bytes');
    assert.ok(server.requests.includes('dotted.example.test /ok'));
  });

  it('a name with an underscore is not good under the certificate of another domain', async () => {
    assert.equal(verdict(await ask({ host: 'my_host.example.org' })), 'tls certificate');
    assert.equal(verdict(await ask({ host: 'a.b_c.example.test' })), 'tls certificate');
  });

  it('an address as host is verified as an address, without SNI', async () => {
    assert.equal(verdict(await ask({ host: '127.0.0.1' })), 'tls certificate');
  });
});

describe('what a probe is asked and tells', () => {
  it('redirects are told and not followed, without control characters', async () => {
    const before = server.requests.length;
    const outcome = await ask({ path: '/evil-location' });
    assert.ok(outcome.kind === 'answer');
    assert.equal(outcome.location, '/\u00c2\\x9b31mred');
    assert.equal(server.requests.length, before + 1);
  });

  it('with a body limit of zero the headers are enough', async () => {
    assert.equal(verdict(await ask({ path: '/stall', bodyLimit: 0 })), '200, 0 bytes');
  });

  it('a stall after the body limit counts as an answer', async () => {
    assert.equal(verdict(await ask({ path: '/stall', bodyLimit: 4 })), '200, 4 bytes');
  });

  it('a request that cannot be written is a fault of this machine', async () => {
    for (const change of [{ path: '/a b' }, { path: 'x' }, { address: 'localhost' }, { host: 'a\r\nb' }]) {
      assert.equal((await ask(change)).kind, 'local-failure', JSON.stringify(change));
    }
  });
});

describe('what came before it failed', () => {
  for (const scheme of ['https', 'http'] as const) {
    it(`${scheme}: a page that drips still came in the second half of the time, one that stalls did not`, async () => {
      const [drip, stall, silence] = await Promise.all(
        ['/drip-body', '/stall', '/silence'].map(async (path) => {
          const outcome = await ask({ scheme, path, timeout: 1500 });
          assert.ok(outcome.kind === 'failure' && outcome.facts !== undefined, verdict(outcome));
          return outcome.facts;
        }),
      );
      assert.ok((drip?.late ?? 0) > 0 && (drip?.body ?? 0) > 0, JSON.stringify(drip));
      assert.deepEqual([stall?.late, stall?.body], [0, 4]);
      assert.deepEqual([silence?.late, silence?.body], [0, undefined]);
      // Of TLS the handshake counts as wire and not as reply.
      assert.equal(stall?.wire === stall?.reply, scheme === 'http');
    });

    it(`${scheme}: a reset in the middle of the page says how much of it came`, async () => {
      const outcome = await ask({ scheme, path: '/reset-mid-body' });
      assert.ok(outcome.kind === 'failure');
      assert.equal(outcome.facts?.body, 4);
    });
  }
});

describe('slots', () => {
  it('servers that swallow the hello do not keep others waiting for their time-out', async () => {
    const narrow = new LinuxHttpProbe({ clock: systemClock, trust, ports, handshakes: 2 });
    const request = { scheme: 'https', host: 'a.example.test', path: '/ok', timeout: 2500, bodyLimit: 100 } as const;
    const order: string[] = [];
    const one = async (address: string): Promise<void> => {
      order.push(verdict(await narrow.probe({ ...request, address }, never)));
    };
    await Promise.all(['127.0.0.12', '127.0.0.12', '127.0.0.1'].map(one));
    assert.deepEqual(order, ['200, 5 bytes', 'tls timeout', 'tls timeout']);
  });

  it('time in the queue is not the fault of a server', async () => {
    const narrow = new LinuxHttpProbe({ clock: systemClock, trust, ports, handshakes: 1, connects: 1, sockets: 1 });
    const request = { scheme: 'https', host: 'a.example.test', address: '127.0.0.1', bodyLimit: 100 } as const;
    const outcomes = await Promise.all([
      narrow.probe({ ...request, path: '/silence', timeout: 2000 }, never),
      narrow.probe({ ...request, path: '/ok', timeout: 1500 }, never),
    ]);
    assert.deepEqual(outcomes.map(verdict), ['http timeout', '200, 5 bytes']);
  });
});
