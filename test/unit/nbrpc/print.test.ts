/** Prints, zones and the rehearsal's file. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { printState, timeFormat } from '../../../src/nbrpc/print.ts';
import { Replay } from '../../../src/nbrpc/replay.ts';
import { resolveHost } from '../../../src/nbrpc/resolve.ts';
import { parseZoneSpec, printZone, type ZoneFormat } from '../../../src/nbrpc/zone.ts';
import { entry, policy, state } from './build-state.ts';

const all = state(
  entry('a.org', { state: 'ok' }, '9.0.0.1=ok 10.0.0.1=na 1::1=ok 8.0.0.1=ok-'),
  entry('b.com.', { state: null, policy: 'pick.4D' }, '1.1.1.1=? 1.1.1.2=ok 1::1=ok'),
  entry('none.org', { state: 'ok' }, ''),
);

describe('the printed state', () => {
  const time = timeFormat('UTC');

  it('has hosts by their reversed names, newest addresses first, IPv4 before IPv6', () => {
    assert.equal(
      printState(all, { time, width: 110 }),
      `
b.com. [https ??? @ 1970-01-01.00:00]:
 *1.1.1.1 :: [1970-01-01.00:00] ???
 *1.1.1.2 :: [1970-01-01.00:01] ok
 *1::1 :: [1970-01-01.00:01] ok

a.org [https OK @ 1970-01-01.00:00]:
 *10.0.0.1 :: [1970-01-01.00:01] na
 *9.0.0.1 :: [1970-01-01.00:01] ok
 *1::1 :: [1970-01-01.00:01] ok
  8.0.0.1 :: [1970-01-01.00:01] ok

`,
    );
  });

  it('has the reason of a failure, and the bare word where there is none', () => {
    const host = entry('a', { state: 'na' }, '1.1.1.1=na 1.1.1.2=na 1.1.1.3=ok 1.1.1.4=skipped');
    const reasons = new Map(
      [...host.addresses].map(([key, value]) => [key, { ...value, reason: key.endsWith('2') ? '' : 'tls reset' }]),
    );
    const text = printState(state({ ...host, addresses: reasons }), { time: () => 'T', width: 110 });
    const words = ['tls reset', 'na', 'ok', 'skipped'].map((word, i) => ` *1.1.1.${i + 1} :: [T] ${word}\n`).join('');
    assert.equal(text, `\na [https blocked @ T]:\n${words}\n`);
  });

  it('cuts long lines by characters, and never within one', () => {
    const host = entry('a', { state: 'na' }, '1.1.1.1=na');
    const reason = '😀'.repeat(20);
    const reasons = new Map([...host.addresses].map(([key, value]) => [key, { ...value, reason }]));
    const line = (width: number): string | undefined =>
      printState(state({ ...host, addresses: reasons }), { time: () => 'T', width }).split('\n')[2];
    assert.equal(line(37), ` *1.1.1.1 :: [T] ${reason}`);
    assert.equal(line(36), ` *1.1.1.1 :: [T] ${'😀'.repeat(16)}...`);
  });

  it('cuts long lines', () => {
    const lines = printState(all, { time, width: 20 }).split('\n');
    assert.equal(lines[1], 'b.com. [https ???...');
    assert.ok(lines.every((line) => line.length <= 20));
  });

  it('has times in the asked zone', () => {
    assert.equal(timeFormat('Asia/Kolkata')(1767225600), '2026-01-01.05:30');
    assert.throws(() => timeFormat('Nowhere/Else'), RangeError);
  });
});

describe('a zone', () => {
  const zone = (text: string, format: ZoneFormat = 'hosts') =>
    printZone(all, [parseZoneSpec(text)], policy('af-all'), { format, random: () => 0, serial: 7 });

  it('takes what its prefixes say, and the flags of the host without any', () => {
    assert.equal(zone('org'), '10.0.0.1 a.org\n9.0.0.1 a.org\n1::1 a.org\n8.0.0.1 a.org\n');
    assert.equal(zone('com'), '1.1.1.2 b.com.\n');
    assert.equal(zone('@com'), '1.1.1.1 b.com.\n1.1.1.2 b.com.\n1::1 b.com.\n');
    assert.equal(zone('+@@org'), '10.0.0.1 a.org\n9.0.0.1 a.org\n');
    assert.equal(zone('+*>org'), '9.0.0.1 a.org\n1::1 a.org\n8.0.0.1 a.org\n');
    assert.equal(zone('%>org').split('\n').length, 4);
  });

  it('takes patterns as Python writes them', () => {
    assert.notEqual(zone('(?i)A\\.ORG\\Z'), '');
    assert.notEqual(zone('\\Aa\\.(?P<tld>org)$'), '');
    assert.notEqual(zone('(?ui)A\\.org'), '');
    assert.equal(zone('(?a)A\\.org'), '');
    assert.equal(zone('^org'), '');
    assert.throws(() => parseZoneSpec('@(('), { code: 'usage' });
  });

  it('comes in another order with % and with flag R', () => {
    const hosts = state(
      entry('p.x', { state: 'ok' }, '1.1.1.1=ok 1.1.1.2=ok 1.1.1.3=ok'),
      entry('r.x', { state: 'ok', policy: 'R' }, '1.1.1.1=ok 1.1.1.2=ok 1.1.1.3=ok'),
    );
    const order = (spec: string, ...chances: number[]): string => {
      const random = (): number => chances.shift() ?? assert.fail('one more chance than addresses need');
      const text = printZone(hosts, [parseZoneSpec(spec)], policy('af-all'), { format: 'hosts', random, serial: 1 });
      return text.replaceAll(/1\.1\.1\.(\d) \S+\n/g, '$1');
    };
    assert.equal(order('^p'), '123');
    assert.equal(order('^r', 0, 0), '231');
    assert.equal(order('@^r'), '123');
    assert.equal(order('%^p', 0.99, 0.99), '123');
    assert.equal(order('%^p', 0.5, 0), '312');
  });

  it('has the shapes of dnsmasq and of a response policy zone', () => {
    assert.equal(
      zone('*@^a|com', 'dnsmasq'),
      'local=/b.com/\nhost-record=b.com,1::1\nlocal=/a.org/\nhost-record=a.org,1::1\n',
    );
    assert.equal(zone('@com', 'dnsmasq').split('\n')[0], 'local=/b.com/');
    assert.equal(
      zone('@com', 'rpz'),
      '$TTL 300\n@ SOA localhost. hostmaster.localhost. 7 3600 600 604800 300\n@ NS localhost.\n' +
        'b.com A 1.1.1.1\nb.com A 1.1.1.2\nb.com AAAA 1::1\n',
    );
    const odd = state(
      entry('a=200', {}, '1.1.1.1=ok'),
      entry('9.9.9.9', {}, '9.9.9.9=ok'),
      entry('x.y', {}, '1.1.1.1=na'),
    );
    const print = (format: ZoneFormat): string =>
      printZone(odd, [parseZoneSpec('>.')], policy('af-all'), { format, random: () => 0, serial: 1 });
    assert.equal(print('dnsmasq'), '', 'names that it would not start with, and names without an address');
    assert.ok(print('rpz').includes('\n9.9.9.9 A 9.9.9.9\n'));
  });

  it('keeps the zone line where no record is left', () => {
    assert.equal(zone('*>@^a', 'unbound'), "local-zone: a.org. static\nlocal-data: 'a.org AAAA 1::1'\n");
    const none = state(entry('x', { state: 'na' }, '1.1.1.1=na'));
    assert.equal(
      printZone(none, [parseZoneSpec('>.')], policy('af-all'), { format: 'unbound', random: () => 0, serial: 7 }),
      'local-zone: x. static\n',
    );
  });
});

describe('a rehearsal', () => {
  const check = { type: 'https', path: '/', result: '' };
  const codes = new Set([200, 503]);

  it('answers by host, and has results by address: the last item counts', async () => {
    const replay = Replay.parse(
      'a@1.1.1.1 a@1::0:3=503\nb@1.1.1.1=200 9.9.9.9=404\n 9.9.9.9= a=200@2.2.2.2 3.3.3.3=0',
      'r',
    );
    assert.deepEqual(await replay.resolve({ name: 'a', timeout: 1 }), { ok: true, addresses: ['1.1.1.1', '1::3'] });
    assert.deepEqual(await replay.resolve({ name: 'a=200', timeout: 1 }), { ok: true, addresses: ['2.2.2.2'] });
    assert.equal((await replay.resolve({ name: 'c', timeout: 1 })).ok, false);
    const result = async (address: string, expected = codes) =>
      (await replay.check({ host: 'x', address, check }, expected)).kind;
    assert.equal(await result('1.1.1.1'), 'ok');
    assert.equal(await result('1::3'), 'ok');
    assert.equal(await result('9.9.9.9'), 'fail');
    assert.equal(await result('9.9.9.9', new Set([-1])), 'ok');
    assert.equal(await result('2.2.2.2'), 'ok');
    assert.equal(await result('3.3.3.3'), 'fail');
    assert.equal(await result('4.4.4.4'), 'none');
  });

  it('answers with as many addresses as the file has', async () => {
    const addresses = Array.from({ length: 250 }, (_, i) => `10.0.0.${i}`).sort();
    const replay = Replay.parse(addresses.map((address) => `a@${address}`).join('\n'), 'r');
    const { signal } = new AbortController();
    const resolved = await resolveHost(replay, 'a', null, { timeout: 1, filter: false }, signal);
    assert.deepEqual([resolved.addresses, resolved.surplus], [addresses, 0]);
  });

  it('tells every item that is wrong', () => {
    assert.throws(() => Replay.parse('a@x\n 1.1.1.1=two 1.1.1.1=200/301', 'r'), {
      code: 'usage',
      message: /^r:1:1: a@x: .*\nr:2:2: 1\.1\.1\.1=two: .*\nr:2:14: /,
    });
  });
});
