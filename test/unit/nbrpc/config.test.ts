/** The [nbrpc] table. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNbrpc, passSettings, sinkOf, timersOf } from '../../../src/nbrpc/config.ts';
import { contractTimers } from '../../../src/nbrpc/settings.ts';

const least = { check_lists: ['/etc/a.list'] };
function parsed(table: Record<string, unknown>) {
  const result = parseNbrpc({ ...least, ...table });
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}
function problems(table: Record<string, unknown>): readonly string[] {
  const result = parseNbrpc({ ...least, ...table });
  assert.ok(!result.ok);
  return result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the [nbrpc] table', () => {
  it('has the contract’s values where nothing is said', () => {
    const config = parsed({});
    assert.deepEqual(timersOf(config), contractTimers);
    const settings = passSettings(config);
    assert.deepEqual(settings.limits, { iterHosts: 9, iterAddrs: 32, addrsPerHost: 18 });
    assert.deepEqual(
      [config.timers.pass, config.check.timeout, config.check.body_limit, config.resolver.timeout],
      [240_000, 30_000, 65_536, 10_000],
    );
    assert.deepEqual(
      [config.default_policy.route, config.on_stop, config.state],
      ['af-all', 'keep', '/var/lib/netsteward/nbrpc.db'],
    );
    assert.deepEqual(sinkOf(config), {
      kind: 'table',
      table: {
        name: 'netsteward-nbrpc',
        mark: 0x10000,
        mask: 0x10000,
        mark_forwarded: true,
        mark_own: true,
        exempt_source_ports: { first: 61000, last: 64999 },
      },
    });
  });

  it('takes every key', () => {
    const config = parsed({
      state: '/tmp/x.db',
      default_policy: 'pick.6',
      on_stop: 'flush',
      timers: {
        pass: '250ms',
        host_addrs: '1s',
        addr_state: '1s',
        host_ok_state: '2s',
        host_na_state: '3s',
        host_addr_timeout: '1d',
      },
      limits: { iter_hosts: 1, iter_addrs: 2n, addrs_per_host: 3 },
      check: { timeout: '5s', body_limit: 0, ca_file: '/ca.pem' },
      resolver: { servers: ['9.9.9.9', '9.9.9.9:5353', '2620:fe::FE', '[2620:fe::fe]:53'], timeout: '1s' },
      sets: { family: 'ip', table: 'filter', blocked4: 'b' },
    });
    assert.deepEqual(config.resolver.servers, [
      { address: '9.9.9.9', port: 53 },
      { address: '9.9.9.9', port: 5353 },
      { address: '2620:fe::fe', port: 53 },
      { address: '2620:fe::fe', port: 53 },
    ]);
    assert.equal(timersOf(config).hostNaState, 3);
    assert.deepEqual(sinkOf(config), { kind: 'sets', sets: { family: 'ip', table: 'filter', blocked4: 'b' } });
  });

  it('tells every mistake with its path', () => {
    assert.deepEqual(
      problems({
        check_lists: ['relative.list'],
        default_policy: 'sometimes',
        on_stop: 'maybe',
        timers: { pass: 4 },
        limits: { iter_hosts: 0 },
        check: { timeout: '1 fortnight' },
        resolver: { servers: ['example.org'] },
        table: { name: 'x; flush ruleset', mark: 0 },
        unknown: 1,
      }).map((line) => line.slice(0, line.indexOf(': '))),
      [
        'check_lists.0',
        'default_policy',
        'on_stop',
        'timers.pass',
        'limits.iter_hosts',
        'check.timeout',
        'resolver.servers.0',
        'table.name',
        'table.mark',
        'unknown',
      ],
    );
  });

  it('has either a table of its own or sets of the administrator', () => {
    assert.deepEqual(problems({ table: {}, sets: { blocked4: 'b' } }), [
      'sets: cannot stand beside [nbrpc.table]: netsteward keeps its own table, or sets of yours',
    ]);
    assert.deepEqual(problems({ sets: {} }), ['sets: must name at least one of blocked4, blocked6, direct4, direct6']);
    assert.deepEqual(problems({ sets: { blocked4: 'x', direct4: 'x' } }), ['sets: must name each set only once']);
  });

  it('has control services of three networks, a state log that is off, and no zone', () => {
    const config = parsed({});
    assert.equal(new Set(config.control.services.map(({ host }) => host.split('.').slice(-2).join('.'))).size, 3);
    assert.deepEqual([config.state_log, config.zone], [undefined, []]);
    assert.deepEqual(parsed({ control: { services: [] } }).control.services, []);
    assert.deepEqual(parsed({ state_log: { file: '/var/log/x' } }).state_log?.max_size, 16_777_216);
    const { zone } = parsed({
      zone: [{ format: 'unbound', file: '/z', select: 'example$', flags: '@>', reload: ['unbound-control', 'reload'] }],
    });
    assert.equal(zone[0]?.spec.pattern.source, 'example$');
    assert.deepEqual(zone[0]?.spec.filter, { family: null, newest: true, tri: true, shuffle: false });
    assert.deepEqual([zone[0]?.reload, zone[0]?.reload_timeout], [['unbound-control', 'reload'], 30_000]);
    assert.equal(parsed({ zone: [{ format: 'hosts', file: '/h' }] }).zone[0]?.spec.filter, undefined);
  });

  it('tells mistakes in control services, state log and zones', () => {
    assert.deepEqual(
      problems({
        control: { services: ['a.example>nosuch', 'a:dns', 'two words', 'b.example'] },
        state_log: { file: 'relative', max_size: 5 },
        zone: [
          { format: 'bind', file: '/z', select: '((', flags: 'x', reload: [] },
          { format: 'rpz', file: '/y', select: '((' },
        ],
      }),
      [
        'control.services.0: a.example>nosuch: unknown policy "nosuch": one of af-any, af-all, af-pick, pick, noroute',
        'control.services.1: must be an http or https check, not a:dns',
        'control.services.2: must be an http or https check, not two words',
        'state_log.file: must be an absolute path',
        'state_log.max_size: must be a whole number from 65536 to 1000000000000',
        'zone.0.format: must be one of unbound, hosts, dnsmasq, rpz',
        'zone.0.flags: must be made of the flags + * > @ %',
        'zone.0.reload: must name a program',
        'zone.1.select: must be a regular expression: ((: Invalid regular expression: /((/: Unterminated group',
      ],
    );
    const twice = { format: 'hosts', file: '/z' };
    assert.deepEqual(problems({ zone: [twice, twice] }), ['zone: must name each file only once']);
  });

  it('needs a list, each list once, and a mark within its mask', () => {
    assert.deepEqual(problems({ check_lists: [] }), ['check_lists: must name at least one file']);
    assert.deepEqual(problems({ check_lists: ['/a', '/a'] }), ['check_lists: must name each file only once']);
    assert.deepEqual(problems({ check_lists: undefined }).length, 1);
    assert.deepEqual(problems({ table: { mark: 0x30000 } }), ['table.mark: must have no bits outside of mask']);
    assert.deepEqual(problems({ table: { exempt_source_ports: '70000-1' } }), [
      'table.exempt_source_ports: must be a range of ports such as "61000-64999"',
    ]);
    assert.deepEqual(problems({ resolver: { servers: ['9.9.9.9:0'] } }).length, 1);
  });
});
