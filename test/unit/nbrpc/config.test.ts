/** The [nbrpc] table. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNbrpc } from '../../../src/nbrpc/config.ts';
import { exitsOf, whenNoExitOf } from '../../../src/nbrpc/exits.ts';
import { passSettings, timersOf } from '../../../src/nbrpc/pass-settings.ts';
import { contractTimers } from '../../../src/nbrpc/settings.ts';
import { sinkOf } from '../../../src/nbrpc/sink-of.ts';

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

  it('has one way around without a name, or several exits with what is filled for each', () => {
    assert.deepEqual([parsed({}).schedule, parsed({}).exit, parsed({}).when_no_exit], ['prompt', [], 'direct']);
    const [first, second] = [
      { name: 'wg0', source: ['10.9.0.2', 'FD00::2'] },
      { name: 'wg1', source: ['10.9.1.2'], mark: 0x20000 },
    ];
    const own = parsed({ table: { mask: 0x30000 }, exit: [first, second] });
    assert.deepEqual(exitsOf(own), [
      { name: 'wg0', source: { 4: '10.9.0.2', 6: 'fd00::2' } },
      { name: 'wg1', source: { 4: '10.9.1.2' } },
    ]);
    assert.deepEqual(
      sinkOf(own).exits?.map(({ name, mark }) => [name, mark]),
      [
        ['wg0', 0x10000],
        ['wg1', 0x20000],
      ],
    );
    assert.equal(sinkOf(own).drops, undefined);
    const service = [{ host: 'a.example', when_no_exit: 'drop', priority: 5n }];
    const dropping = parsed({ table: { mask: 0x30000 }, exit: [first, second], service });
    assert.equal(sinkOf(dropping).drops, true);
    assert.deepEqual(['a.example', 'b.example'].map(whenNoExitOf(dropping)), ['drop', 'direct']);
    const sets = parsed({
      sets: { blocked4: 'b', direct4: 'd' },
      exit: [first, { name: 'wg1', source: ['10.9.1.2'], blocked4: 'c' }],
    });
    assert.deepEqual(
      sinkOf(sets).exits?.map(({ sets: { blocked4 } }) => blocked4),
      ['b', 'c'],
    );
  });

  it('tells what exits have against each other, and against the table or the sets', () => {
    const exit = (name: string, source: string, more: object = {}) => ({ name, source: [source], ...more });
    assert.deepEqual(
      problems({
        table: { mask: 0x30000 },
        exit: [
          exit('a', '10.9.0.2', { blocked4: 'x' }),
          exit('a', '10.9.0.2', { mark: 0x10000 }),
          exit('c', '10.9.2.2'),
          exit('d', '10.9.3.2', { mark: 0x40000 }),
        ],
        service: [{ host: 'x.example' }, { host: 'x.example' }],
      }),
      [
        'exit.1.name: is the name of an exit above too',
        'exit.1.source: has an address of an exit above too',
        'exit.0.blocked4: needs [nbrpc.sets]; in the own table an exit has a mark',
        'exit.2.mark: is missing: each exit but the first needs a mark of its own',
        'exit.3.mark: has bits outside of nbrpc.table.mask, which is 0x30000: widen that mask',
        'exit.1.mark: is the mark of an exit above too',
        'service.1.host: has a table above already',
      ],
    );
    assert.deepEqual(
      problems({
        sets: { blocked4: 'b', direct4: 'd' },
        when_no_exit: 'drop',
        exit: [exit('a', '10.9.0.2'), exit('b', '10.9.1.2', { blocked4: 'd' }), exit('c', '10.9.2.2')],
      }),
      [
        'exit.1.blocked4: is named for something else already',
        'exit.2.blocked4: is missing: beside [nbrpc.sets] an exit names blocked4 or blocked6, sets of its own',
        'when_no_exit: "drop" needs nbrpc.sets.drop4 or drop6, a set whose addresses your ruleset drops',
      ],
    );
    assert.deepEqual(problems({ schedule: 'original', exit: [exit('a', '10.9.0.2')] }), [
      'exit: needs schedule = "prompt": the original schedule asks no exit',
    ]);
    assert.deepEqual(problems({ exit: [{ name: 'a b', source: ['10.9.0.2', '10.9.0.3'] }, exit('c', 'nowhere')] }), [
      'exit.0.name: must be 1 to 32 letters, digits, "_" and "-"',
      'exit.0.source: must name at most one address of each family',
      'exit.1.source.0: must be an address such as "10.9.0.2" or "fd00::2"',
    ]);
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
