/** The second look: what it asks, and what its answers make of a cause. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import * as v from 'valibot';
import { parseWith } from '../../../src/core/schema.ts';
import { type Cause, cause, noCause } from '../../../src/nbrpc/reason.ts';
import { LookAgenda } from '../../../src/nbrpc/reason-agenda.ts';
import { neutralName, parseSecondResolver, secondResolvers } from '../../../src/nbrpc/reason-config.ts';
import { CauseLook, keepFinding, lookFor, type Suspect } from '../../../src/nbrpc/reason-look.ts';
import { causeSentence } from '../../../src/nbrpc/reason-text.ts';
import { SecondOpinion, secondResolverAddresses } from '../../../src/nbrpc/second-resolver.ts';
import { answerTo, FakeDnsTransport } from '../../fakes/fake-dns-transport.ts';
import { FakeHttpProbe } from '../../fakes/fake-http-probe.ts';

const never = new AbortController().signal;
const neutral = 'neutral.test';
const suspect: Suspect = {
  host: 'video.example',
  address: '62.1.1.1',
  check: { type: 'https', path: '/x', result: '' },
  cause: cause('tls', 'reset'),
  current: true,
  elsewhere: undefined,
};

class Scene {
  readonly probe = new FakeHttpProbe();
  readonly transport = new FakeDnsTransport();
  readonly look: CauseLook;

  constructor(second: readonly string[] = ['9.9.9.9']) {
    const opinions = second.map((label) => {
      const server = parseSecondResolver(label);
      assert.ok(server !== undefined, label);
      return new SecondOpinion(server, { transport: this.transport, id: () => 4711 });
    });
    const settings = { timeout: 1000, resolveTimeout: 500, bodyLimit: 65_536, neutralName: neutral };
    this.look = new CauseLook({ probe: this.probe, opinions }, settings);
  }

  /** Of both families at once, each its own. */
  says(...addresses: readonly string[]): void {
    this.transport.script = ({ bytes, type }) =>
      answerTo(bytes, { addresses: addresses.filter((each) => each.includes(':') === (type === 'AAAA')) });
  }

  async told(change: Partial<Suspect> = {}): Promise<string> {
    return causeSentence(await this.look.look({ ...suspect, ...change }, never));
  }
}

describe('an address that is mute to the TLS hello', () => {
  const sni = 'TLS: reset on the ClientHello; the same address answers to another name, so it is the name (SNI)';

  it('is asked once with a name that nobody blocks, at the same address', async () => {
    const scene = new Scene();
    await scene.told();
    assert.deepEqual(
      scene.probe.requests.map(({ scheme, host, address, path }) => [scheme, host, address, path]),
      [['https', neutral, '62.1.1.1', '/']],
    );
    assert.equal(scene.transport.seen.length, 0);
  });

  it('is blocked by name when any TLS answer comes: a page, a strange certificate, an alert, HTTP that fails', async () => {
    const scene = new Scene();
    for (const stage of ['tls', 'http', 'body'] as const) {
      const reason = stage === 'tls' ? 'certificate' : 'timeout';
      scene.probe.set(neutral, '*', { kind: 'failure', stage, reason, detail: '' });
      assert.equal(await scene.told(), sni, stage);
    }
    scene.probe.set(neutral, '*', {
      kind: 'failure',
      stage: 'tls',
      reason: 'protocol',
      detail: '',
      facts: { alert: true },
    });
    assert.equal(await scene.told(), sni);
    scene.probe.works(neutral);
    assert.equal(await scene.told(), sni);
    assert.match(
      await scene.told({ cause: cause('tls', 'tls-silent') }),
      /^TLS: no answer to the ClientHello; the same/,
    );
  });

  it('is not when that name gets no TLS answer either, or could not be tried', async () => {
    const scene = new Scene();
    scene.probe.blocked(neutral);
    assert.equal(await scene.told(), 'TLS: reset on the ClientHello (whatever the name, neutral.test too)');
    scene.probe.set(neutral, '*', {
      kind: 'failure',
      stage: 'tls',
      reason: 'protocol',
      detail: '',
      facts: { wire: 40 },
    });
    assert.match(await scene.told(), /whatever the name/);
    scene.probe.set(neutral, '*', { kind: 'local-failure', detail: 'EMFILE' });
    assert.equal(await scene.told(), 'TLS: reset on the ClientHello');
  });
});

describe('over plain HTTP', () => {
  it('the Host header is what is blocked when another one is answered', async () => {
    const scene = new Scene();
    const change = { check: { type: 'http', path: '/', result: '' }, cause: cause('http', 'reset') } as const;
    scene.probe.works(neutral, '*', 404);
    assert.match(await scene.told(change), /^HTTP: reset on the request; the same address answers .*\(Host header\)$/);
    scene.probe.set(neutral, '*', { kind: 'failure', stage: 'http', reason: 'reset', detail: '' });
    assert.equal(await scene.told(change), 'HTTP: reset on the request');
  });
});

describe('an address that the resolver gave', () => {
  const dead: Partial<Suspect> = { cause: cause('connect', 'timeout') };

  it('is foreign when another resolver has others, and one of those works', async () => {
    const scene = new Scene();
    scene.says('62.2.2.2', '2a10::2');
    assert.equal(
      await scene.told(dead),
      'name: the resolver answers with addresses that are not the service (62.1.1.1, connect: no answer; 9.9.9.9 answers 62.2.2.2, which works)',
    );
    assert.deepEqual(
      scene.probe.requests.map(({ host, address, path }) => [host, address, path]),
      [['video.example', '62.2.2.2', '/x']],
    );
  });

  it('is not when those fail too, when they are the same, of another family, private, or nobody answers', async () => {
    const scene = new Scene();
    scene.says('62.2.2.2');
    scene.probe.blocked('video.example');
    assert.equal(await scene.told(dead), 'connect: no answer');
    scene.probe.works('video.example');
    for (const addresses of [['62.1.1.1', '62.2.2.2'], ['2a10::2'], ['10.1.1.1'], []]) {
      scene.says(...addresses);
      assert.equal(await scene.told(dead), 'connect: no answer', addresses.join());
    }
    scene.transport.script = () => 'silence';
    assert.equal(await scene.told(dead), 'connect: no answer');
  });

  it('is not looked at when an exit shows that it is the service’s, when DNS no longer gives it, or with its certificate shown', () => {
    assert.equal(lookFor({ ...suspect, ...dead }), 'resolver');
    assert.equal(lookFor({ ...suspect, ...dead, elsewhere: false }), 'resolver');
    assert.equal(lookFor({ ...suspect, ...dead, elsewhere: true }), undefined);
    assert.equal(lookFor({ ...suspect, ...dead, current: false }), undefined);
    assert.equal(lookFor({ ...suspect, cause: cause('transfer', 'frozen') }), undefined);
    assert.equal(lookFor({ ...suspect, cause: noCause }), undefined);
  });

  it('is left alone where there is no second resolver', async () => {
    const scene = new Scene([]);
    assert.equal(await scene.told(dead), 'connect: no answer');
    assert.equal(scene.probe.requests.length, 0);
  });
});

describe('a name without an address', () => {
  const told = async (scene: Scene, was: Cause): Promise<string> =>
    causeSentence(await scene.look.lookName('video.example', was, never));

  it('is beside what another resolver says', async () => {
    const scene = new Scene();
    scene.says('62.2.2.2');
    assert.equal(
      await told(scene, cause('name', 'nxdomain')),
      'name: the resolver says that there is no such name (9.9.9.9 answers 62.2.2.2)',
    );
    assert.match(
      await told(scene, cause('name', 'junk', '10.1.1.1')),
      /\(10\.1\.1\.1; 9\.9\.9\.9 answers 62\.2\.2\.2\)$/,
    );
    scene.says();
    assert.match(await told(scene, cause('name', 'no-address')), /\(9\.9\.9\.9 gives no public address either\)$/);
    scene.transport.script = ({ bytes }) => answerTo(bytes, { rcode: 'NXDOMAIN' });
    assert.match(await told(scene, cause('name', 'nxdomain')), /^name: there is no such name; .*\(9\.9\.9\.9\)$/);
    assert.match(await told(scene, cause('name', 'junk', 'x')), /x; 9\.9\.9\.9 says that there is no such name\)$/);
  });

  it('the next resolver is asked when the first does not answer', async () => {
    const scene = new Scene(['9.9.9.9', 'https://dns.test/dns-query']);
    scene.transport.script = ({ server, bytes, type }) =>
      server.protocol === 'udp'
        ? answerTo(bytes, { rcode: 'SERVFAIL' })
        : answerTo(bytes, { addresses: type === 'A' ? ['62.3.3.3'] : [] });
    assert.match(
      await told(scene, cause('name', 'nxdomain')),
      /\(https:\/\/dns\.test\/dns-query answers 62\.3\.3\.3\)$/,
    );
  });
});

describe('the second resolver', () => {
  const refused: Partial<Suspect> = { cause: cause('connect', 'refused') };

  it('is asked over TCP what was truncated over UDP', async () => {
    const scene = new Scene();
    scene.transport.script = ({ server, bytes, type }) =>
      answerTo(
        bytes,
        server.protocol === 'udp' ? { truncated: true } : { addresses: type === 'A' ? ['62.2.2.2'] : [] },
      );
    assert.match(await scene.told(refused), /answers 62\.2\.2\.2, which works/);
    assert.deepEqual(scene.transport.seen.map(({ server }) => server.protocol).sort(), ['tcp', 'tcp', 'udp', 'udp']);
  });

  it('is not believed an answer with another id, to another question, or to none', async () => {
    const scene = new Scene();
    const spoilers: readonly ((answer: Buffer) => void)[] = [
      (answer) => void answer.writeUInt16BE(4712, 0),
      (answer) => void answer.writeUInt8((answer[13] ?? 0) + 1, 13),
      (answer) => void answer.writeUInt16BE(0, 4),
      (answer) => void answer.writeUInt8(0x01, 2),
    ];
    for (const [index, spoil] of spoilers.entries()) {
      scene.transport.script = ({ bytes, type }) => {
        const answer = answerTo(bytes, { addresses: type === 'A' ? ['62.2.2.2'] : [] });
        spoil(answer);
        return answer;
      };
      assert.equal(await scene.told(refused), 'connect: refused (RST)', `${index}`);
    }
  });

  it('cannot make it throw, whatever follows the question', async () => {
    const scene = new Scene();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(9), async (tail, count) => {
        scene.transport.script = ({ bytes }) => {
          const answer = Buffer.concat([bytes, tail]);
          answer.writeUInt16BE(0x8180, 2);
          answer.writeUInt16BE(count, 6);
          return answer;
        };
        assert.notEqual(await scene.told(refused), '');
      }),
    );
  });

  it('is an address, or a URL (RFC 8484)', () => {
    const told = (text: string): unknown => {
      const server = parseSecondResolver(text);
      return server === undefined
        ? undefined
        : [server.protocol, server.address, server.name, server.port, server.path];
    };
    assert.deepEqual(told('9.9.9.9'), ['udp', '9.9.9.9', undefined, 53, '']);
    assert.deepEqual(told('9.9.9.9:5353'), ['udp', '9.9.9.9', undefined, 5353, '']);
    assert.deepEqual(told('2620:FE::FE'), ['udp', '2620:fe::fe', undefined, 53, '']);
    assert.deepEqual(told('[2620:fe::fe]:54'), ['udp', '2620:fe::fe', undefined, 54, '']);
    assert.deepEqual(told('https://dns.quad9.net/dns-query'), ['https', undefined, 'dns.quad9.net', 443, '/dns-query']);
    assert.deepEqual(told('https://9.9.9.9'), ['https', '9.9.9.9', undefined, 443, '/dns-query']);
    assert.deepEqual(told('https://[2620:fe::fe]:8443/q?a'), ['https', '2620:fe::fe', undefined, 8443, '/q?a']);
    for (const bad of [
      '',
      'dns.quad9.net',
      '9.9.9.9:0',
      '9.9.9.9:99999',
      'http://x/',
      'https://',
      'https://u:p@x.test/',
      'https://x.test/#a',
      'https://x test/',
      'https://a_b!.test/',
    ])
      assert.equal(told(bad), undefined, bad);
  });
});

test('what the configuration says of it is checked, each fault at its place', () => {
  const schema = v.strictObject({ second: secondResolvers, neutral_name: neutralName });
  const empty = parseWith(schema, {});
  assert.ok(empty.ok);
  assert.deepEqual(empty.config, { second: [], neutral_name: 'example.com' });
  const read = parseWith(schema, { second: ['9.9.9.9', 'https://dns.test/q'], neutral_name: 'debian.org' });
  assert.ok(read.ok);
  assert.deepEqual(secondResolverAddresses(read.config.second), ['9.9.9.9'], 'those that are known beforehand');
  const bad = parseWith(schema, { second: ['9.9.9.9', 'dns.test'], neutral_name: '1.2.3.4' });
  assert.ok(!bad.ok);
  assert.deepEqual(
    bad.problems.map(({ path }) => path.join('.')),
    ['second.1', 'neutral_name'],
  );
});

test('a finding of a look stands while the check shows the same, and falls with the next other thing', () => {
  const sni = cause('tls', 'sni', 'reset on the ClientHello');
  assert.equal(keepFinding(sni, cause('tls', 'tls-silent')), sni);
  assert.equal(keepFinding(sni, cause('connect', 'timeout')).code, 'timeout');
  assert.equal(keepFinding(sni, noCause), noCause);
  const foreign = cause('name', 'foreign-answer', 'x');
  assert.equal(keepFinding(foreign, cause('connect', 'timeout')), foreign);
  assert.equal(keepFinding(foreign, cause('name', 'nxdomain')).code, 'nxdomain');
  const looked = cause('name', 'nxdomain', '9.9.9.9 answers 62.2.2.2');
  assert.equal(keepFinding(looked, cause('name', 'nxdomain')), looked);
  const frozen = cause('transfer', 'frozen', 'after 16 kB');
  assert.equal(keepFinding(cause('transfer', 'frozen', 'after 15 kB'), frozen), frozen);
  const gone = cause('name', 'no-such-name', '9.9.9.9');
  assert.equal(keepFinding(gone, cause('name', 'nxdomain')), gone);
});

describe('looks', () => {
  const failing = (count: number, since = 1000): { host: string; address: string; since: number }[] =>
    Array.from({ length: count }, (_, index) => ({ host: 'video.example', address: `62.0.0.${index}`, since }));

  it('come once when something fails, then once an hour while it stays so', () => {
    const agenda = new LookAgenda();
    const times: number[] = [];
    for (let now = 1000; now < 1000 + 3 * 3600; now += 60) {
      if (agenda.take(failing(1), now).length > 0) times.push(now - 1000);
    }
    assert.deepEqual(times, [0, 3600, 7200]);
  });

  it('are not more than one in ten minutes for one that comes and goes', () => {
    const agenda = new LookAgenda();
    const times: number[] = [];
    for (let now = 1000; now < 1000 + 1800; now += 60) {
      if (agenda.take(failing(1, now), now).length > 0) times.push(now - 1000);
    }
    assert.deepEqual(times, [0, 600, 1200]);
  });

  it('are a few in each pass when much fails at once, and everyone gets a turn', () => {
    const agenda = new LookAgenda();
    const all = failing(30);
    const turns = Array.from({ length: 4 }, (_, index) => agenda.take(all, 1000 + 60 * index));
    assert.deepEqual(
      turns.map(({ length }) => length),
      [8, 8, 8, 6],
    );
    assert.equal(new Set(turns.flat().map(({ address }) => address)).size, 30);
  });

  it('do not stop when the clock was set back', () => {
    const agenda = new LookAgenda();
    agenda.take(failing(1), 1_000_000);
    assert.equal(agenda.take(failing(1), 1000).length, 1);
  });
});
