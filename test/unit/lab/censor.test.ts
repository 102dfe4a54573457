/** What the censor's rules come to for the packet filter and the middlebox. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { censorRule, censorScript, parseTarget, planCensor } from '../../../src/lab/censor.ts';
import { serviceOf } from '../../../src/lab/service.ts';
import type { CensorKind } from '../../../src/lab/vocabulary.ts';

const video = serviceOf({ name: 'video.example', ipv4: ['62.1.1.1', '62.1.1.2'], ipv6: ['2a10::1'] }, 0);
/** Shares an address with video.example, as behind a CDN. */
const news = serviceOf({ name: 'news.example', ipv4: ['62.1.1.2', '62.1.1.3'], ipv6: [] }, 1);

function plan(...rules: readonly (readonly [string, CensorKind])[]) {
  return planCensor(
    rules.map(([target, kind]) => censorRule(parseTarget(target), kind)),
    [video, news],
  );
}

test('a name that is dropped takes all its addresses with it, shared ones too', () => {
  const { verdicts, diversions, poison } = plan(['video.example', 'drop']);
  assert.deepEqual(
    [...verdicts],
    [
      ['62.1.1.1', 'drop'],
      ['62.1.1.2', 'drop'],
      ['2a10::1', 'drop'],
    ],
  );
  assert.equal(diversions.length + poison.size, 0);
});

test('what looks inside is diverted, only at the ports it looks at, and only for its name', () => {
  const { verdicts, diversions } = plan(['video.example', 'sni']);
  assert.equal(verdicts.size, 0);
  assert.deepEqual(
    diversions.map(({ address, port, rules }) => [address, port, rules[0]?.kind, rules[0]?.name]),
    [
      ['62.1.1.1', 443, 'sni', 'video.example'],
      ['62.1.1.2', 443, 'sni', 'video.example'],
      ['2a10::1', 443, 'sni', 'video.example'],
    ],
  );
  assert.deepEqual(
    plan(['62.1.1.1', 'stall']).diversions.map(({ address, port, rules }) => [address, port, rules[0]?.name]),
    [
      ['62.1.1.1', 80, undefined],
      ['62.1.1.1', 443, undefined],
    ],
  );
});

test('two names at one address are looked for one after the other', () => {
  const shared = plan(['video.example', 'sni'], ['news.example', 'hijack']).diversions.find(
    ({ address, port }) => address === '62.1.1.2' && port === 443,
  );
  assert.deepEqual(
    shared?.rules.map(({ kind, name }) => `${kind} ${name}`),
    ['sni video.example', 'hijack news.example'],
  );
});

test('the more specific rule goes first: address, then name, then family', () => {
  const both = plan(['ipv4', 'drop'], ['video.example', 'sni'], ['62.1.1.1', 'rst']);
  assert.deepEqual(both.families, { ipv4: 'drop', ipv6: undefined });
  assert.equal(both.verdicts.get('62.1.1.1'), 'rst');
  assert.equal(both.verdicts.get('62.1.1.2'), 'accept', 'exempt from the family, or nobody could look inside');
  assert.equal(both.verdicts.get('62.1.1.3'), undefined, "the family's");
});

test('an address that nobody serves can be censored too', () => {
  assert.equal(plan(['62.9.9.9', 'icmp']).verdicts.get('62.9.9.9'), 'icmp');
  assert.equal(plan(['62.9.9.9', 'hijack']).diversions.length, 2);
});

test('dns is forged for names only', () => {
  assert.deepEqual(plan(['video.example', 'dns']).poison.get('video.example'), ['10.66.66.66', 'fd66::66']);
  assert.equal(plan(['video.example', 'nxdomain']).poison.get('video.example'), 'nxdomain');
  assert.throws(() => plan(['62.1.1.1', 'dns']), { code: 'lab-target' });
  assert.throws(() => plan(['62.1.1.1', 'nxdomain']), { code: 'lab-target' });
  assert.throws(() => plan(['ipv6', 'dns']), { code: 'lab-target' });
});

test('targets are told apart, and what is none is refused', () => {
  assert.deepEqual(parseTarget('IPv6'), { type: 'family', value: 'ipv6' });
  assert.deepEqual(parseTarget('2A10:0::1'), { type: 'address', value: '2a10::1' });
  assert.deepEqual(parseTarget('Video.Example.'), { type: 'name', value: 'video.example' });
  for (const text of ['', 'a b', 'a..b', '-', 'x; flush ruleset', '1.2.3.4/8', 'fe80::1%eth0']) {
    assert.throws(() => parseTarget(text), { code: 'lab-target' }, text);
  }
});

test('options that would break out of a header or of a ruleset are refused', () => {
  const target = parseTarget('video.example');
  for (const options of [
    { location: 'http://a/\r\nx: y' },
    { addresses: ['1.2.3.4 }'] },
    { after: -1 },
    { after: 1.5 },
    { rate: 0 },
    { rate: 0.5 },
  ]) {
    assert.throws(() => censorRule(target, 'stall', options), { code: 'lab-target' });
  }
});

test('the script empties every map and chain before it fills them', () => {
  const ports = {
    diversions: { '62.1.1.3 443': 4001, '62.1.1.2 443': 4002 },
    dns: { udp4: 1, udp6: 2, tcp4: 3, tcp6: 4 },
  };
  const script = censorScript(
    plan(['ipv6', 'icmp'], ['62.1.1.1', 'rst'], ['news.example', 'sni'], ['video.example', 'dns']),
    ports,
  );
  assert.deepEqual(script.trim().split('\n'), [
    'flush map inet lab verdict4',
    'add element inet lab verdict4 { 62.1.1.1 : goto with-rst }',
    'flush chain inet lab family4',
    'flush map inet lab tcp4',
    'add element inet lab tcp4 { 62.1.1.2 . 443 : 4002, 62.1.1.3 . 443 : 4001, 62.53.0.53 . 53 : 3 }',
    'flush map inet lab udp4',
    'add element inet lab udp4 { 62.53.0.53 . 53 : 1 }',
    'flush map inet lab verdict6',
    'flush chain inet lab family6',
    'add rule inet lab family6 goto with-icmp',
    'flush map inet lab tcp6',
    'add element inet lab tcp6 { 2a10:53::53 . 53 : 4 }',
    'flush map inet lab udp6',
    'add element inet lab udp6 { 2a10:53::53 . 53 : 2 }',
  ]);
});
