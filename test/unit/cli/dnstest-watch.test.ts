/** `netsteward dnstest watch`: what its command line comes to, and how resolvers under watch are shown. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { renderDnstest } from '../../../src/cli/dnstest-view.ts';
import { planWatch, readRhythm } from '../../../src/cli/dnstest-watch-run.ts';
import type { DnstestDetail, ResolverEntry } from '../../../src/dnstest/index.ts';
import { mainJs } from '../../checkout.ts';

test('interval, retries and time-out are seconds with fractions, the retries rounded, as in the original', () => {
  assert.deepEqual(readRhythm('150:6:100'), { interval: 150_000, retries: 6, timeout: 100_000 });
  assert.deepEqual(readRhythm('.5:3.6:2.25'), { interval: 500, retries: 4, timeout: 2250 });
  assert.equal(readRhythm('1:0:0').retries, 0);
  for (const text of ['1:2', '1:2:3:4', 'a:b:c', '-1:2:3', '1::3', '1:1e9:1']) {
    assert.throws(() => readRhythm(text), { code: 'usage', message: /is not interval:retries:timeout/ }, text);
  }
});

test('with resolvers that are named the time-out is shared; as the original’s -c alone it is not', () => {
  const shareOf = (...resolver: string[]): number | undefined =>
    planWatch({ name: '@.x', resolver, continuous: '150:4:100' }).rhythm.share;
  assert.equal(shareOf(), undefined);
  assert.equal(shareOf('192.0.2.1'), 20_000);
});

test('cures keep the order of the command line; commands go through a shell, units do not', () => {
  const { cures, guard } = planWatch({
    name: '@.test.example',
    ping: '192.0.2.1',
    tcp: ['[2001:db8::1]:443'],
    settle: 10,
    cures: [
      { kind: 'restart', what: 'unbound.service' },
      { kind: 'flush', what: 'unbound-control flush_zone x | cat' },
    ],
  });
  const common = { timeout: 120_000, settle: 10 };
  assert.deepEqual(cures, [
    { kind: 'restart', unit: 'unbound.service', ...common },
    { kind: 'flush', command: ['/bin/sh', '-c', 'unbound-control flush_zone x | cat'], ...common },
  ]);
  const tcp = [{ address: '2001:db8::1', port: 443 }];
  assert.deepEqual(guard, { uplink: false, ping: ['192.0.2.1'], tcp, timeout: 30_000 });
  assert.throws(() => planWatch({ name: '@.x', tcp: ['example.org:443'] }), { code: 'usage', message: /^--tcp: / });
});

test('a wrong command line ends with 2, as the original’s', () => {
  const run = (...words: string[]) => spawnSync(process.execPath, [mainJs, 'dnstest', ...words], { encoding: 'utf8' });
  for (const words of [
    ['watch'],
    ['watch', '-c', '1:2', '@.x'],
    ['-c', 'soon', '@.x'],
    ['watch', '--rest', '5', '@.x'],
    ['watch', '--restart', '', '@.x'],
  ]) {
    const { status, stderr } = run(...words);
    assert.equal(status, 2, `${words.join(' ')}: ${stderr}`);
    assert.notEqual(stderr, '');
  }
});

const entry: ResolverEntry = {
  resolver: 'udp://127.0.0.1:53',
  phase: 'failing',
  failingSince: 940_000,
  reason: 'no answer in time',
  latency: 1000.2,
  checks: 104,
  histogram: [0, 98, 1, 1],
  sum: 205.5,
  failures: { timeout: 4 },
  cures: ['flush (x)', 'restart of unbound.service'],
  tried: 1,
  restUntil: null,
  switched: ['/etc/resolv.conf'],
};

test('the status shows how a resolver answers, what was tried, and what happened lately', () => {
  const detail: DnstestDetail = {
    name: '@.x',
    serve: { zones: ['x'], at: ['192.0.2.1:53'], answered: { udp: 5, tcp: 1 }, silent: 2 },
    bounds: [1, 2, 5],
    resolvers: [
      entry,
      { ...entry, resolver: 'system', phase: 'well', failingSince: null, reason: null, cures: [], switched: [] },
    ],
    history: [{ at: 940_000, resolver: 'udp://127.0.0.1:53', kind: 'failed', text: 'no answer in time' }],
  };
  assert.deepEqual(renderDnstest(detail, 1_000_000), [
    'serves x at 192.0.2.1:53: 5 answers over UDP, 1 over TCP, 2 messages not answered',
    'udp://127.0.0.1:53: failing for 1m: no answer in time',
    '  104 checks, 100 right, 4 timeout, last 1000.2 ms, median within 2 ms, p99 within 5 ms',
    '  cures: flush (x) (tried), restart of unbound.service',
    '  leads to a fallback: /etc/resolv.conf',
    'system: well',
    '  104 checks, 100 right, 4 timeout, last 1000.2 ms, median within 2 ms, p99 within 5 ms',
    'lately:',
    '  1m ago udp://127.0.0.1:53: failed: no answer in time',
  ]);
});
