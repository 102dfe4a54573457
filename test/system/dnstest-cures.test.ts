/** The supervisor's watchdog under real systemd: a real unbound frozen, failing and silent is cured, and a healthy one is let be. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DnstestDetail, ResolverEntry } from '../../src/dnstest/index.ts';
import type { Container } from './container.ts';
import { bootSite, daemon, freeze, key, mainPid, makeDrop, makeServfail, name, skip } from './dnstest-site.ts';
import { eventually } from './eventually.ts';

const label = 'udp://127.0.0.1:53';
const other = 'udp://127.0.0.3:53';

const configuration = `
[dnstest]
name = "${name}"
hash_key = "${key}"
control = "127.0.0.2"
interval = "1s"
retries = 1
timeout = "9s"
check_timeout = "1s"
rest = "1s"
calm = "0s"
grace = "3m"
[dnstest.guard]
uplink = false
tcp = ["127.0.0.9:9"]
[[dnstest.resolver]]
address = "127.0.0.1"
flush = ["unbound-control", "flush_zone", "test.example"]
restart = "unbound.service"
cure_timeout = "5s"
settle = "500ms"
[[dnstest.resolver]]
address = "127.0.0.3"
fallback_file = "/etc/forward.conf"
fallback_content = "fallback"
fallback_command = ["cp", "/etc/forward.conf", "/run/forward.read"]
fallback_resolver = "127.0.0.2"
settle = "0s"
`;

describe('the watchdog in the supervisor', { skip }, () => {
  let box: Container;
  let seen = 0;

  const status = async (): Promise<DnstestDetail> =>
    JSON.parse(await box.run(['netsteward', 'dnstest', 'status', '--json'])) as DnstestDetail;
  const entry = async (which = label): Promise<ResolverEntry> => {
    const found = (await status()).resolvers.find((one) => one.resolver === which);
    return found ?? assert.fail(`${which} is not watched`);
  };
  /** Happenings of the resolver since the last call, from the log: `failed`, `cure: trying …`. */
  const events = async (): Promise<string[]> => {
    const lines = (await box.journal('-u', 'netsteward.service')).map(({ MESSAGE }) => String(MESSAGE));
    const mine = lines
      .filter((line) => line.includes(label))
      .flatMap((line) => /resolver-([a-z-]+)/.exec(line)?.[1] ?? []);
    const fresh = mine.slice(seen);
    seen = mine.length;
    return fresh;
  };
  const phase = (wanted: ResolverEntry['phase'], which = label): Promise<true> =>
    eventually(`${which} is ${wanted}`, async () => (await entry(which)).phase === wanted, { seconds: 60 });
  const checksMore = async (count: number): Promise<void> => {
    const { checks } = await entry();
    await eventually(`${count} checks more`, async () => (await entry()).checks >= checks + count, { seconds: 60 });
  };
  /** Breaks it, waits until it is cured, and gives what happened in between. */
  const curedOf = async (breaks: () => Promise<unknown>): Promise<string[]> => {
    const before = await mainPid(box);
    await breaks();
    await eventually('another unbound', async () => ![0, before].includes(await mainPid(box)), { seconds: 60 });
    await phase('well');
    return events();
  };

  before(async () => {
    box = await bootSite({
      '/etc/netsteward/netsteward.toml': configuration,
      '/etc/forward.conf': 'first',
      '/etc/systemd/system/netsteward.service':
        '[Service]\nType=notify\nWatchdogSec=60\nRuntimeDirectory=netsteward\nExecStart=/usr/bin/netsteward run -c /etc/netsteward/netsteward.toml\n',
    });
    await box.run(['systemctl', 'start', 'netsteward.service'], { timeout: 60_000 });
    await phase('well');
    await events();
  });
  after(() => box?.stop());

  test('leaves a healthy unbound alone', async () => {
    const before = await mainPid(box);
    await checksMore(4);
    assert.equal(await mainPid(box), before);
    assert.deepEqual(await events(), []);
  });

  test('restarts an unbound that was frozen, after the milder cure did not help', async () => {
    // A frozen unbound does not answer its control socket either.
    assert.deepEqual(await curedOf(() => freeze(box)), ['failed', 'cure', 'cure-failed', 'cure', 'cured']);
  });

  test('restarts an unbound that answers SERVFAIL', async () => {
    assert.deepEqual(await curedOf(() => makeServfail(box)), ['failed', 'cure', 'cure', 'cured']);
    assert.ok(((await entry()).failures.servfail ?? 0) > 0);
  });

  test('restarts an unbound that drops queries', async () => {
    assert.deepEqual(await curedOf(() => makeDrop(box)), ['failed', 'cure', 'cure', 'cured']);
    assert.ok(((await entry()).failures.timeout ?? 0) > 0);
  });

  test('does nothing while the test zone is down, and says so', async () => {
    const before = await mainPid(box);
    await box.run(['systemctl', 'stop', daemon]);
    await phase('not judged');
    await checksMore(3);
    assert.match(
      await box.run(['netsteward', 'status']),
      /the test zone is down, so udp:\/\/127\.0\.0\.1:53 cannot be judged/,
    );
    await box.run(['systemctl', 'start', daemon]);
    await phase('well');
    assert.equal(await mainPid(box), before);
    assert.deepEqual(new Set(await events()), new Set(['excused']));
  });

  test('does not start an unbound that somebody has stopped', async () => {
    await box.run(['systemctl', 'stop', 'unbound.service']);
    await phase('failing');
    await eventually('every cure was tried', async () => (await entry()).restUntil !== null, { seconds: 60 });
    assert.equal(await mainPid(box), 0);
    await box.run(['systemctl', 'start', 'unbound.service']);
    await phase('well');
    await events();
  });

  test('switches to a fallback while a resolver fails, and back when it works', async () => {
    await eventually('switched', async () => (await box.read('/etc/forward.conf')) === 'fallback', { seconds: 60 });
    assert.equal(await box.read('/run/forward.read'), 'fallback');
    assert.deepEqual((await entry(other)).switched, ['/etc/forward.conf']);
    const words = ['dnstest', 'serve', '-k', key, '-b', '127.0.0.3'];
    const server = box.spawn(['netsteward', ...words]);
    await eventually('put back', async () => (await box.read('/etc/forward.conf')) === 'first', { seconds: 60 });
    await eventually('read again', async () => (await box.read('/run/forward.read')) === 'first');
    server.kill('SIGTERM');
    await server.finished;
  });
});
