/** The nbrpc module on fakes, from its start to its stop: days in milliseconds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { detailOf } from '../../fakes/fake-nbrpc-host.ts';
import { Bench, hour } from './original-bench.ts';

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
    await assert.rejects(bench.start({ state: '/nowhere/x.db' }), { code: 'state-file-unusable' });
    await assert.rejects(bench.start({ check: { ca_file: '/ca.pem' } }), { code: 'ca-file-unreadable' });
    bench.files.put('/ca.pem', 'nothing');
    await assert.rejects(bench.start({ check: { ca_file: '/ca.pem' } }), { code: 'ca-file-empty' });
    assert.deepEqual([bench.opened.length, bench.store.opened], [0, 0]);
  });

  it('never lets the addresses of its resolvers into a set', async () => {
    const bench = new Bench('dns.example=na');
    bench.resolver.answer('dns.example', '9.9.9.9', '9.9.9.10');
    const running = await bench.start({ resolver: { servers: ['9.9.9.9'] } });
    await bench.clock.advance(0);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.10 blocked6:');
    await running.stop('shutdown');
  });

  it('empties the sets at shutdown with on_stop = flush, but not for a restart', async () => {
    const bench = new Bench();
    const table = { on_stop: 'flush' };
    const first = await bench.start(table);
    await first.stop('restart');
    assert.equal(bench.sets.closed, 'keep');
    const second = await bench.start(table);
    await Promise.all([second.stop('shutdown'), second.stop('shutdown')]);
    assert.equal(bench.sets.closed, 'flush');
    assert.equal(bench.clock.waiting, 0);
  });

  it('marks nothing while its own side is broken, says which gate failed, and counts no grace meanwhile', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('c.example', '9.9.9.10');
    const table = {
      control: { services: ['c.example:https=200'] },
      timers: { addr_state: '4m', host_addrs: '4m', host_na_state: '1h' },
    };
    const running = await bench.start(table);
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
    const running = await bench.start({ control: { services: ['c.example'] } });
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

  it('does not look at its link where nbrpc.control.uplink is false', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.uplink.down = 'there is no default route';
    const running = await bench.start({ control: { services: [], uplink: false } });
    await bench.clock.advance(0);
    assert.deepEqual([running.health().warnings, bench.probe.requests.length], [[], 1]);
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
