/** The nbrpc module under the prompt schedule, on fakes: blocks, releases and exits, minutes in microseconds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sleep } from '../../../src/core/clock.ts';
import { detailOf, hostOf } from '../../fakes/fake-nbrpc-host.ts';
import { a, Bench, b, minute, two } from './prompt-bench.ts';

describe('the prompt schedule', () => {
  it('reroutes a service within minutes of a block, and releases it within an hour of its end', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.10');
    bench.resolver.answer('b.example', '9.9.9.11');
    const running = await bench.start();
    await bench.clock.advance(20 * minute);
    assert.deepEqual([hostOf(running, 'a.example')?.state, bench.held], ['ok', '']);

    bench.probe.blocked('a.example');
    const blockedFor = await bench.until(() => bench.held === 'blocked4:9.9.9.10,9.9.9.9', 15);
    assert.deepEqual(bench.flips(), ['a.example direct>tunnel']);
    const { reroute } = detailOf(running).reactions?.byKind ?? assert.fail();
    assert.deepEqual([reroute.count, reroute.worst], [1, bench.took()], 'it is told as it was logged');
    // A failure, and three rounds that confirm it; the first one came some time after the block.
    assert.ok(bench.took() > 30 && bench.took() < blockedFor * 60, `${bench.took()} s of ${blockedFor} min`);
    assert.equal(hostOf(running, 'a.example')?.reason.split(' at ')[0], 'tls reset');

    bench.probe.works('a.example');
    const worksFor = await bench.until(() => bench.held === '', 60);
    assert.deepEqual(bench.flips().at(-1), 'a.example tunnel>direct');
    // Half an hour of good checks releases it.
    assert.ok(bench.took() >= 1800 && bench.took() < worksFor * 60, `${bench.took()} s of ${worksFor} min`);
    assert.equal(detailOf(running).reactions?.byKind.release.count, 1);
    await running.stop('shutdown');
  });

  it('decides on a host that is new in the list within minutes', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('new.example', '9.9.9.12');
    bench.probe.blocked('new.example');
    const running = await bench.start({ timers: { pass: '30s' } });
    await bench.clock.advance(10 * minute);
    bench.files.put('/a.list', 'a.example new.example');
    await bench.until(() => bench.held === 'blocked4:9.9.9.12', 3);
    await running.stop('shutdown');
  });

  it('keeps what it knows over a restart, and goes on from a state of the original schedule', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.probe.blocked('a.example');
    const first = await bench.start({ schedule: 'original', timers: { host_na_state: '0s', addr_state: '1m' } });
    await bench.until(() => bench.held === 'blocked4:9.9.9.9', 30);
    await first.stop('shutdown');
    const second = await bench.start();
    assert.equal(bench.held, 'blocked4:9.9.9.9');
    await bench.clock.advance(30 * minute);
    assert.equal(bench.held, 'blocked4:9.9.9.9');
    await second.stop('restart');
    const third = await bench.start();
    await bench.clock.advance(10 * minute);
    bench.probe.works('a.example');
    await bench.until(() => bench.held === '', 60);
    await third.stop('shutdown');
    const last = await bench.start({ schedule: 'original' });
    await bench.clock.advance(minute);
    assert.deepEqual([hostOf(last, 'a.example')?.state, bench.held], ['ok', '']);
    await last.stop('shutdown');
  });

  it('flips nothing while the own side is broken, nor by what failed before that was known', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(20 * minute);
    bench.probe.blocked('a.example');
    bench.probe.blocked('control.example');
    await bench.clock.advance(60 * minute);
    assert.deepEqual([bench.flips(), bench.held], [[], '']);
    assert.ok(running.health().warnings.some(({ code }) => code === 'own-side-broken'));
    bench.probe.works('control.example');
    bench.probe.works('a.example');
    await bench.clock.advance(60 * minute);
    assert.deepEqual([bench.flips(), hostOf(running, 'a.example')?.state], [[], 'ok']);
    await running.stop('shutdown');
  });

  it('takes an edited check at its word, and keeps the route until it has said something', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.probe.blocked('a.example');
    const running = await bench.start({ timers: { pass: '30s' } });
    await bench.until(() => bench.held === 'blocked4:9.9.9.9', 15);
    bench.files.put('/a.list', 'a.example=404');
    bench.probe.works('a.example', '*', 404);
    await bench.until(() => bench.held === '', 3);
    bench.files.put('/a.list', 'a.example=na');
    await bench.until(() => bench.held === 'blocked4:9.9.9.9', 1);
    bench.files.put('/a.list', '');
    await bench.until(() => bench.held === '', 1);
    await running.stop('shutdown');
  });

  it('keeps the routes over a reload that changes the schedule, or brings exits and takes them away', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.probe.blocked('a.example');
    const running = await bench.start();
    await bench.until(() => bench.held === 'blocked4:9.9.9.9', 15);
    bench.forgetChanges();
    await running.reload(bench.configOf(two));
    await bench.clock.advance(30 * minute);
    assert.equal(bench.held, 'blocked4-wg0:9.9.9.9');
    await running.reload(bench.configOf({ schedule: 'original' }));
    await bench.clock.advance(30 * minute);
    assert.equal(bench.held, 'blocked4:9.9.9.9');
    await running.reload(bench.configOf());
    await bench.clock.advance(30 * minute);
    assert.equal(bench.held, 'blocked4:9.9.9.9');
    assert.ok(!bench.changes.includes(''), bench.changes.join(' | '));
    assert.deepEqual(bench.flips().slice(1), ['a.example tunnel>tunnel wg0'], 'of routes that stay nothing is told');
    assert.ok(Number.isNaN(bench.took()), 'no check made it so');
    assert.deepEqual([hostOf(running, 'a.example')?.exit, detailOf(running).exits], [null, []]);
    await running.stop('shutdown');
  });

  it('tells how far the first checks are', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.10');
    bench.resolver.answer('b.example', '9.9.9.11');
    bench.probe.delay = ({ address }) => sleep(bench.clock, address === '9.9.9.11' ? minute : 0);
    const running = await bench.start();
    await bench.clock.advance(20_000);
    assert.deepEqual(detailOf(running).firstPass, { done: 2, of: 3 });
    await bench.clock.advance(2 * minute);
    assert.equal(detailOf(running).firstPass, null);
    await running.stop('shutdown');
  });

  it('asks what was being asked again after a state that could not be saved, and loses nothing of it', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(20 * minute);
    bench.probe.blocked('a.example');
    bench.store.failWrites({ errcode: 13, message: 'database or disk is full' });
    await bench.clock.advance(30 * minute);
    assert.deepEqual([bench.held, bench.warnings().at(-1)], ['', '+state-not-saved']);
    bench.store.failWrites(undefined);
    await bench.until(() => bench.held === 'blocked4:9.9.9.9', 5);
    assert.equal(bench.warnings().at(-1), '-state-not-saved');
    await running.stop('shutdown');
  });
});

describe('exits', () => {
  it('take a blocked service in the preferred order, and keep it while they work for it', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    bench.exitWorks(a, false, 'b.example');
    const running = await bench.start(two);
    await bench.clock.advance(20 * minute);
    bench.probe.blocked('a.example');
    bench.probe.blocked('b.example');
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.9 blocked4-wg1:9.9.9.10', 15);
    assert.deepEqual(bench.flips().toSorted(), ['a.example direct>tunnel wg0', 'b.example direct>tunnel wg1']);
    bench.exitWorks(a, true, 'b.example');
    await bench.clock.advance(120 * minute);
    assert.equal(bench.held, 'blocked4-wg0:9.9.9.9 blocked4-wg1:9.9.9.10', 'sticky');
    const { exits } = detailOf(running);
    assert.deepEqual(
      exits.map(({ name, works, hosts, addresses }) => [name, works, hosts, addresses]),
      [
        ['wg0', true, 1, 1],
        ['wg1', true, 1, 1],
      ],
    );
    assert.equal(hostOf(running, 'b.example')?.exit, 'wg1');
    await running.stop('shutdown');
  });

  it('hand a service over to another exit in one step when theirs dies for it', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.probe.blocked('a.example');
    const running = await bench.start(two);
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.9', 15);
    bench.forgetChanges();
    bench.exitWorks(a, false, 'a.example');
    const deadFor = await bench.until(() => bench.held === 'blocked4-wg1:9.9.9.9', 15);
    assert.deepEqual(bench.changes, ['blocked4-wg1:9.9.9.9']);
    assert.ok(bench.took() > 0 && bench.took() < deadFor * 60, `${bench.took()} s of ${deadFor} min`);
    assert.equal(detailOf(running).reactions?.byKind['fail-over'].count, 1);
    assert.deepEqual(bench.flips().at(-1), 'a.example tunnel>tunnel wg1');
    assert.deepEqual(bench.warnings(), [], 'the exit itself is well');
    await running.stop('shutdown');
  });

  it('that are dead are told, and leave all their services at once', async () => {
    const bench = new Bench('a.example b.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    bench.probe.blocked('a.example');
    const running = await bench.start(two);
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.10,9.9.9.9', 15);
    bench.exitWorks(a, false, 'a.example', 'control.example');
    const took = await bench.until(() => bench.held === 'blocked4-wg1:9.9.9.10,9.9.9.9', 5);
    assert.ok(took <= 2, `${took} minutes`);
    assert.ok(bench.took() > 0 && bench.took() < took * 60, `${bench.took()} s of ${took} min`);
    assert.deepEqual(bench.warnings(), ['+exit-down wg0']);
    bench.exitWorks(a, true, 'a.example', 'control.example');
    await bench.clock.advance(5 * minute);
    assert.deepEqual(bench.warnings().at(-1), '-exit-down wg0');
    assert.equal(bench.held, 'blocked4-wg1:9.9.9.10,9.9.9.9', 'sticky');
    await running.stop('shutdown');
  });

  it('that are all dead leave blocked services to the direct route, or drop them, as they are configured', async () => {
    const bench = new Bench('a.example=na b.example=na c.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    bench.resolver.answer('c.example', '9.9.9.11');
    const service = [{ host: 'b.example', when_no_exit: 'drop' }];
    const running = await bench.start({ ...two, service });
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.10,9.9.9.9', 5);
    for (const source of [a, b]) bench.exitWorks(source, false, 'c.example', 'control.example');
    await bench.until(() => bench.held === 'drop4:9.9.9.10', 5);
    // Blocked now, but nobody can say whether it works elsewhere.
    bench.probe.blocked('c.example');
    await bench.clock.advance(30 * minute);
    assert.equal(bench.held, 'drop4:9.9.9.10');
    assert.deepEqual(bench.flips().slice(2), ['a.example tunnel>direct', 'b.example tunnel>dropped']);
    assert.deepEqual([hostOf(running, 'b.example')?.standing, detailOf(running).byStanding.dropped], ['dropped', 1]);
    assert.match(running.health().summary, /, 1 dropped$/);
    assert.deepEqual(bench.warnings().toSorted(), ['+exit-down wg0', '+exit-down wg1', '+no-exit']);
    for (const source of [a, b]) bench.exitWorks(source, true, 'c.example', 'control.example');
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.10,9.9.9.11,9.9.9.9', 15);
    assert.deepEqual(running.health().warnings, []);
    assert.equal(hostOf(running, 'b.example')?.standing, 'rerouted');
    await running.stop('shutdown');
  });

  it('flip nothing for a service that is down everywhere, until it is back', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start(two);
    await bench.clock.advance(20 * minute);
    bench.probe.blocked('a.example');
    for (const source of [a, b]) bench.exitWorks(source, false, 'a.example');
    await bench.clock.advance(60 * minute);
    assert.deepEqual([bench.flips(), hostOf(running, 'a.example')?.state], [[], 'unstable']);
    bench.probe.works('a.example');
    for (const source of [a, b]) bench.exitWorks(source, true, 'a.example');
    await bench.until(() => hostOf(running, 'a.example')?.state === 'ok', 5);
    assert.deepEqual(bench.flips(), []);
    await running.stop('shutdown');
  });

  it('that help nobody are told without control services too, where another one helps', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.probe.blocked('a.example');
    bench.exitWorks(a, false, 'a.example');
    const running = await bench.start({ ...two, control: { services: [] } });
    await bench.until(() => bench.held === 'blocked4-wg1:9.9.9.9', 5);
    await bench.clock.advance(2 * minute);
    assert.deepEqual(bench.warnings(), ['+exit-down wg0']);
    assert.deepEqual(
      detailOf(running).exits.map(({ name, works }) => [name, works]),
      [
        ['wg0', false],
        ['wg1', true],
      ],
    );
    await running.stop('shutdown');
  });

  it('are never led through themselves: their endpoints enter no set', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.10');
    const exit = [{ name: 'wg0', source: [a], endpoints: ['9.9.9.9'] }];
    const running = await bench.start({ exit });
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.10', 5);
    await running.stop('shutdown');
  });
});
