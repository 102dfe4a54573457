/** Stories that attack the prompt schedule and its exits: restarts, reloads, lists and addresses that change while all goes around. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { sleep } from '../../../src/core/clock.ts';
import { hostOf } from '../../fakes/fake-nbrpc-host.ts';
import { a, Bench, b, minute, two } from './prompt-bench.ts';

const dropping = { ...two, when_no_exit: 'drop' };

/** `a.example` is blocked and goes around through the first exit. */
async function around(table: Record<string, unknown>) {
  const bench = new Bench('a.example');
  bench.resolver.answer('a.example', '9.9.9.9');
  bench.probe.blocked('a.example');
  const running = await bench.start(table);
  await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.9', 15);
  return { bench, running };
}

describe('while a service goes around', () => {
  it('what is dropped stays so over a restart and a reload, until an exit has answered', async () => {
    const { bench, running } = await around(dropping);
    for (const source of [a, b]) bench.exitWorks(source, false, 'a.example', 'control.example');
    await bench.until(() => bench.held === 'drop4:9.9.9.9', 5);
    bench.forgetChanges();
    await running.reload(bench.configOf(dropping));
    await bench.clock.advance(10 * minute);
    assert.deepEqual([bench.held, bench.changes], ['drop4:9.9.9.9', []], 'a reload');
    await running.stop('restart');
    const next = await bench.start(dropping);
    await bench.clock.advance(10 * minute);
    assert.deepEqual([...new Set(bench.changes)], ['drop4:9.9.9.9'], 'a restart');
    for (const source of [a, b]) bench.exitWorks(source, true, 'a.example', 'control.example');
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.9', 5);
    await next.stop('shutdown');
    assert.ok(!bench.changes.includes(''), bench.changes.join(' | '));
  });

  it('it goes on at once where an exit came back while netsteward was not there', async () => {
    const { bench, running } = await around(dropping);
    for (const source of [a, b]) bench.exitWorks(source, false, 'a.example', 'control.example');
    await bench.until(() => bench.held === 'drop4:9.9.9.9', 5);
    await running.stop('restart');
    bench.exitWorks(b, true, 'a.example', 'control.example');
    const next = await bench.start(dropping);
    const took = await bench.until(() => bench.held === 'blocked4-wg1:9.9.9.9', 2);
    assert.ok(took < 1, `${took} minutes`);
    await next.stop('shutdown');
  });

  it('exits that are renamed, taken away and reordered by reloads leave no service without its way', async () => {
    const { bench, running } = await around(dropping);
    const [wg0, wg1] = two.exit;
    const reloads = [
      { exit: [wg1, { ...wg0, mark: 0x30000 }], now: 'blocked4-wg0:9.9.9.9' },
      // The other one is known to work for it; of the new name nothing is known.
      { exit: [{ ...wg0, name: 'home' }, wg1], now: 'blocked4-wg1:9.9.9.9' },
      { exit: [wg1], now: 'blocked4-wg1:9.9.9.9' },
      { exit: [wg0, wg1], now: 'blocked4-wg1:9.9.9.9' },
      { exit: [wg0], now: 'blocked4-wg0:9.9.9.9' },
      { exit: [], now: 'blocked4:9.9.9.9' },
    ];
    for (const { exit, now } of reloads) {
      bench.forgetChanges();
      await running.reload(bench.configOf({ ...dropping, exit, when_no_exit: exit.length > 0 ? 'drop' : 'direct' }));
      await bench.clock.advance(10 * minute);
      assert.equal(bench.held, now);
      assert.deepEqual(
        bench.changes.filter((sets) => !/^blocked4[^ ]*:9\.9\.9\.9$/.test(sets)),
        [],
      );
    }
    await running.stop('shutdown');
  });

  it('a service that leaves the list while it goes around, and comes back, begins anew', async () => {
    const { bench, running } = await around(two);
    bench.probe.delay = () => sleep(bench.clock, 5000);
    bench.files.put('/a.list', 'b.example');
    bench.resolver.answer('b.example', '9.9.9.10');
    await bench.until(() => bench.held === '', 5);
    bench.files.put('/a.list', 'b.example a.example');
    bench.probe.works('a.example');
    await bench.clock.advance(20 * minute);
    assert.deepEqual([bench.held, hostOf(running, 'a.example')?.state], ['', 'ok']);
    bench.probe.blocked('a.example');
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.9', 15);
    await running.stop('shutdown');
  });

  it('an address that moves from a blocked service to one that works goes where its new service goes', async () => {
    const { bench, running } = await around({ ...two, timers: { host_addr_timeout: '1h', host_addrs: '7m' } });
    bench.resolver.answer('a.example', '9.9.9.10');
    bench.resolver.answer('b.example', '9.9.9.9');
    bench.files.put('/a.list', 'a.example b.example');
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.10,9.9.9.9', 15);
    // Forgotten of the one after an hour, it is of the other alone.
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.10', 90);
    assert.equal(hostOf(running, 'b.example')?.state, 'ok');
    await running.stop('shutdown');
  });

  it('a clock that is set back or forward by days changes no route', async () => {
    const { bench, running } = await around(two);
    bench.forgetChanges();
    for (const days of [3, -20, 400]) {
      bench.clock.jump(days * 24 * 60 * minute);
      await bench.clock.advance(30 * minute);
      assert.deepEqual([bench.held, bench.changes.includes('')], ['blocked4-wg0:9.9.9.9', false], `${days} days`);
    }
    bench.probe.works('a.example');
    await bench.until(() => bench.held === '', 60);
    await running.stop('shutdown');
  });
});

const events = ['first', 'second', 'uplink', 'reload', 'restart', 'unsaved', 'clock', 'list', 'reorder'] as const;
type Event = (typeof events)[number];

/** What happens to a service that is blocked all the while, and may not go direct; beside one that always works. */
async function story(steps: readonly { readonly event: Event; readonly minutes: number }[]): Promise<void> {
  const { bench, running: first } = await around(dropping);
  let running = first;
  bench.resolver.answer('b.example', '9.9.9.10');
  const list = ['b.example a.example', 'a.example>pick\nb.example', 'a.example=200/301 b.example'];
  bench.files.put('/a.list', list[0] ?? '');
  bench.forgetChanges();
  const dead = new Set<string>();
  const toggle = (source: string): void => {
    const works = dead.delete(source);
    if (!works) dead.add(source);
    bench.exitWorks(source, works, 'a.example', 'b.example', 'control.example');
  };
  for (const [index, { event, minutes }] of steps.entries()) {
    if (event === 'first') toggle(a);
    if (event === 'second') toggle(b);
    if (event === 'uplink') for (const at of ['b.example', 'control.example']) bench.probe.blocked(at);
    if (event === 'reload') await running.reload(bench.configOf(dropping));
    if (event === 'reorder') {
      const exit = index % 2 === 0 ? [two.exit[1], { ...two.exit[0], mark: 0x30000 }] : two.exit;
      await running.reload(bench.configOf({ ...dropping, exit }));
    }
    if (event === 'restart') {
      await running.stop('restart');
      running = await bench.start(dropping);
    }
    if (event === 'unsaved') bench.store.failWrites({ errcode: 13, message: 'database or disk is full' });
    if (event === 'clock') bench.clock.jump((index % 2 === 0 ? 1 : -1) * 3_600_000);
    if (event === 'list') bench.files.put('/a.list', list[index % list.length] ?? '');
    await bench.clock.advance(minutes * minute);
    for (const at of ['b.example', 'control.example']) bench.probe.works(at);
    bench.store.failWrites(undefined);
  }
  for (const source of dead) toggle(source);
  await bench.clock.advance(20 * minute);
  assert.match(bench.held, /^blocked4-wg[01]:9\.9\.9\.9$/, 'all is as it should be in the end');
  assert.deepEqual(
    bench.changes.filter((sets) => !/^(blocked4-wg[01]|drop4):9\.9\.9\.9$/.test(sets)),
    [],
    'never direct, and nobody else',
  );
  assert.deepEqual(running.health().warnings, []);
  await running.stop('shutdown');
}

test('whatever happens, a blocked service that may not go direct never does, and one that works is left alone', async () => {
  const step = fc.record({ event: fc.constantFrom(...events), minutes: fc.integer({ min: 0, max: 7 }) });
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), story), { numRuns: 25 });
});

const troubles = ['down', 'first', 'second', 'uplink', 'clock', 'junk', 'nothing', 'list', 'restart'] as const;
type Trouble = (typeof troubles)[number];

/** A service that nobody blocks: now and then it is down for everybody, or something on our own side is. */
async function unblocked(steps: readonly { readonly event: Trouble; readonly minutes: number }[]): Promise<void> {
  const bench = new Bench('a.example');
  bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.10');
  let running = await bench.start(two);
  await bench.clock.advance(12 * minute);
  let down = false;
  const dead = new Set<string>();
  const show = (): void => {
    for (const source of [a, b]) {
      bench.exitWorks(source, !dead.has(source), 'control.example');
      bench.exitWorks(source, !dead.has(source) && !down, 'a.example');
    }
    if (down) bench.probe.blocked('a.example');
    else bench.probe.works('a.example');
  };
  const kill = (source: string): void => {
    if (!dead.delete(source)) dead.add(source);
  };
  for (const [index, { event, minutes }] of steps.entries()) {
    if (event === 'down') down = !down;
    if (event === 'first') kill(a);
    if (event === 'second') kill(b);
    show();
    if (event === 'uplink') for (const at of ['a.example', 'control.example']) bench.probe.blocked(at);
    if (event === 'clock') bench.clock.jump((index % 2 === 0 ? 1 : -1) * 86_400_000);
    if (event === 'junk') bench.resolver.answer('a.example', '10.0.0.1', '127.0.0.1');
    if (event === 'list') bench.files.put('/a.list', index % 2 === 0 ? 'a.example=200/301' : 'a.example>af-any');
    if (event === 'restart') {
      await running.stop('restart');
      running = await bench.start(two);
    }
    await bench.clock.advance(minutes * minute);
    bench.probe.works('control.example');
    bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.10');
    show();
  }
  await bench.clock.advance(5 * minute);
  assert.deepEqual([bench.held, bench.changes.filter((sets) => sets !== ''), bench.flips()], ['', [], []]);
  await running.stop('shutdown');
}

test('whatever happens, a service that nobody blocks goes direct', async () => {
  const step = fc.record({ event: fc.constantFrom(...troubles), minutes: fc.integer({ min: 0, max: 9 }) });
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), unblocked), { numRuns: 25 });
});

describe('the resolvers of this machine', () => {
  it('enter no set where they are the ones that are asked, nor when they have changed', async () => {
    const bench = new Bench('dns.example=na');
    bench.resolver.answer('dns.example', '9.9.9.9', '9.9.9.10', '9.9.9.11');
    bench.files.put('/etc/resolv.conf', '# nameserver 9.9.9.11\nnameserver 127.0.0.53\noptions edns0\n');
    bench.files.put('/run/systemd/resolve/resolv.conf', 'nameserver 9.9.9.9\n');
    const running = await bench.start();
    await bench.until(() => bench.held === 'blocked4:9.9.9.10,9.9.9.11', 5);
    bench.files.put('/run/systemd/resolve/resolv.conf', 'nameserver 9.9.9.10 \nnameserver fe80::1%eth0\n');
    await bench.until(() => bench.held === 'blocked4:9.9.9.11,9.9.9.9', 5);
    await running.reload(bench.configOf({ resolver: { servers: ['9.9.9.11'] } }));
    assert.equal(bench.held, 'blocked4:9.9.9.10,9.9.9.9', 'others are asked');
    await running.stop('shutdown');
  });
});

describe('exits that fail one after another', () => {
  it('are left and taken again one by one, and a service that works directly is never dropped', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    bench.probe.blocked('a.example');
    const running = await bench.start(dropping);
    await bench.until(() => bench.held === 'blocked4-wg0:9.9.9.9', 15);
    const all = ['a.example', 'b.example', 'control.example'];
    bench.exitWorks(a, false, ...all);
    await bench.until(() => bench.held === 'blocked4-wg1:9.9.9.9', 5);
    bench.exitWorks(b, false, ...all);
    await bench.until(() => bench.held === 'drop4:9.9.9.9', 5);
    bench.exitWorks(b, true, ...all);
    await bench.until(() => bench.held === 'blocked4-wg1:9.9.9.9', 5);
    bench.exitWorks(a, true, ...all);
    await bench.clock.advance(10 * minute);
    assert.equal(bench.held, 'blocked4-wg1:9.9.9.9', 'sticky');
    assert.ok(bench.changes.every((sets) => !sets.includes('9.9.9.10')));
    assert.deepEqual(running.health().warnings, []);
    await running.stop('shutdown');
  });

  it('through which the control services alone fail take nothing from a service that works through them', async () => {
    const { bench, running } = await around({ exit: [two.exit[0]] });
    bench.forgetChanges();
    bench.exitWorks(a, false, 'control.example');
    await bench.clock.advance(20 * minute);
    // The exit counts as dead then, and says so; what is dropped by it would be dropped by mistake.
    assert.deepEqual([bench.held, bench.warnings().includes('+exit-down wg0')], ['', true]);
    await running.stop('shutdown');
  });
});

test('a thousand services that fall silent together are never asked in a burst', async () => {
  const names = Array.from({ length: 1000 }, (_, index) => `s${index}.example`);
  const bench = new Bench(names.join('\n'));
  for (const [index, name] of names.entries()) {
    bench.resolver.answer(name, `9.9.${10 + Math.floor(index / 250)}.${index % 250}`);
  }
  const running = await bench.start();
  await bench.clock.advance(20 * minute);
  const timeout = { kind: 'failure', stage: 'connect', reason: 'timeout', detail: '' } as const;
  for (const name of names) bench.probe.set(name, '*', timeout);
  bench.probe.delay = ({ host }) => sleep(bench.clock, host === 'control.example' ? 0 : 10_000);
  let [second, perMinute] = [0, 0];
  for (let at = 0; at < 12; at += 1) {
    let asked = 0;
    for (let part = 0; part < 60; part += 1) {
      bench.probe.requests.length = 0;
      await bench.clock.advance(1000);
      second = Math.max(second, bench.probe.requests.length);
      asked += bench.probe.requests.length;
    }
    perMinute = Math.max(perMinute, asked);
  }
  assert.equal(running.health().summary, '1000 of 1000 services rerouted');
  // Each is confirmed within some minutes, by five checks or so.
  assert.ok(second <= 40 && perMinute <= 1500, `${second} in a second, ${perMinute} in a minute`);
  const stopped = running.stop('shutdown');
  await bench.clock.advance(minute);
  await stopped;
});
