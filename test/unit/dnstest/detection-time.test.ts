/** From the configuration to the cure in virtual time: a broken resolver is found within interval and time-out, checks and guard included. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sleep } from '../../../src/core/clock.ts';
import { parseDnstest } from '../../../src/dnstest/config.ts';
import { foot } from '../../../src/dnstest/ladder.ts';
import { NameHash } from '../../../src/dnstest/name-hash.ts';
import type { DnsWatchPorts } from '../../../src/dnstest/ports.ts';
import { watchedResolvers } from '../../../src/dnstest/watched.ts';
import { Watches } from '../../../src/dnstest/watches.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { type AnswerShape, answerTo, FakeDnsTransport } from '../../fakes/fake-dns-transport.ts';
import { FakeSwitchFiles } from '../../fakes/fake-switch-files.ts';
import { FakeUplink } from '../../fakes/fake-uplink.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

const hash = new NameHash('k');
const controlAddress = '198.51.100.7';

type Illness = 'silence' | 'servfail' | 'wrong';

interface Site {
  readonly interval: number;
  readonly retries: number;
  readonly timeout: number;
  readonly control: boolean;
  readonly guard: boolean;
  readonly cure: boolean;
  readonly illness: Illness;
  /** Milliseconds that an answer takes. */
  readonly latency: number;
}

/** Milliseconds. An answer that was on its way when the resolver broke still arrives, and the interval begins with it. */
const bound = ({ interval, timeout, latency }: Site): number => interval + timeout + latency;

/** Milliseconds from the break, at `breaksAt`, until the resolver counts as failing; and until it is cured, where a cure does it. */
async function timesOf(site: Site, breaksAt: number): Promise<{ found: number; cured: number | undefined }> {
  const { interval, retries, timeout, control, guard, cure, illness, latency } = site;
  const clock = new FakeClock();
  const dns = new FakeDnsTransport();
  let broken = false;
  dns.exchange = async (server, question, signal) => {
    const { bytes } = question;
    const right: AnswerShape = { addresses: [hash.address(nameIn(bytes), 4)] };
    const sick = broken && server.address !== controlAddress;
    if (sick && illness === 'silence') {
      await sleep(clock, question.timeout, signal);
      return { ok: false, kind: 'timeout', detail: 'nothing came' };
    }
    await sleep(clock, Math.min(latency, question.timeout), signal);
    if (!sick) return { ok: true, bytes: answerTo(bytes, right) };
    return {
      ok: true,
      bytes: answerTo(bytes, illness === 'wrong' ? { addresses: ['203.0.113.9'] } : { rcode: 'SERVFAIL' }),
    };
  };
  const parsed = parseDnstest({
    name: '@.test',
    hash_key: 'k',
    interval: `${interval}ms`,
    retries,
    timeout: `${timeout}ms`,
    ...(control ? { control: controlAddress } : {}),
    // The slow one answers by ping, just before its time is over; the other never does.
    ...(guard ? { guard: { ping: ['192.0.2.1'], tcp: ['192.0.2.2:443'] } } : {}),
    resolver: [{ address: '192.0.2.53', ...(cure ? { hook: ['mend'], settle: '100ms' } : {}) }],
  });
  assert.ok(parsed.ok);
  const ports: DnsWatchPorts = {
    clock,
    dns,
    log: new MemoryLog(),
    random: (count) => crypto.getRandomValues(new Uint8Array(count)),
    libc: { lookup: () => Promise.reject(new Error('libc was asked')) },
    uplink: new FakeUplink(),
    switches: new FakeSwitchFiles(),
    commands: {
      run: async ({ argv, timeout: limit }, signal) => {
        await sleep(clock, argv[0] === 'fping' ? limit - 1 : 50, signal).catch(() => {});
        if (argv[0] === 'mend') broken = false;
        return { ok: true };
      },
    },
    tcp: {
      reaches: async (_address, _port, limit, signal) => {
        await sleep(clock, limit, signal).catch(() => {});
        return false;
      },
    },
  };
  const watches = new Watches({
    clock,
    log: ports.log,
    watched: watchedResolvers(parsed.config, ports),
    store: undefined,
    ladders: () => foot,
  });
  const stop = new AbortController();
  const running = watches.run(stop.signal).catch(() => {});
  await clock.advance(breaksAt);
  assert.equal(watches.history.length, 0, 'a healthy resolver was accused');
  broken = true;
  await clock.advance(bound(site));
  stop.abort();
  await clock.advance(0);
  await running;
  const [failed] = watches.history;
  const began = clock.now() - clock.monotonic() + breaksAt;
  const curedAt = watches.history.find(({ kind }) => kind === 'cured')?.at;
  assert.equal(failed?.kind, 'failed', `not found within ${bound(site)} ms`);
  return { found: failed.at - began, cured: curedAt === undefined ? undefined : curedAt - began };
}

/** Of the question: labels with dots between them. */
function nameIn(message: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 12; message[at] !== 0; at += 1 + (message[at] as number)) {
    labels.push(Buffer.from(message.subarray(at + 1, at + 1 + (message[at] as number))).toString('latin1'));
  }
  return labels.join('.');
}

const sites = fc.record({
  interval: fc.integer({ min: 1000, max: 150_000 }),
  retries: fc.integer({ min: 0, max: 6 }),
  // Two seconds and more for each check, a cure counted.
  timeout: fc.integer({ min: 16_000, max: 100_000 }),
  control: fc.boolean(),
  guard: fc.boolean(),
  cure: fc.boolean(),
  illness: fc.constantFrom<Illness>('silence', 'servfail', 'wrong'),
  latency: fc.integer({ min: 1, max: 400 }),
});

test('a resolver that breaks at any moment is found and cured within interval and time-out', async () => {
  await fc.assert(
    fc.asyncProperty(sites, fc.integer({ min: 1, max: 400_000 }), async (site, breaksAt) => {
      const { found, cured } = await timesOf(site, breaksAt);
      assert.ok(found <= bound(site), `found after ${found} ms`);
      if (site.cure) assert.ok(cured !== undefined && cured <= bound(site), `cured after ${cured} ms`);
    }),
    { numRuns: 150 },
  );
});

test('the usual rhythm finds a hung resolver in less than 250 s, with every second question and the guard at their longest', async () => {
  const site: Site = {
    interval: 150_000,
    retries: 6,
    timeout: 100_000,
    control: true,
    guard: true,
    cure: true,
    illness: 'silence',
    latency: 20,
  };
  // Just after a check has ended: the worst moment.
  const { found, cured } = await timesOf(site, 21);
  assert.ok(found > 200_000 && found <= 237_500, `found after ${found} ms`);
  assert.ok(cured !== undefined && cured <= 250_000, `cured after ${cured} ms`);
});
