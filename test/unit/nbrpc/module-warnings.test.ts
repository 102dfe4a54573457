/** What a running nbrpc warns of, once and as long as it holds; and that it goes on meanwhile. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { detailOf } from '../../fakes/fake-nbrpc-host.ts';
import { Bench, hour } from './original-bench.ts';

describe('nbrpc', () => {
  it('keeps routing and warns while the state cannot be saved, and recovers by itself', async () => {
    const bench = new Bench('a.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start({ timers: { addr_state: '1m', host_addrs: '1m', host_na_state: '1m' } });
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
    const running = await bench.start({ limits: { iter_addrs: 1 } });
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
    const running = await bench.start({ limits: { iter_addrs: 1 } });
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
});
