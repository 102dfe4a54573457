/** The nbrpc module on fakes: days in milliseconds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { type NbrpcConfig, parseNbrpc, type Sink } from '../../../src/nbrpc/config.ts';
import { nbrpcModule } from '../../../src/nbrpc/index.ts';
import type { RunningDetail } from '../../../src/nbrpc/running.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import type { AgentLook } from '../../../src/system/agent-look.ts';
import type { AddressSets, AddressSetsStatus, SetContents } from '../../../src/system/ports.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { silentDns } from '../../fakes/fake-dns-transport.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { FakeHttpProbe } from '../../fakes/fake-http-probe.ts';
import { FakeOutputFiles } from '../../fakes/fake-output-files.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { FakeUplink } from '../../fakes/fake-uplink.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

class RecordedSets implements AddressSets {
  readonly sink: Sink;
  readonly held: string[] = [];
  failure: Error | undefined;
  closed: string | undefined;
  onStop: string | undefined;
  lastError: string | undefined;

  constructor(sink: Sink, failure?: Error) {
    this.sink = sink;
    this.failure = failure;
  }

  hold(contents: SetContents): Promise<void> {
    this.held.push([...contents].map(([name, set]) => `${name}:${[...set].join(',')}`).join(' '));
    this.lastError = this.failure?.message;
    return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure);
  }

  setOnStop(mode: 'keep' | 'flush'): void {
    this.onStop = mode;
  }

  status(): AddressSetsStatus {
    return { connected: true, table: 'owner', lastError: this.lastError, refills: 0 };
  }

  close(mode: 'keep' | 'flush'): Promise<void> {
    this.closed = mode;
    return Promise.resolve();
  }
}

class Bench {
  readonly clock = new FakeClock();
  readonly log = new MemoryLog();
  readonly files = new FakeFiles();
  readonly store = new MemoryStore();
  readonly resolver = new FakeResolver();
  readonly probe = new FakeHttpProbe();
  readonly uplink = new FakeUplink();
  readonly output = new FakeOutputFiles();
  readonly commands = new FakeCommands();
  readonly opened: RecordedSets[] = [];
  nextFailure: Error | undefined;

  constructor(list = '') {
    this.files.put('/a.list', list);
  }

  get sets(): RecordedSets {
    const last = this.opened.at(-1);
    assert.ok(last !== undefined);
    return last;
  }

  host() {
    const { clock, log, files, store, resolver, probe, uplink, output, commands } = this;
    return {
      clock,
      log,
      files,
      store,
      uplink,
      output,
      commands,
      openResolver: () => resolver,
      openProbe: () => probe,
      openDns: () => silentDns,
      id: () => 1,
      openSets: (sink: Sink, onStop: 'keep' | 'flush') => {
        const sets = new RecordedSets(sink, this.nextFailure);
        sets.onStop = onStop;
        this.opened.push(sets);
        return sets;
      },
    };
  }

  start(config = configOf()) {
    return nbrpcModule.start(config, this.host(), new AbortController().signal);
  }

  flips(): readonly string[] {
    return this.log.of('flip').map(({ fields }) => `${fields.host} ${fields.from}>${fields.to} (${fields.reason})`);
  }
}

function configOf(table: Record<string, unknown> = {}): NbrpcConfig {
  const parsed = parseNbrpc({
    check_lists: ['/a.list'],
    state: '/s.db',
    control: { services: [] },
    schedule: 'original',
    ...table,
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

const hour = 3_600_000;
const detailOf = (running: { health(): { detail: unknown } }): RunningDetail =>
  running.health().detail as RunningDetail;

describe('nbrpc', () => {
  it('reroutes a service that is blocked, and takes it back when the censor relents, over days', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9', '2606:4700::1');
    bench.resolver.answer('b.example', '9.9.9.10');
    const running = await bench.start();
    assert.deepEqual(bench.sets.held, ['blocked4: blocked6:']);
    await bench.clock.advance(0);
    assert.equal(running.health().summary, '0 of 2 services rerouted');

    bench.probe.blocked('a.example', '9.9.9.9');
    await bench.clock.advance(15 * hour + 10 * 60_000);
    assert.equal(detailOf(running).hosts[0]?.state, 'failing');
    assert.deepEqual(bench.sets.held.length, 1);
    await bench.clock.advance(10 * hour + 10 * 60_000);
    assert.deepEqual(bench.sets.held.slice(1), ['blocked4:9.9.9.9 blocked6:2606:4700::1']);
    const [host] = detailOf(running).hosts;
    assert.deepEqual(
      [host?.name, host?.policy, host?.state, host?.rerouted, host?.reason],
      ['a.example', 'af-all', 'na', true, 'tls reset at 9.9.9.9 of 2 addresses'],
    );
    assert.ok(host?.since != null && host.failingSince != null && host.since - host.failingSince >= 10 * hour);
    assert.deepEqual(
      host.addresses.map(({ address, state, reason, inDns }) => [address, state, reason, inDns]),
      [
        ['2606:4700::1', 'ok', '', true],
        ['9.9.9.9', 'na', 'tls reset', true],
      ],
    );
    assert.equal(running.health().summary, '1 of 2 services rerouted');

    bench.probe.works('a.example', '9.9.9.9');
    await bench.clock.advance(70 * hour);
    assert.equal(bench.sets.held.at(-1), 'blocked4: blocked6:');
    assert.deepEqual(bench.flips(), [
      'a.example direct>tunnel (tls reset at 9.9.9.9 of 2 addresses)',
      'a.example tunnel>direct (works again)',
    ]);
    await running.stop('shutdown');
    assert.equal(bench.sets.closed, 'keep');
    assert.equal(bench.store.opened, 0);
    await running.done;
  });

  it('reconciles the kernel from the saved state at start, before it checks anything', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.probe.blocked('a.example');
    const first = await bench.start();
    await bench.clock.advance(0);
    await first.stop('restart');
    const requests = bench.probe.requests.length;
    const second = await bench.start();
    assert.deepEqual(bench.sets.held, ['blocked4:9.9.9.9 blocked6:']);
    assert.equal(bench.probe.requests.length, requests);
    await second.stop('shutdown');
  });

  it('does not start, and leaves nothing behind, when the first contents are refused', async () => {
    const bench = new Bench('a.example');
    bench.nextFailure = new NetstewardError('nft-refused', 'no such set');
    await assert.rejects(bench.start(), /no such set/);
    assert.deepEqual(
      [bench.sets.closed, bench.store.opened, bench.clock.waiting, bench.probe.closed],
      ['keep', 0, 0, true],
    );
  });

  it('does not start with a state file or a CA file that cannot be used', async () => {
    const bench = new Bench();
    await assert.rejects(bench.start(configOf({ state: '/nowhere/x.db' })), { code: 'state-file-unusable' });
    await assert.rejects(bench.start(configOf({ check: { ca_file: '/ca.pem' } })), { code: 'ca-file-unreadable' });
    bench.files.put('/ca.pem', 'nothing');
    await assert.rejects(bench.start(configOf({ check: { ca_file: '/ca.pem' } })), { code: 'ca-file-empty' });
    assert.deepEqual([bench.opened.length, bench.store.opened], [0, 0]);
  });

  it('keeps routing and warns while the state cannot be saved, and recovers by itself', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start(
      configOf({ timers: { addr_state: '1m', host_addrs: '1m', host_na_state: '1m' } }),
    );
    await bench.clock.advance(0);
    bench.probe.blocked('a.example');
    // SQLITE_READONLY, as after a remount, SQLITE_IOERR, SQLITE_FULL.
    for (const failure of [
      { errcode: 8, message: 'attempt to write a readonly database' },
      { errcode: 10, message: 'disk I/O error' },
      { errcode: 13, message: 'database or disk is full' },
    ]) {
      bench.store.failWrites(failure);
      await bench.clock.advance(hour);
      assert.ok(running.health().warnings[0]?.text.includes(failure.message), failure.message);
    }
    const [warning] = running.health().warnings;
    assert.equal(warning?.code, 'state-not-saved');
    assert.equal(
      warning?.text,
      'the state file /s.db cannot be written: database or disk is full; routing stays as it is',
    );
    assert.equal(bench.sets.held.length, 1);
    bench.store.failWrites(undefined);
    await bench.clock.advance(10 * 60_000);
    assert.deepEqual(running.health().warnings, []);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    await running.stop('shutdown');
  });

  it('warns of a list with a mistake, a name that does not resolve, junk answers, and takes the warnings back', async () => {
    const bench = new Bench('a.example b.example c.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10', '10.0.0.1');
    const running = await bench.start();
    await bench.clock.advance(0);
    bench.files.put('/a.list', 'a.example b.example>nosuch');
    await bench.clock.advance(240_000);
    assert.deepEqual(
      running
        .health()
        .warnings.map(({ code, text }) => `${code}: ${text}`)
        .sort(),
      [
        'check-list-rejected: /a.list was not taken: 1:11: b.example>nosuch: unknown policy "nosuch": one of af-any, af-all, af-pick, pick, noroute; its previous version stays in force',
        'junk-answer: the resolver answered b.example with 10.0.0.1, which are not public addresses; they were ignored',
        'names-unresolved: c.example does not resolve: nxdomain, no such name',
      ],
    );
    bench.files.put('/a.list', 'a.example b.example');
    bench.resolver.answer('b.example', '9.9.9.10');
    await bench.clock.advance(600_000);
    assert.deepEqual(running.health().warnings, []);
    bench.files.remove('/a.list');
    await bench.clock.advance(240_000);
    assert.deepEqual(
      running.health().warnings.map(({ code }) => code),
      ['check-list-missing'],
    );
    await running.stop('shutdown');
  });

  it('warns of addresses that hosts want otherwise, of unknown check types and of checks that were not possible', async () => {
    const bench = new Bench('a.example=na b.example c.example:ftp');
    for (const name of ['a.example', 'b.example']) bench.resolver.answer(name, '9.9.9.9');
    bench.resolver.answer('c.example', '9.9.9.11');
    const running = await bench.start();
    await bench.clock.advance(0);
    const texts = () => running.health().warnings.map(({ code, text }) => `${code}: ${text}`);
    assert.deepEqual(texts(), [
      'unknown-check-type: /a.list has hosts that are never checked: /a.list:1:24: c.example: unknown check type "ftp", so it is never checked',
      'address-conflict: 1 address(es) are shared by hosts that should go different ways; of each, the first named decides: 9.9.9.9 (a.example: tunnel, by need; b.example: direct)',
    ]);
    bench.resolver.answer('b.example', '9.9.9.10');
    bench.probe.set('b.example', '*', { kind: 'local-failure', detail: 'EMFILE: too many open files' });
    await bench.clock.advance(1_000_000);
    assert.match(texts().join('\n'), /checks-not-possible: 1 check\(s\) .* EMFILE/);
    await running.stop('shutdown');
  });

  it('goes on checking while the sets are refused, says so, and holds them again', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    bench.sets.failure = new NetstewardError('agent-unreachable', 'the agent is gone');
    await bench.clock.advance(0);
    assert.deepEqual(
      running.health().warnings.map(({ code }) => code),
      ['agent-unavailable'],
    );
    bench.sets.failure = new Error('no such table');
    await bench.clock.advance(240_000);
    assert.ok(running.health().warnings.some(({ code }) => code === 'sets-not-applied'));
    bench.sets.failure = undefined;
    await bench.clock.advance(240_000);
    assert.deepEqual(running.health().warnings, []);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    await running.stop('shutdown');
  });

  it('never lets the addresses of its resolvers into a set', async () => {
    const bench = new Bench('dns.example=na');
    bench.resolver.answer('dns.example', '9.9.9.9', '9.9.9.10');
    const running = await bench.start(configOf({ resolver: { servers: ['9.9.9.9'] } }));
    await bench.clock.advance(0);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.10 blocked6:');
    await running.stop('shutdown');
  });

  it('empties the sets at shutdown with on_stop = flush, but not for a restart', async () => {
    const bench = new Bench();
    const config = configOf({ on_stop: 'flush' });
    const first = await bench.start(config);
    await first.stop('restart');
    assert.equal(bench.sets.closed, 'keep');
    const second = await bench.start(config);
    await Promise.all([second.stop('shutdown'), second.stop('shutdown')]);
    assert.equal(bench.sets.closed, 'flush');
    assert.equal(bench.clock.waiting, 0);
  });

  it('marks nothing while its own side is broken, says which gate failed, and counts no grace meanwhile', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('c.example', '9.9.9.10');
    const config = configOf({
      control: { services: ['c.example:https=200'] },
      timers: { addr_state: '4m', host_addrs: '4m', host_na_state: '1h' },
    });
    const running = await bench.start(config);
    await bench.clock.advance(0);
    const texts = () => running.health().warnings.map(({ code, text }) => `${code}: ${text}`);
    assert.deepEqual(texts(), []);
    bench.probe.blocked('a.example');
    bench.probe.blocked('c.example');
    await bench.clock.advance(3 * hour);
    assert.deepEqual(texts(), [
      "own-side-broken: this machine's own side does not work (control): c.example: tls reset; no check counts meanwhile",
    ]);
    assert.equal(detailOf(running).hosts[0]?.state, 'ok');
    bench.probe.works('c.example');
    await bench.clock.advance(hour / 2);
    assert.deepEqual([texts(), detailOf(running).hosts[0]?.state], [[], 'failing']);
    bench.uplink.down = 'there is no default route';
    await bench.clock.advance(5 * hour);
    assert.match(texts().join(), /\(link\): there is no default route/);
    bench.uplink.down = undefined;
    bench.clock.jump(300 * hour);
    await bench.clock.advance(10 * 60_000);
    bench.clock.jump(-900 * hour);
    await bench.clock.advance(10 * 60_000);
    assert.equal(detailOf(running).hosts[0]?.state, 'failing');
    await bench.clock.advance(20 * 60_000);
    assert.equal(detailOf(running).hosts[0]?.state, 'na');
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    await running.stop('shutdown');
  });

  it('keeps its zone files and its state log, and warns while they cannot be', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const config = configOf({
      zone: [
        { format: 'hosts', file: '/z', select: '^a', reload: ['reload', 'it'] },
        { format: 'dnsmasq', file: '/y' },
      ],
      state_log: { file: '/l' },
    });
    const running = await bench.start(config);
    assert.equal(bench.output.content.get('/z'), undefined, 'nothing is known yet');
    await bench.clock.advance(0);
    assert.equal(bench.output.content.get('/z'), '9.9.9.9 a.example\n');
    assert.equal(bench.output.content.get('/y'), 'local=/a.example/\nhost-record=a.example,9.9.9.9\n');
    assert.deepEqual(
      bench.commands.requests.map(({ argv }) => argv.join(' ')),
      ['reload it'],
    );
    assert.match(bench.output.content.get('/l') ?? '', / a\.example: unknown -> ok\t/);
    bench.output.failure = 'EROFS';
    bench.resolver.answer('a.example', '9.9.9.8');
    await bench.clock.advance(10 * 60_000);
    const codes = () =>
      running
        .health()
        .warnings.map(({ code, subject }) => `${code} ${subject}`)
        .filter((text) => !text.startsWith('names'))
        .sort();
    assert.deepEqual(codes(), ['state-log-failing /l', 'zone-not-written /y', 'zone-not-written /z']);
    bench.output.failure = undefined;
    await bench.clock.advance(4 * 60_000);
    assert.deepEqual(codes(), []);
    assert.equal(bench.output.content.get('/z'), '9.9.9.8 a.example\n9.9.9.9 a.example\n');
    await running.reload(configOf({ zone: [{ format: 'hosts', file: '/x' }] }));
    await bench.clock.advance(0);
    assert.equal(bench.output.content.get('/x'), '9.9.9.8 a.example\n9.9.9.9 a.example\n');
    await running.stop('shutdown');
  });

  it('holds the sets at what needs no check while a check takes its time, and says how far the first pass is', async () => {
    const bench = new Bench('slow.example a.example');
    bench.resolver.answer('slow.example', '9.9.9.8');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    bench.probe.delay = ({ host }) => (host === 'slow.example' ? gate : Promise.resolve());
    bench.probe.blocked('slow.example');
    bench.probe.blocked('a.example');
    const running = await bench.start();
    await bench.clock.advance(500);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    assert.equal(running.health().summary, '1 of 2 services rerouted, first pass under way');
    assert.deepEqual(detailOf(running).firstPass, { done: 1, of: 2 });
    bench.files.put('/a.list', 'slow.example b.example=na');
    await bench.clock.advance(240_000);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.10 blocked6:');
    release();
    await bench.clock.advance(0);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.10,9.9.9.8 blocked6:');
    assert.deepEqual([running.health().summary, detailOf(running).firstPass], ['2 of 2 services rerouted', null]);
    await running.stop('shutdown');
  });

  it('reroutes what needs no check although no control service answers', async () => {
    const bench = new Bench('a.example=na b.example');
    for (const name of ['a', 'b', 'c']) bench.resolver.answer(`${name}.example`, `9.9.9.${name.charCodeAt(0)}`);
    bench.probe.blocked('c.example');
    bench.probe.blocked('b.example');
    const running = await bench.start(configOf({ control: { services: ['c.example'] } }));
    await bench.clock.advance(hour);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.97 blocked6:');
    assert.deepEqual(
      [
        running.health().warnings.map(({ code }) => code),
        bench.probe.requests.some(({ host }) => host === 'b.example'),
      ],
      [['own-side-broken'], false],
    );
    await running.stop('shutdown');
  });

  it('shows as rerouted what the sets hold, and tells a flip when they do', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    bench.sets.failure = new NetstewardError('agent-unavailable', 'the agent is gone');
    await bench.clock.advance(0);
    const shown = () => {
      const { blocked, rerouted, hosts } = detailOf(running);
      return [blocked, rerouted, hosts[0]?.standing, hosts[0]?.state];
    };
    assert.deepEqual([shown(), bench.flips()], [[0, 0, 'failing', 'na'], []]);
    assert.deepEqual(
      bench.log.of('flip-not-applied').map(({ fields }) => [fields.host, fields.reason]),
      [['a.example', 'the agent is gone']],
    );
    bench.sets.failure = undefined;
    await bench.clock.advance(60_000);
    assert.deepEqual(
      [shown(), bench.flips()],
      [[1, 1, 'rerouted', 'na'], ['a.example unknown>tunnel (na at 9.9.9.9 of 1 address)']],
    );
    await running.stop('shutdown');
  });

  it('warns once of addresses of a family without a route, and does not call their services failing', async () => {
    const bench = new Bench('a.example b.example six.example');
    bench.uplink.without = [6];
    for (const [i, name] of ['a', 'b', 'six'].entries()) {
      const six = [`2606:4700::${i}`, `2606:4700::1:${i}`];
      bench.resolver.answer(`${name}.example`, ...six, ...(name === 'six' ? [] : [`9.9.9.${i}`]));
    }
    const running = await bench.start();
    await bench.clock.advance(50 * hour);
    assert.deepEqual(
      running.health().warnings.map(({ code, text }) => `${code}: ${text}`),
      ['family-without-route: no IPv6 route: 6 address(es) not checked'],
    );
    assert.equal(bench.log.of('warning-raised').length, 1);
    assert.ok(bench.probe.requests.every(({ address }) => !address.includes(':')));
    const { hosts, byStanding } = detailOf(running);
    assert.deepEqual([byStanding.ok, byStanding.unchecked, byStanding.failing], [2, 1, 0]);
    assert.equal(hosts[2]?.addresses[0]?.reason, 'not checked (no IPv6 route)');
    bench.uplink.without = [];
    await bench.clock.advance(240_000);
    assert.deepEqual([running.health().warnings, detailOf(running).byStanding.ok], [[], 3]);
    await running.stop('shutdown');
  });

  it('tells of a check that this machine cannot make once, however many passes go by', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    for (const name of ['a', 'b']) {
      bench.probe.set(`${name}.example`, '*', { kind: 'local-failure', detail: `connect EPERM ${name}` });
    }
    const running = await bench.start(configOf({ limits: { iter_addrs: 1 } }));
    await bench.clock.advance(30 * hour);
    assert.deepEqual(
      running.health().warnings.map(({ text }) => text),
      ['2 check(s) could not be made by this machine: connect EPERM a'],
    );
    assert.equal(bench.log.of('warning-raised').length, 2, 'with the first, and with the second');
    assert.equal(detailOf(running).hosts[0]?.addresses[0]?.reason, 'not checked (connect EPERM a)');
    bench.files.put('/a.list', '');
    await bench.clock.advance(240_000);
    assert.deepEqual(running.health().warnings, []);
    await running.stop('shutdown');
  });

  it('tells of an answer with too many addresses once, until it is another one', async () => {
    const bench = new Bench('a.example');
    const answer = (count: number): void => {
      bench.resolver.answer('a.example', ...Array.from({ length: count }, (_, i) => `9.9.${i >> 8}.${i & 255}`));
    };
    answer(130);
    const running = await bench.start(configOf({ limits: { iter_addrs: 1 } }));
    await bench.clock.advance(hour);
    answer(120);
    await bench.clock.advance(hour);
    answer(100);
    await bench.clock.advance(hour);
    answer(120);
    await bench.clock.advance(hour);
    assert.deepEqual(
      bench.log.of('answer-too-long').map(({ fields }) => fields.ignored),
      [30, 20, 20],
    );
    await running.stop('shutdown');
  });

  it('follows its state file where that is removed or replaced, and warns of it for an hour', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    bench.probe.blocked('a.example');
    const running = await bench.start();
    await bench.clock.advance(0);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    const texts = () => running.health().warnings.map(({ code, text }) => `${code}: ${text}`);

    bench.store.remove('/s.db');
    await bench.clock.advance(240_000);
    const removed = 'state-file-replaced: the state file /s.db was removed or replaced while it was in use';
    assert.deepEqual(texts(), [`${removed}; a new one was written from memory`]);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    await bench.clock.advance(hour + 240_000);
    assert.deepEqual(texts(), []);

    const [host] = StateStore.open({ store: bench.store, path: '/s.db', clock: bench.clock }).state.hosts();
    assert.ok(host !== undefined);
    const after = { ...host, record: { ...host.record, state: 'ok' as const } };
    bench.store.rename('/s.db', '/copy.db');
    const copy = StateStore.open({ store: bench.store, path: '/s.db', clock: bench.clock });
    await copy.commit(() => ({ changes: { hosts: [{ name: 'a.example', before: undefined, after }], lists: [] } }));
    copy.close();
    await bench.clock.advance(240_000);
    assert.deepEqual(texts(), [`${removed}; what the new one says is in force now`]);
    assert.equal(bench.sets.held.at(-1), 'blocked4: blocked6:');
    await running.stop('shutdown');
  });

  it('does not look at its link where nbrpc.control.uplink is false', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.uplink.down = 'there is no default route';
    const running = await bench.start(configOf({ control: { services: [], uplink: false } }));
    await bench.clock.advance(0);
    assert.deepEqual([running.health().warnings, bench.probe.requests.length], [[], 1]);
    await running.stop('shutdown');
  });

  it('never empties a zone file before it knows any name', async () => {
    const bench = new Bench('a.example b.example');
    bench.output.content.set('/z', '9.9.9.9 a.example\n');
    const running = await bench.start(
      configOf({ zone: [{ format: 'hosts', file: '/z' }], control: { services: ['c.example'] } }),
    );
    await bench.clock.advance(hour);
    assert.equal(bench.output.content.get('/z'), '9.9.9.9 a.example\n');
    bench.resolver.answer('c.example', '9.9.9.11');
    bench.resolver.answer('b.example', '9.9.9.10');
    await bench.clock.advance(hour);
    assert.equal(bench.output.content.get('/z'), '9.9.9.10 b.example\n');
    await running.stop('shutdown');
  });

  it('stops in the middle of a pass, saving nothing of it', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    let release = (): void => {};
    bench.probe.delay = () => new Promise((resolve) => (release = resolve));
    await bench.clock.advance(0);
    assert.equal(bench.probe.requests.length, 1);
    const stopped = running.stop('shutdown');
    release();
    await stopped;
    assert.equal(bench.store.opened, 0);
    assert.deepEqual(bench.log.of('flip'), []);
  });

  it('crashes, visibly, on a defect of its own', async () => {
    const bench = new Bench('a.example');
    const running = await bench.start();
    bench.resolver.delay = () => Promise.reject(new TypeError('a defect'));
    await bench.clock.advance(0);
    await assert.rejects(running.done, /a defect/);
    await running.stop('restart');
    assert.equal(bench.store.opened, 0);
  });
});

describe('a reload of nbrpc', () => {
  it('takes new lists and timers without touching the sets', async () => {
    const bench = new Bench('a.example=na');
    bench.files.put('/b.list', 'b.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(configOf({ check_lists: ['/a.list', '/b.list'], timers: { pass: '1m' } }));
    await bench.clock.advance(0);
    assert.deepEqual(bench.sets.held.slice(-2), ['blocked4:9.9.9.9 blocked6:', 'blocked4:9.9.9.9,9.9.9.10 blocked6:']);
    assert.equal(bench.opened.length, 1);
    assert.equal(bench.sets.closed, undefined);
    assert.equal(detailOf(running).nextPass, bench.clock.now() + 60_000);
    await running.stop('shutdown');
  });

  it('moves to other sets: fills them first, then empties the old ones', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(configOf({ sets: { blocked4: 'mine' } }));
    assert.equal(bench.opened.length, 2);
    assert.deepEqual([bench.opened[0]?.closed, bench.sets.held], ['flush', ['mine:9.9.9.9']]);
    await running.stop('shutdown');
  });

  it('that is refused leaves everything as it was', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    bench.nextFailure = new Error('no such set');
    await assert.rejects(running.reload(configOf({ state: '/other.db', sets: { blocked4: 'mine' } })), /no such set/);
    assert.deepEqual([bench.opened[0]?.closed, bench.opened[1]?.closed, bench.store.opened], [undefined, 'flush', 1]);
    await assert.rejects(running.reload(configOf({ state: '/nowhere/x.db' })), { code: 'state-file-unusable' });
    await assert.rejects(running.reload(configOf({ check: { ca_file: '/none' } })), { code: 'ca-file-unreadable' });
    bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.11');
    await bench.clock.advance(hour);
    assert.equal(bench.opened[0]?.held.at(-1), 'blocked4:9.9.9.11,9.9.9.9 blocked6:');
    await running.stop('shutdown');
  });

  it('that changes on_stop tells the sets, which outlive a sudden end, and is obeyed at the stop', async () => {
    const bench = new Bench();
    const running = await bench.start(configOf({ on_stop: 'keep' }));
    await running.reload(configOf({ on_stop: 'flush' }));
    assert.deepEqual([bench.opened.length, bench.sets.onStop, bench.sets.closed], [1, 'flush', undefined]);
    await running.reload(configOf({ on_stop: 'keep', sets: { blocked4: 'mine' } }));
    assert.deepEqual([bench.opened.length, bench.sets.onStop], [2, 'keep']);
    await running.stop('shutdown');
    assert.equal(bench.sets.closed, 'keep');
  });

  it('of the settings of its own table hands the table over, and takes it back when that is refused', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(configOf({ table: { mark: 0x20000, mask: 0x20000 } }));
    assert.deepEqual(
      [bench.opened.length, bench.opened[0]?.closed, bench.sets.held],
      [2, 'keep', ['blocked4:9.9.9.9 blocked6:']],
    );
    bench.nextFailure = new Error('refused');
    const refused = running.reload(configOf({ table: { mark: 0x40000, mask: 0x40000 } }));
    await assert.rejects(refused, /refused/);
    bench.nextFailure = undefined;
    assert.equal(bench.opened.length, 4);
    assert.deepEqual(bench.sets.sink.kind === 'table' && bench.sets.sink.table.mark, 0x20000);
    await running.stop('shutdown');
  });

  it('moves to another state file', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(configOf({ state: '/other.db' }));
    assert.equal(bench.sets.held.at(-1), 'blocked4: blocked6:');
    assert.equal(bench.store.opened, 1);
    await bench.clock.advance(0);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    await running.stop('shutdown');
  });
});

describe('the look at the machine', () => {
  const version = '1.2.3';
  const look = async (
    files: FakeFiles,
    table: Record<string, unknown> = {},
    agent: AgentLook = { kind: 'fits', version },
  ) =>
    (await nbrpcModule.preflight(configOf(table), { files, version, lookAtAgent: async () => agent })).map(
      ({ severity, text }) => `${severity}: ${text}`,
    );

  it('finds nothing wrong where nothing is', async () => {
    const files = new FakeFiles();
    files.put('/a.list', 'a.example b.example');
    assert.deepEqual(await look(files), ['ok: /a.list: 2 hosts', 'ok: /s.db: a new state file can be made']);
  });

  it('tells of the agent that is a service of its own, and only where there is one', async () => {
    const files = new FakeFiles();
    files.put('/a.list', 'a.example');
    const agent = async (found: AgentLook) => (await look(files, { agent: '/run/nft.sock' }, found)).at(-1);
    assert.equal(await agent({ kind: 'fits', version }), 'ok: nft-agent answers at /run/nft.sock');
    assert.equal(
      await agent({ kind: 'fits', version: '1.2.2' }),
      'ok: nft-agent answers at /run/nft.sock (version 1.2.2, this is 1.2.3)',
    );
    assert.equal(
      await agent({ kind: 'refuses', code: 'agent-message-invalid', message: 'what?' }),
      'warning: nft-agent at /run/nft.sock is of another version than 1.2.3',
    );
    assert.equal(
      await agent({ kind: 'refuses', code: 'agent-not-allowed', message: 'other sets' }),
      'error: nft-agent at /run/nft.sock would refuse: other sets',
    );
    assert.equal(
      await agent({ kind: 'silent', reason: '/run/nft.sock: nobody' }),
      'warning: nft-agent does not answer: /run/nft.sock: nobody',
    );
  });

  it('tells each mistake of a list, a missing list, and what is wrong with state and CA files', async () => {
    const files = new FakeFiles();
    files.put('/a.list', 'a=x\nb>y');
    files.put('/s.db', 'plain text');
    files.put('/ca.pem', 'no certificate');
    const findings = await look(files, { check_lists: ['/a.list', '/none'], check: { ca_file: '/ca.pem' } });
    assert.deepEqual(findings, [
      'error: /a.list:1:1: a=x: unknown result "x": codes such as 200/503, or na',
      'error: /a.list:2:1: b>y: unknown policy "y": one of af-any, af-all, af-pick, pick, noroute',
      'warning: /none does not exist: an empty list',
      'error: /s.db is not an SQLite database',
      'error: /ca.pem has no PEM certificate',
    ]);
    files.setReadOnly('/s.db');
    files.remove('/ca.pem');
    assert.deepEqual((await look(files, { check: { ca_file: '/ca.pem' } })).slice(-2), [
      'error: /s.db: the state file cannot be written or made',
      'error: /ca.pem does not exist',
    ]);
  });

  it('knows a state file of a newer version and of another program', async () => {
    const header = (id: number, version: number): Buffer => {
      const bytes = Buffer.alloc(100);
      bytes.write('SQLite format 3\0', 'latin1');
      bytes.writeUInt32BE(version, 60);
      bytes.writeUInt32BE(id, 68);
      return bytes;
    };
    const files = new FakeFiles();
    files.put('/a.list', '');
    files.put('/s.db', header(0x6e736e62, 9));
    assert.match((await look(files)).at(-1) ?? '', /error: \/s\.db is of version 9/);
    files.put('/s.db', header(1, 1));
    assert.match((await look(files)).at(-1) ?? '', /some other program/);
    files.put('/s.db', header(0x6e736e62, 1));
    assert.equal((await look(files)).at(-1), 'ok: /s.db: the state file is in order');
  });
});
