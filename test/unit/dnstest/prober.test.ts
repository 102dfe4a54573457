/** One check from the draw to its result: what is asked, of whom, and what the failures are called. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { CheckResult } from '../../../src/dnstest/check-result.ts';
import { NameHash } from '../../../src/dnstest/name-hash.ts';
import { Prober, type ProberOptions } from '../../../src/dnstest/prober.ts';
import { readResolver } from '../../../src/dnstest/transport-address.ts';
import type { AddressLookup, DnsServer } from '../../../src/system/dns-client-ports.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import {
  type AnswerShape,
  answerTo,
  FakeDnsTransport,
  type Reply,
  type SeenQuery,
} from '../../fakes/fake-dns-transport.ts';

const hash = new NameHash('hash-key');
const never = new AbortController().signal;

const control: DnsServer = { protocol: 'udp', address: '198.51.100.7', port: 53, name: undefined, path: '' };

const rightFor = ({ name, type }: SeenQuery): string => hash.address(name, type === 'A' ? 4 : 6);
const right = (query: SeenQuery): Reply => answerTo(query.bytes, { addresses: [rightFor(query)] });
const says =
  (shape: AnswerShape) =>
  (query: SeenQuery): Reply =>
    answerTo(query.bytes, shape);

interface Bench {
  readonly dns: FakeDnsTransport;
  readonly check: (signal?: AbortSignal) => Promise<CheckResult>;
}

const noLibc: AddressLookup = { lookup: () => Promise.reject(new Error('libc was asked')) };

function bench(
  script: (query: SeenQuery) => Reply,
  more: Partial<ProberOptions> = {},
  { libc = noLibc, clock = new FakeClock() } = {},
): Bench {
  const dns = new FakeDnsTransport(script);
  const { choice } = readResolver('192.0.2.53');
  assert.ok(choice !== undefined);
  const options: ProberOptions = {
    resolver: choice,
    template: { text: '@.test.example', places: 1 },
    family: 4,
    hash,
    timeout: 5000,
    ...more,
  };
  const prober = new Prober(options, { clock, random: randomBytes, dns, libc });
  return { dns, check: (signal = never) => prober.check(signal) };
}

const kind = ({ failure }: CheckResult): string => failure?.kind ?? 'right';

test('a right answer takes one question, with recursion, a random name and a random id', async () => {
  const { dns, check } = bench(right);
  const [first, second] = [await check(), await check()];
  assert.equal(kind(first), 'right');
  assert.equal(first.control, undefined);
  assert.equal(dns.seen.length, 2);
  assert.notEqual(first.name, second.name);
  assert.match(first.name, /^[a-z0-9]{12}\.test\.example$/);
  const [query] = dns.seen;
  assert.equal(query?.name, first.name);
  assert.equal(query?.recursion, true);
  assert.equal(query?.edns, true);
  assert.equal(query?.type, 'A');
});

test('AAAA is asked for and judged as such', async () => {
  const { dns, check } = bench(right, { family: 6 });
  assert.equal(kind(await check()), 'right');
  assert.equal(dns.seen[0]?.type, 'AAAA');
});

test('an answer cut short is asked for again over TCP, with the same question', async () => {
  const { dns, check } = bench((query) =>
    query.server.protocol === 'udp' ? answerTo(query.bytes, { truncated: true }) : right(query),
  );
  assert.equal(kind(await check()), 'right');
  assert.deepEqual(
    dns.seen.map(({ server }) => server.protocol),
    ['udp', 'tcp'],
  );
  assert.deepEqual(dns.seen[0]?.bytes, dns.seen[1]?.bytes);
});

test('an answer cut short and no TCP is a failure of its own', async () => {
  const { check } = bench((query) =>
    query.server.protocol === 'udp'
      ? answerTo(query.bytes, { truncated: true })
      : { ok: false, kind: 'unreachable', detail: 'nothing listens at 192.0.2.53:53 (ECONNREFUSED)' },
  );
  const result = await check();
  assert.equal(kind(result), 'truncated');
  assert.match(result.failure?.text ?? '', /cut short \(TC=1\), and over TCP none: nothing listens/);
  const still = bench((query) => answerTo(query.bytes, { truncated: true }));
  assert.equal(kind(await still.check()), 'truncated');
});

test('a server that knows no EDNS is asked without it', async () => {
  const { dns, check } = bench((query) => (query.edns ? answerTo(query.bytes, { rcode: 'FORMERR' }) : right(query)));
  assert.equal(kind(await check()), 'right');
  assert.deepEqual(
    dns.seen.map(({ edns }) => edns),
    [true, false],
  );
  const never = bench(says({ rcode: 'NOTIMP' }));
  assert.equal(kind(await never.check()), 'other');
});

test('SERVFAIL is asked again with CD=1, and the zone’s own server without recursion', async () => {
  const { dns, check } = bench(
    (query) =>
      query.server === control || query.unchecked ? right(query) : answerTo(query.bytes, { rcode: 'SERVFAIL' }),
    { control },
  );
  const result = await check();
  assert.equal(kind(result), 'bogus');
  assert.equal(result.control, 'right');
  assert.deepEqual(
    dns.seen.map(({ server, unchecked, recursion }) => [server.address, unchecked, recursion]),
    [
      ['192.0.2.53', false, true],
      ['192.0.2.53', true, true],
      ['198.51.100.7', false, false],
    ],
  );
  assert.equal(new Set(dns.seen.map(({ name }) => name)).size, 1);
});

test('the resolver is broken where the control is right, and the zone is down where it fails, too', async () => {
  const silent = (query: SeenQuery): Reply => (query.server === control ? right(query) : 'silence');
  const broken = await bench(silent, { control }).check();
  assert.deepEqual([kind(broken), broken.control], ['timeout', 'right']);
  const down = await bench(() => 'silence', { control }).check();
  assert.deepEqual([kind(down), down.control], ['timeout', 'failed']);
});

test('the zone’s own server has time to answer, however little the resolver has', async () => {
  const { dns, check } = bench((query) => (query.server === control ? right(query) : 'silence'), {
    control,
    timeout: 100,
  });
  const given: number[] = [];
  const exchange = dns.exchange.bind(dns);
  dns.exchange = (server, question, signal) => {
    given.push(question.timeout);
    return exchange(server, question, signal);
  };
  await check();
  assert.deepEqual(given, [100, 5000]);
});

test('a healthy resolver costs the control nothing', async () => {
  const { dns, check } = bench(right, { control });
  assert.equal((await check()).control, undefined);
  assert.equal(dns.seen.length, 1);
});

test('a portal is asked for a second name and unmasked', async () => {
  const { dns, check } = bench(says({ addresses: ['203.0.113.80'] }));
  const result = await check();
  assert.equal(kind(result), 'wrong');
  assert.match(result.failure?.text ?? '', /everything is answered with 203\.0\.113\.80/);
  assert.equal(new Set(dns.seen.map(({ name }) => name)).size, 2);
});

test('the address of the name before is stale, and so is the one of an old key', async () => {
  let last: string | undefined;
  const { check } = bench((query) => {
    const reply = answerTo(query.bytes, { addresses: [last ?? rightFor(query)] });
    last ??= rightFor(query);
    return reply;
  });
  const first = await check();
  assert.equal(kind(first), 'right');
  const second = await check();
  assert.equal(kind(second), 'stale');
  assert.ok(second.failure?.text.includes(`the address of ${first.name}, a name that was asked before`));
  const old = new NameHash('last year');
  const oldKey = bench((query) => answerTo(query.bytes, { addresses: [old.address(query.name, 4)] }), {
    oldHashes: [old],
  });
  const third = await oldKey.check();
  assert.equal(kind(third), 'stale');
  assert.match(third.failure?.text ?? '', /this name under the old key/);
});

test('a fixed name whose address filters drop is stripped, not just empty', async () => {
  // 10.203.… is what BLAKE2s gives for one name in 256: looked for, not made up.
  const names = Array.from({ length: 5000 }, (_, index) => `n${index}.test.example`);
  const fixed = names.find((each) => hash.address(each, 4).startsWith('10.'));
  assert.ok(fixed !== undefined);
  const { dns, check } = bench((query) => (query.server === control ? right(query) : answerTo(query.bytes)), {
    template: { text: fixed, places: 0 },
    control,
  });
  const result = await check();
  assert.deepEqual([kind(result), result.control, result.name], ['stripped', 'right', fixed]);
  assert.equal(dns.seen.length, 2);
});

test('the time of a check is that of the first question alone', async () => {
  const clock = new FakeClock();
  const { dns, check } = bench(() => 'silence', { control, slow: 100 }, { clock });
  const wait = dns.exchange.bind(dns);
  dns.exchange = async (...args) => {
    await clock.advance(300);
    return wait(...args);
  };
  const result = await check();
  assert.deepEqual([result.at, result.elapsed], [0, 300]);
  assert.equal(clock.monotonic(), 600);
  dns.script = right;
  const slow = await check();
  assert.equal(kind(slow), 'slow');
  assert.match(slow.failure?.text ?? '', /after 300 ms \(limit 100 ms\)/);
});

test('a check that has little time keeps half of it for the zone’s own server', async () => {
  const clock = new FakeClock();
  const dns = new FakeDnsTransport();
  const limits: number[] = [];
  const exchange = dns.exchange.bind(dns);
  dns.exchange = async (server, question, signal) => {
    limits.push(question.timeout);
    await clock.advance(question.timeout);
    return exchange(server, question, signal);
  };
  const { choice } = readResolver('192.0.2.53');
  assert.ok(choice !== undefined);
  const template = { text: '@.test.example', places: 1 };
  const options: ProberOptions = { resolver: choice, template, family: 4, hash, timeout: 5000, control };
  const prober = new Prober(options, { clock, random: randomBytes, dns, libc: noLibc });
  assert.equal(kind(await prober.check(never, 2000)), 'timeout');
  assert.deepEqual([limits.splice(0), clock.monotonic()], [[1000, 1000], 2000]);
  await prober.check(never, 60_000);
  assert.deepEqual(limits.splice(0), [5000, 5000]);
  dns.script = (query) => answerTo(query.bytes, { rcode: 'SERVFAIL' });
  const begun = clock.monotonic();
  const servfail = await prober.check(never, 4000);
  assert.deepEqual([limits, clock.monotonic() - begun], [[2000, 1000, 1000], 4000]);
  assert.deepEqual([kind(servfail), servfail.control], ['servfail', 'failed']);
});

test('mixed case reaches the server, and an answer in other case is none', async () => {
  const honest = bench(right, { mixedCase: true });
  assert.equal(kind(await honest.check()), 'right');
  const asked = Array.from({ length: 4 }, () => honest.check());
  await Promise.all(asked);
  assert.ok(honest.dns.seen.some(({ name }) => /[A-Z]/.test(name)));
  const lowering = bench(
    (query) => {
      const bytes = Buffer.from(query.bytes);
      for (let at = 12; at < bytes.length; at++) {
        const byte = bytes[at] ?? 0;
        if (byte >= 65 && byte <= 90) bytes[at] = byte + 32;
      }
      return answerTo(bytes, { addresses: [rightFor(query)] });
    },
    { mixedCase: true },
  );
  assert.equal(kind(await lowering.check()), 'malformed');
});

test('libc is asked for the family, once, and is asked nothing that it cannot say', async () => {
  const asked: unknown[] = [];
  const libc: AddressLookup = {
    lookup(name, family, timeout) {
      asked.push([name, family, timeout]);
      return Promise.resolve({ ok: false, code: 'EAI_AGAIN', empty: false });
    },
  };
  const { choice } = readResolver('system');
  assert.ok(choice !== undefined);
  const { dns, check } = bench(right, { resolver: choice, family: 6, control }, { libc });
  const result = await check();
  assert.deepEqual([kind(result), result.control], ['servfail', 'right']);
  assert.deepEqual(asked, [[result.name, 6, 5000]]);
  assert.deepEqual(
    dns.seen.map(({ server, unchecked }) => [server.address, unchecked]),
    [['198.51.100.7', false]],
  );
});

test('an aborted check rejects with the reason', async () => {
  const reason = new Error('enough');
  await assert.rejects(bench(right).check(AbortSignal.abort(reason)), reason);
});
