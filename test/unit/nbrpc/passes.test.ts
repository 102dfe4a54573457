/** The passes of a running nbrpc: what needs no check waits for none, and no check holds up another. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CheckTarget } from '../../../src/nbrpc/checker.ts';
import { broken, LiveRehearsal } from './live-rehearsal.ts';
import { Rehearsal } from './rehearsal.ts';

/** Checks of these hosts are not answered until let go. */
function slow(bench: LiveRehearsal, ...hosts: string[]): { readonly release: () => void } {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  bench.delay = (target: CheckTarget) => (hosts.includes(target.host) ? gate : Promise.resolve());
  return { release: open };
}

const quick = { hostAddrs: 0, addrState: 0 };

describe('a check that takes its time', () => {
  it('holds back neither list edits nor checks of other hosts, in the same pass and in later ones', async () => {
    const bench = new LiveRehearsal('slow a');
    slow(bench, 'slow');
    bench.set('slow', '1.1.1.1=na');
    bench.set('a', '1.1.1.2=na');
    bench.set('b', '1.1.1.3=na');
    bench.set('c', '1.1.1.4=ok');
    const passes = await bench.run();
    await bench.clock.advance(500);
    assert.equal(bench.host('a').split('@')[0], 'na');
    assert.equal(bench.host('slow'), 'null@0');

    bench.files.put('/a.list', 'slow b c=na');
    await bench.clock.advance(60_500);
    assert.deepEqual(
      ['a', 'b', 'c', 'slow'].map((name) => bench.host(name).split('@')[0]),
      ['gone', 'na', 'na', 'null'],
    );
    assert.deepEqual(
      bench.checkedTargets.filter((target) => target.startsWith('slow')),
      ['slow 1.1.1.1'],
      'it is not asked again meanwhile',
    );
    await passes.stop();
  });

  it('counts once it ends: its host is decided then, and at once where it is the first time', async () => {
    const bench = new LiveRehearsal('slow');
    const { release } = slow(bench, 'slow');
    bench.set('slow', '1.1.1.1=na 1.1.1.2=ok');
    const passes = await bench.run();
    await bench.clock.advance(30_000);
    assert.deepEqual([bench.host('slow'), bench.addresses('slow')], ['null@0', '']);
    release();
    await bench.clock.advance(0);
    assert.equal(bench.host('slow').split('@')[0], 'na');
    assert.equal(bench.addresses('slow'), '1.1.1.1=na 1.1.1.2=ok');
    await passes.stop();
  });

  it('says nothing of a host whose list entry was edited meanwhile, or that is gone', async () => {
    const bench = new LiveRehearsal('slow gone');
    const { release } = slow(bench, 'slow', 'gone');
    bench.set('slow', '1.1.1.1=na');
    bench.set('gone', '1.1.1.2=na');
    const passes = await bench.run();
    bench.files.put('/a.list', 'slow=200');
    await bench.clock.advance(60_000);
    // The edited host is asked anew, without waiting for the old question.
    assert.deepEqual(bench.checkedTargets, ['slow 1.1.1.1', 'gone 1.1.1.2', 'slow 1.1.1.1']);
    bench.result('slow', '1.1.1.1=ok');
    release();
    await bench.clock.advance(0);
    assert.deepEqual([bench.host('slow').split('@')[0], bench.host('gone')], ['ok', 'gone']);
    await passes.stop();
  });

  it('does not keep new addresses of a rerouted host from the tunnel', async () => {
    const bench = new LiveRehearsal('a');
    bench.settings = { ...bench.settings, timers: { ...bench.settings.timers, hostAddrs: 0 } };
    bench.set('a', '1.1.1.1=na');
    const passes = await bench.run();
    assert.equal(bench.dump(), 'na a 1.1.1.1 https\n');
    const { release } = slow(bench, 'a');
    bench.set('a', '1.1.1.1=na 1.1.1.2=na');
    await bench.clock.advance(60_000);
    assert.equal(bench.dump(), 'na a 1.1.1.1 https\nna a 1.1.1.2 https\n');
    assert.equal(bench.addresses('a'), '1.1.1.1=na 1.1.1.2=null');
    release();
    await bench.clock.advance(0);
    assert.equal(bench.addresses('a'), '1.1.1.1=na 1.1.1.2=na');
    await passes.stop();
  });

  it('is one of the checks that the first pass is told to wait for', async () => {
    const bench = new LiveRehearsal('slow a b=na');
    const { release } = slow(bench, 'slow');
    bench.set('slow', '1.1.1.1=ok 1.1.1.2=ok');
    bench.set('a', '1.1.1.3=ok');
    bench.set('b', '1.1.1.4');
    const passes = await bench.run();
    assert.deepEqual(passes.firstPass, { done: 1, of: 3 });
    release();
    await bench.clock.advance(0);
    assert.equal(passes.firstPass, undefined);
    await passes.stop();
  });

  it('is given up when the passes stop, and nothing of it is saved', async () => {
    const bench = new LiveRehearsal('slow');
    const { release } = slow(bench, 'slow');
    bench.set('slow', '1.1.1.1=na');
    const passes = await bench.run();
    const stopped = passes.stop();
    release();
    await stopped;
    assert.deepEqual([bench.host('slow'), bench.addresses('slow')], ['null@0', '']);
    assert.equal(bench.clock.waiting, 0);
  });

  it('that fails for a defect is one of the passes', async () => {
    const bench = new LiveRehearsal('a');
    bench.set('a', '1.1.1.1=na');
    bench.delay = () => Promise.reject(new TypeError('a defect'));
    const passes = await bench.run();
    assert.match(String(bench.failures[0]), /a defect/);
    await passes.stop();
  });
});

describe('what needs no check', () => {
  it('is decided from known addresses at once when its entry is edited, before any name is asked for', async () => {
    const bench = new LiveRehearsal('a b');
    bench.set('a', '1.1.1.1=ok 1.1.1.2=ok');
    bench.set('b', '1.1.1.3=na');
    await bench.livePass(1_000_000);
    const answers: (() => void)[] = [];
    bench.resolver.delay = () => new Promise((resolve) => void answers.push(resolve));
    bench.files.put('/a.list', 'a=na b:dns');
    const passes = await bench.run();
    assert.deepEqual([bench.addresses('a'), bench.addresses('b')], ['1.1.1.1=na 1.1.1.2=na', '1.1.1.3=ok']);
    for (const answer of answers) answer();
    await passes.stop();
  });

  it('is resolved and decided while the own side is broken, however long the look at it takes', async () => {
    const bench = new LiveRehearsal('a=na b:dns c d=na');
    for (const [i, name] of ['a', 'b', 'c'].entries()) bench.set(name, `1.1.1.${i}=na`);
    bench.resolver.fail('d', 'timeout');
    let say = (): void => {};
    bench.look = () => new Promise((resolve) => (say = () => resolve(broken)));
    const passes = await bench.run();
    assert.equal(bench.dump(), 'na a 1.1.1.0 https\nok b 1.1.1.1 dns\n');
    bench.set('e', '1.1.1.9');
    bench.files.put('/a.list', 'a=na b:dns c d=na e=na');
    await bench.clock.advance(60_000);
    assert.match(bench.dump(), /\nna e 1\.1\.1\.9 https\n/);
    say();
    await bench.clock.advance(0);
    assert.deepEqual([bench.host('c'), bench.addresses('c'), bench.checkedTargets], ['null@0', '', []]);
    await passes.stop();
  });

  it('has its turn although more checked hosts are due than a pass may resolve', async () => {
    const bench = new LiveRehearsal('a b c d=na');
    bench.settings = { ...bench.settings, limits: { ...bench.settings.limits, iterHosts: 2 } };
    bench.set('d', '1.1.1.1');
    bench.look = () => broken;
    await bench.livePass(1_000_000);
    assert.equal(bench.dump(), 'na d 1.1.1.1 https\n');
  });
});

describe('checks of a pass', () => {
  it('are due by the timers and limits, a host at a time', async () => {
    const bench = new LiveRehearsal('a b c');
    bench.settings = { ...bench.settings, limits: { ...bench.settings.limits, iterHosts: 2, iterAddrs: 1 } };
    for (const [i, name] of ['a', 'b', 'c'].entries()) bench.set(name, `1.1.1.${i}=ok`);
    const names = () => bench.resolver.requests.map(({ name }) => name).join('');
    await bench.livePass(100_000);
    assert.deepEqual([names(), bench.checkedTargets], ['ab', ['a 1.1.1.0']]);
    await bench.livePass(100_240);
    assert.deepEqual([names(), bench.checkedTargets], ['abc', ['a 1.1.1.0', 'b 1.1.1.1']]);
    await bench.livePass(100_420);
    assert.deepEqual([names(), bench.checkedTargets.length], ['abcab', 3]);
    await bench.livePass(153_999);
    assert.equal(bench.checkedTargets.length, 3);
    await bench.livePass(154_000);
    assert.equal(bench.checkedTargets.at(-1), 'a 1.1.1.0');
  });

  it('leave out addresses of a family without a route, and make up for it once there is one', async () => {
    const bench = new LiveRehearsal('a b');
    bench.settings = { ...bench.settings, limits: { ...bench.settings.limits, iterAddrs: 1 } };
    bench.set('a', '1::1=ok 1.1.1.1=ok');
    bench.set('b', '1::2=ok');
    bench.look = () => ({ ok: true, without: [6] });
    await bench.livePass(1_000_000);
    await bench.livePass(1_000_001);
    assert.deepEqual(bench.checkedTargets, ['a 1.1.1.1']);
    bench.look = () => ({ ok: true, without: [] });
    await bench.livePass(1_000_002);
    await bench.livePass(1_000_003);
    assert.deepEqual(bench.checkedTargets.slice(1), ['a 1::1', 'b 1::2']);
  });

  it('that cannot be saved are made again in a later pass', async () => {
    const bench = new LiveRehearsal('a', quick);
    bench.set('a', '1.1.1.1=ok');
    const passes = await bench.run();
    bench.result('a', '1.1.1.1=na');
    bench.disk.failWrites({ errcode: 13, message: 'database or disk is full' });
    await bench.clock.advance(60_000);
    assert.ok(bench.checkedTargets.length > 1 && bench.failures.length > 0);
    assert.equal(bench.host('a').split('@')[0], 'ok');
    bench.disk.failWrites(undefined);
    await bench.clock.advance(60_000);
    assert.equal(bench.host('a').split('@')[0], 'failing');
    await passes.stop();
  });
});

describe('a wall clock that was set back', () => {
  it('leaves no DNS answer of the future as the newest one', async () => {
    const bench = new LiveRehearsal('a>pick.1 b');
    bench.set('a', '1.1.1.1=na 1.1.1.2=na');
    bench.set('b', '1.1.1.3=ok');
    await bench.livePass(500_000);
    bench.set('a', '1.1.1.2=na');
    await bench.livePass(500_500);
    const seen = () => [...(bench.store.state.host('a')?.addresses.values() ?? [])].map((each) => each.seen);
    assert.deepEqual(seen(), [500_000, 500_500]);
    bench.resolver.fail('a', 'timeout');
    await bench.livePass(1000);
    assert.deepEqual(seen(), [499, 999], 'their order and their ages stay');
    bench.set('a', '1.1.1.1=na');
    await bench.livePass(1500);
    assert.deepEqual(seen(), [1500, 999]);
  });
});

describe('passes in which nothing takes its time', () => {
  it('bring the same states as those of the command line, over any timeline', async () => {
    const step = fc.record({
      wait: fc.constantFrom(1, 60, 300, 500, 2000),
      list: fc.constantFrom('a b c', 'a b c', 'a>pick b c', 'a c', 'b>af-pick c>af-any.1', 'a>af-all.1 b>noroute'),
      words: fc.array(fc.constantFrom('ok', 'na', 'na', '?'), { minLength: 9, maxLength: 9 }),
      dns: fc.array(fc.option(fc.integer({ min: 0, max: 7 })), { minLength: 3, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const timers = { ...quick, hostNaState: 500, hostOkState: 700, hostAddrTimeout: 900 };
        const [live, once] = [new LiveRehearsal('', timers), new Rehearsal('', timers)];
        live.interval = 1e9;
        let now = 1_000_000;
        for (const { wait, list, words, dns } of steps) {
          now += wait;
          for (const bench of [live, once]) {
            bench.files.put('/a.list', list);
            for (const [h, host] of ['a', 'b', 'c'].entries()) {
              const pool = ['1.1.1.1', '1.1.1.2', '1::1'];
              for (const [i, address] of pool.entries()) bench.result(host, `${address}=${words[h * 3 + i]}`);
              const bits = dns[h] ?? undefined;
              if (bits === undefined) bench.resolver.fail(host, 'timeout');
              else bench.resolver.answer(host, ...pool.filter((_, i) => (bits >> i) & 1));
            }
          }
          live.counted.ran(live.clock.monotonic() - wait * 1000, true);
          await live.livePass(now);
          await once.pass(now);
          const states = (bench: Rehearsal) =>
            ['a', 'b', 'c'].map((name) => {
              const { record, addresses } = bench.store.state.host(name) ?? {};
              const sorted = [...(addresses?.values() ?? [])].sort((a, b) => (a.address < b.address ? -1 : 1));
              // How many addresses a blocked host had when it failed last may be told sooner.
              return [{ ...record, order: 0, reason: '' }, sorted.map((address) => ({ ...address, order: 0 }))];
            });
          assert.deepEqual(states(live), states(once));
          assert.equal(live.dump(), once.dump());
        }
      }),
      { numRuns: 200 },
    );
  });
});
