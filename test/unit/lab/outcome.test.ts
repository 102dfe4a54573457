/** How the lab reads what curl and nft say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countersOf } from '../../../src/lab/counters.ts';
import { curlArguments, curlResult } from '../../../src/lab/curl.ts';

const outcome = (stdout: string[], stderr = '', expect = 200) =>
  curlResult({ code: 0, stdout: stdout.join('\n'), stderr, timedOut: false }, { expect });

test('a whole answer with the expected code is a success, and says which way it came', () => {
  assert.deepEqual(outcome(['200', '0.0123', '62.80.0.1', '98304', '0', 'exit', '']), {
    ok: true,
    status: 200,
    ms: 12,
    via: 'tunnel',
    address: '62.80.0.1',
    bytes: 98304,
    reason: undefined,
    error: undefined,
  });
  assert.equal(outcome(['302', '0.1', '62.80.0.1', '9', '0', 'isp', '']).reason, 'status');
  assert.equal(outcome(['302', '0.1', '62.80.0.1', '9', '0', 'isp', ''], '', 302).ok, true);
});

test('each way to fail has its reason', () => {
  const reason = (exit: number, message = '', stderr = ''): string | undefined =>
    outcome(['000', '1', '', '0', `${exit}`, '', message], stderr).reason;
  assert.equal(reason(28), 'timeout');
  assert.equal(reason(7, 'x', '* connect to 62.1.1.1 port 443 failed: Connection refused'), 'refused');
  assert.equal(reason(7, 'x', '* connect to 62.1.1.1 port 443 failed: No route to host'), 'unreachable');
  assert.equal(reason(7, 'x', '* connect to 2a10::1 port 443 failed: Permission denied'), 'unreachable');
  assert.equal(reason(35, 'Recv failure: Connection reset by peer'), 'reset');
  assert.equal(reason(56, 'Recv failure: Connection reset by peer'), 'reset');
  assert.equal(reason(60), 'certificate');
  assert.equal(reason(6), 'resolve');
  assert.equal(reason(1, 'Received HTTP/0.9 when not allowed'), 'protocol');
  assert.equal(outcome([]).reason, 'other');
});

test('curl asks for a name only, at the pinned address', () => {
  const argv = curlArguments('Video.Example', { scheme: 'http', address: '2a10::1', path: '/x' }, '/ca.pem');
  assert.equal(argv.at(-1), 'http://video.example/x');
  assert.equal(argv[argv.indexOf('--resolve') + 1], 'video.example:80:[2a10::1]');
  assert.throws(() => curlArguments('-o/etc/passwd', {}, '/ca.pem'), { code: 'lab-target' });
});

test('counters are read by address, without those of the links', () => {
  const set = (name: string, val: string, packets: number, bytes: number) => ({
    set: { name, elem: [{ elem: { val, counter: { packets, bytes } } }] },
  });
  const json = JSON.stringify({
    nftables: [
      { metainfo: {} },
      set('sent4', '62.80.0.1', 1, 60),
      set('received4', '62.80.0.1', 2, 120),
      set('received6', '2a10:80:1::1', 3, 300),
      set('sent4', '62.10.1.1', 9, 9),
      { set: { name: 'sent6' } },
      { map: { name: 'verdict4', elem: [['62.80.0.1', { drop: null }]] } },
    ],
  });
  assert.deepEqual(countersOf(json), {
    '62.80.0.1': { sent: { packets: 1, bytes: 60 }, received: { packets: 2, bytes: 120 } },
    '2a10:80:1::1': { sent: { packets: 0, bytes: 0 }, received: { packets: 3, bytes: 300 } },
  });
});
