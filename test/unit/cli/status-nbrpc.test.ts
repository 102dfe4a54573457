/** How `netsteward status` shows nbrpc, line by line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderNbrpc } from '../../../src/cli/nbrpc-view.ts';
import { renderStatus } from '../../../src/cli/status-view.ts';
import type { AddressStatus, HostStatus, RunningDetail } from '../../../src/nbrpc/index.ts';
import { ReactionTimes } from '../../../src/nbrpc/reaction-times.ts';

const now = Date.UTC(2026, 0, 2);
const hour = 3_600_000;

const address = (text: string, changes: Partial<AddressStatus> = {}): AddressStatus => ({
  address: text,
  state: 'ok',
  reason: '',
  cause: null,
  checked: now - hour,
  changed: now - hour,
  inDns: true,
  altReason: null,
  rerouted: false,
  ...changes,
});

const host = (name: string, changes: Partial<HostStatus> = {}): HostStatus => ({
  name,
  policy: 'af-all',
  check: 'https',
  standing: 'ok',
  state: 'ok',
  since: now - 2 * hour,
  failingSince: null,
  reason: '',
  cause: null,
  resolved: now,
  addresses: [address('192.0.2.1')],
  moreAddresses: 0,
  rerouted: changes.standing === 'rerouted',
  exit: null,
  ...changes,
});

const counted = <Key extends string>(keys: readonly Key[], of: readonly Key[]) =>
  Object.fromEntries(keys.map((key) => [key, of.filter((each) => each === key).length])) as Record<Key, number>;
const standings = ['dropped', 'rerouted', 'failing', 'unchecked', 'unresolved', 'waiting', 'ok'] as const;
const causes = ['name', 'connect', 'tls', 'http', 'transfer'] as const;
const states = ['ok', 'failing', 'unstable', 'na', 'unknown'] as const;

const detail = (hosts: readonly HostStatus[], changes: Partial<RunningDetail> = {}): RunningDetail => ({
  hosts,
  moreHosts: 0,
  total: hosts.length,
  byStanding: counted(
    standings,
    hosts.map(({ standing }) => standing),
  ),
  byState: counted(
    states,
    hosts.map(({ state }) => state),
  ),
  byCause: counted(
    causes,
    hosts.flatMap(({ cause }) => (cause === null || cause.kind === 'none' ? [] : [cause.kind])),
  ),
  rerouted: hosts.filter((each) => each.rerouted).length,
  blocked: hosts.flatMap((each) => each.addresses).filter((each) => each.rerouted).length,
  lastPass: now - 60_000,
  nextPass: now + 180_000,
  exits: [],
  firstPass: null,
  sets: { connected: true, table: 'owner', lastError: undefined, refills: 0 },
  ...changes,
});

const blocked = host('video.example', {
  state: 'na',
  reason: 'na=1/2',
  standing: 'rerouted',
  addresses: [
    address('192.0.2.1', { state: 'na', reason: 'connection timed out', rerouted: true }),
    address('192.0.2.2', { rerouted: true, inDns: false }),
    address('2001:db8::1', { state: 'unknown', rerouted: true }),
  ],
});

test('where nothing is wrong it is two lines', () => {
  assert.deepEqual(renderNbrpc(detail([host('a.example')]), now), [
    'own table (flag owner): 0 addresses go around; next look in 3m',
    'everything goes direct',
  ]);
});

test('several exits have a line each, and a service names the one that it takes', () => {
  const exits = [
    { name: 'wg0', works: true, reason: '', latency: 48.4, since: null, hosts: 1, addresses: 3 },
    {
      name: 'wg1',
      works: false,
      reason: 'control.example: timeout on connect',
      latency: null,
      since: null,
      hosts: 0,
      addresses: 0,
    },
  ];
  const stuck = host('stuck.example', { state: 'na', standing: 'failing', exit: '', reason: 'na at 192.0.2.9' });
  const lines = renderNbrpc(detail([{ ...blocked, exit: 'wg0' }, stuck], { exits }), now);
  assert.deepEqual(lines.slice(1, 5), [
    'exit wg0: 1 service, 3 addresses, 48 ms',
    'exit wg1 does not work: control.example: timeout on connect',
    'goes around:',
    '  video.example (af-all, through wg0) for 2h: na=1/2',
  ]);
  assert.ok(lines.includes('  stuck.example (af-all, no exit works) for 2h: na at 192.0.2.9'), lines.join('\n'));
});

test('how fast routes were changed is one line, from the first check that told', () => {
  const times = new ReactionTimes();
  assert.equal(renderNbrpc(detail([host('a.example')], { reactions: times.told }), now).length, 2, 'nothing yet');
  for (const took of [42.4, 100, 300]) times.add({ at: now, kind: 'reroute', host: 'a.example', took });
  times.add({ at: now, kind: 'release', host: 'a.example', took: 1860 });
  assert.equal(
    renderNbrpc(detail([host('a.example')], { reactions: times.told }), now)[1],
    'after the first check that told: rerouted within 1m 40s at the median, 5m at worst (3 times), released within 31m (1 time)',
  );
});

test('before the first pass, and without a table, it says so', () => {
  const sets = { connected: false, table: undefined, lastError: 'gone', refills: 0 } as const;
  assert.deepEqual(renderNbrpc(detail([], { nextPass: null, sets }), now), [
    'no table yet, nft-agent is not there: 0 addresses go around',
    'no services are looked after yet',
  ]);
});

test('each home of the sets has its words, and a pass that is late is due now', () => {
  for (const [table, words] of [
    ['owner-persist', 'own table (flags owner, persist)'],
    ['plain', 'own table (without owner)'],
    ['foreign', 'sets of your ruleset'],
  ] as const) {
    const sets = { connected: true, table, lastError: undefined, refills: 2 };
    const [first] = renderNbrpc(detail([], { sets, blocked: 1, nextPass: now - 5000 }), now);
    assert.equal(first, `${words}: 1 address goes around; next look in 0ms`);
  }
});

test('what goes around: service, policy, since when, why, and each address with what it does', () => {
  assert.deepEqual(renderNbrpc(detail([host('a.example'), blocked]), now).slice(1), [
    'goes around:',
    '  video.example (af-all) for 2h: na=1/2',
    '    192.0.2.1  connection timed out',
    '    192.0.2.2  answers (no longer in DNS)',
    '    2001:db8::1  unknown',
  ]);
});

test('what fails but goes direct is shown apart: in its grace period, or by its policy', () => {
  const failing = address('192.0.2.9', { state: 'na', reason: 'certificate of another name' });
  const hosts = [
    host('wavering.example', {
      standing: 'failing',
      state: 'failing',
      failingSince: now - 60_000,
      addresses: [failing, address('192.0.2.8')],
    }),
    host('watched.example', {
      standing: 'failing',
      state: 'na',
      policy: 'noroute',
      reason: 'na=1/1',
      addresses: [failing],
    }),
    host('new.example', { standing: 'waiting', state: 'unknown', since: null, addresses: [] }),
    host('dead.example', { standing: 'unresolved', state: 'unknown', since: null, addresses: [] }),
  ];
  assert.deepEqual(renderNbrpc(detail(hosts), now).slice(1), [
    'everything goes direct',
    'fails, and goes direct:',
    '  wavering.example (af-all) for 1m',
    '    192.0.2.9  certificate of another name',
    '  watched.example (noroute) for 2h: na=1/1',
    '    192.0.2.9  certificate of another name',
    '1 service waits for its first check',
    '1 service has no known address',
  ]);
});

test('what cannot be checked is not called failing', () => {
  const unchecked = { state: 'unknown', reason: 'not checked (no IPv6 route)' } as const;
  const hosts = [
    host('six.example', { standing: 'unchecked', state: 'unstable', addresses: [address('2001:db8::1', unchecked)] }),
    host('odd.example', { standing: 'unchecked', state: 'unstable', check: 'ftp' }),
    host('both.example', { state: 'unstable', addresses: [address('2001:db8::2', unchecked), address('192.0.2.7')] }),
  ];
  assert.deepEqual(renderNbrpc(detail(hosts), now).slice(1), [
    'everything goes direct',
    'not checked, and goes direct:',
    '  six.example (af-all): not checked (no IPv6 route)',
    '  odd.example (af-all): unknown check type ftp',
  ]);
});

test('the first pass tells how far it is', () => {
  const line = (firstPass: RunningDetail['firstPass']) => renderNbrpc(detail([], { firstPass }), now)[1];
  assert.equal(line({ done: 12, of: 40 }), 'first pass under way: 12 of 40 checks done');
  assert.equal(line({ done: 0, of: 0 }), 'first pass under way: names are being resolved');
});

test('of what is not shown one by one the rest is counted', () => {
  const many = detail([host('a.example', { standing: 'rerouted', state: 'na', moreAddresses: 7 })]);
  const shown = { ...many, moreHosts: 45, total: 46, byStanding: { ...many.byStanding, rerouted: 41, ok: 5 } };
  assert.deepEqual(renderNbrpc(shown, now).slice(1), [
    'goes around:',
    '  a.example (af-all) for 2h',
    '    and 7 more',
    '  and 40 more',
  ]);
});

test('a hostile name or reason stays on its line and steers no terminal', () => {
  const evil = '\x1b[2J\x9b\u202e\r\nfake: line\ttab';
  const hosts = [
    host(evil, {
      standing: 'rerouted',
      state: 'na',
      policy: evil,
      reason: evil,
      addresses: [address(evil, { state: 'na', reason: evil, rerouted: true })],
    }),
  ];
  const health = { ready: true, summary: '1 of 1 service rerouted', warnings: [], detail: detail(hosts) };
  const module = {
    name: 'nbrpc',
    state: 'running',
    since: now - hour,
    restarts: 0,
    lastError: undefined,
    health,
  } as const;
  const text = renderStatus({
    version: '1',
    pid: 1,
    config: 'c',
    state: 'running',
    ready: true,
    startedAt: now - hour,
    now,
    modules: [module],
    warnings: [],
    lastReload: undefined,
  });
  const shown = '\\x1b[2J\\x9b\\u202e\\r\\nfake: line\\ttab';
  assert.equal(
    text,
    `netsteward 1, ready, running for 1h (pid 1, c)

nbrpc: running for 1h
  1 of 1 service rerouted
  own table (flag owner): 1 address goes around; next look in 3m
  goes around:
    ${shown} (${shown}) for 2h: ${shown}
      ${shown}  ${shown}
`,
  );
});

test('how a service is blocked is one sentence of its own', () => {
  const text = 'TLS: reset on the ClientHello; the same address answers to another name, so it is the name (SNI)';
  const cause = { kind: 'tls', code: 'sni', text } as const;
  const addresses = [address('192.0.2.1', { state: 'na', reason: 'tls reset', cause, rerouted: true })];
  const reason = 'tls reset at 192.0.2.1 of 1 address';
  const lines = renderNbrpc(
    detail([host('video.example', { standing: 'rerouted', state: 'na', reason, cause, addresses })]),
    now,
  );
  assert.deepEqual(lines.slice(-3), [
    '  video.example (af-all) for 2h: tls reset at 192.0.2.1 of 1 address',
    `    ${text}`,
    '    192.0.2.1  tls reset',
  ]);
});

test('a name that gives no address is counted, and says how it is blocked where that is known', () => {
  const cause = { kind: 'name', code: 'nxdomain', text: 'name: the resolver says that there is no such name' } as const;
  const lost = { standing: 'unresolved', state: 'unknown', addresses: [] } as const;
  const lines = renderNbrpc(detail([host('a.example', { ...lost, cause }), host('b.example', lost)]), now);
  assert.deepEqual(lines.slice(-2), [
    '2 services have no known address',
    '  a.example: name: the resolver says that there is no such name',
  ]);
});
