/** The gates before a run counts: link, resolver, control services; and time that counts only while they are open. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseToken } from '../../../src/nbrpc/check-list.ts';
import { ProbeSource } from '../../../src/nbrpc/checker.ts';
import { CountedTime } from '../../../src/nbrpc/counted-time.ts';
import type { HostState, ListEntry } from '../../../src/nbrpc/model.ts';
import { OwnSideGates, trialNames } from '../../../src/nbrpc/own-side.ts';
import { FakeHttpProbe } from '../../fakes/fake-http-probe.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { FakeUplink } from '../../fakes/fake-uplink.ts';
import { broken, LiveRehearsal, works } from './live-rehearsal.ts';
import { Rehearsal } from './rehearsal.ts';

const token = (text: string): ListEntry => {
  const parsed = parseToken(text);
  assert.ok(parsed.ok);
  return parsed.entry;
};

function bench(...tokens: string[]) {
  const uplink = new FakeUplink();
  const resolver = new FakeResolver();
  const probe = new FakeHttpProbe();
  const checks = new ProbeSource(probe, { timeout: 1000, bodyLimit: 1000 });
  const { signal } = new AbortController();
  const settings = { services: tokens.map(token), resolveTimeout: 1000 };
  const gates = (changes = {}) => new OwnSideGates({ uplink, resolver, checks }, { ...settings, ...changes });
  const one = gates();
  const lookBelieving = (believed: boolean | undefined, name: string) =>
    new OwnSideGates({ uplink, resolver, checks, believable: () => believed }, settings).look(signal, () => [name]);
  const look = (...names: string[]) => one.look(signal, () => names);
  return { uplink, resolver, probe, look, lookBelieving, lookWithout: () => gates({ uplink: false }).look(signal) };
}

describe('the own side', () => {
  it('is broken when the link is down, and nothing else is asked then', async () => {
    const { uplink, resolver, look } = bench('c.example');
    uplink.down = "the default route's link eth0 is down";
    assert.deepEqual(await look(), { ok: false, gate: 'link', reason: "the default route's link eth0 is down" });
    assert.equal(resolver.requests.length, 0);
  });

  it('is broken when the watch of resolvers says that names cannot be believed, and nothing is asked then', async () => {
    const { resolver, lookBelieving } = bench();
    resolver.answer('own.example', '9.9.9.1');
    const broken = await lookBelieving(false, 'own.example');
    assert.deepEqual([broken.ok, broken.ok ? '' : broken.gate, resolver.requests.length], [false, 'resolver', 0]);
    assert.deepEqual(await lookBelieving(undefined, 'own.example'), works);
    assert.deepEqual(await lookBelieving(true, 'own.example'), works);
  });

  it('works when one control service does, which is then asked first and alone', async () => {
    const { resolver, probe, look } = bench('c1.example', 'c2.example=204', 'c3.example');
    for (const [i, name] of ['c1.example', 'c2.example', 'c3.example'].entries()) resolver.answer(name, `9.9.9.${i}`);
    probe.blocked('c1.example');
    probe.works('c2.example', '*', 204);
    probe.blocked('c3.example');
    assert.deepEqual(await look(), works);
    assert.deepEqual(await look(), works);
    assert.deepEqual(
      probe.requests.map(({ host }) => host),
      ['c1.example', 'c2.example', 'c3.example', 'c2.example'],
    );
  });

  it('tells a resolver that says nothing from services that do not work', async () => {
    const { resolver, probe, look } = bench('c1.example', 'c2.example');
    resolver.fail('c1.example', 'timeout', 'no answer within 1000 ms');
    resolver.fail('c2.example', 'servfail');
    const silent = await look();
    assert.deepEqual(silent, {
      ok: false,
      gate: 'resolver',
      reason: 'c1.example: does not resolve: timeout, no answer within 1000 ms; c2.example: does not resolve: servfail',
    });
    resolver.answer('c1.example', '10.0.0.1');
    resolver.answer('c2.example', '9.9.9.9', '9.9.9.10');
    probe.works('c2.example', '*', 302 + 1);
    assert.deepEqual(await look(), {
      ok: false,
      gate: 'control',
      reason: 'c1.example: answered with 10.0.0.1; c2.example: status 303, expected 200, 301 or 302',
    });
  });

  it('asks the resolver for names of our own where no control service is configured, and one answer of any kind will do', async () => {
    const { resolver, look } = bench();
    const asked = () => resolver.requests.splice(0).map(({ name }) => name);
    resolver.answer('a.example', '9.9.9.9');
    assert.deepEqual([await look('a.example', 'b.example'), asked()], [works, ['a.example']]);
    // A name may be dead by its own fault; that it does not exist is an answer too.
    resolver.fail('a.example', 'servfail');
    assert.deepEqual(await look('a.example', 'b.example'), works);
    assert.deepEqual(asked(), ['a.example', 'b.example', 'a.root-servers.net']);
    for (const name of ['b.example', 'a.root-servers.net']) resolver.fail(name, 'timeout');
    assert.deepEqual(await look('a.example', 'b.example'), {
      ok: false,
      gate: 'resolver',
      reason:
        'a.example: does not resolve: servfail; b.example: does not resolve: timeout; a.root-servers.net: does not resolve: timeout',
    });
  });

  it('does without a resolver where a list has addresses alone, and none is configured to be asked for', async () => {
    const { resolver, look } = bench();
    assert.deepEqual([await look(), resolver.requests], [works, []]);
  });

  it('does not depend on its link where that is not to be looked at', async () => {
    const { uplink, lookWithout } = bench();
    uplink.down = 'there is no default route';
    assert.deepEqual(await lookWithout(), works);
  });

  it('that has no route for one family works, and says so', async () => {
    const { uplink, look } = bench();
    uplink.without = [6];
    assert.deepEqual(await look(), { ok: true, without: [6] });
  });

  it('tries the resolver with the names that it has answered last', async () => {
    const bench = new LiveRehearsal('c 9.9.9.9 b a d');
    bench.set('a', '1.1.1.1');
    await bench.livePass(1_000_000);
    bench.set('b', '1.1.1.1');
    await bench.livePass(1_001_000);
    assert.deepEqual(trialNames(bench.store.state), ['b', 'a', 'c']);
  });
});

describe('a pass whose own side is broken', () => {
  const always = { hostAddrs: 0, addrState: 0 };

  it('marks nothing and asks nothing, but takes lists in', async () => {
    const bench = new LiveRehearsal('a', { ...always, hostNaState: 100 });
    bench.set('a', '1.1.1.1=ok');
    await bench.livePass(1000);
    bench.set('a', '1.1.1.1=na');
    bench.files.put('/a.list', 'a b');
    const before = bench.checkedTargets.length;
    bench.look = () => broken;
    const learned = await bench.livePass(2000);
    assert.deepEqual(
      learned.map(({ lists, checked, resolved }) => [lists.added, checked, resolved]),
      [[['b'], [], []]],
    );
    assert.equal(bench.checkedTargets.length, before);
    assert.deepEqual([bench.host('a'), bench.host('b')], ['ok@1000', 'null@0']);
    assert.equal(bench.store.state.timeline.counted, 1000);
  });

  it('throws away what failed when it broke in the middle, and what is still being checked', async () => {
    const bench = new LiveRehearsal('a slow');
    bench.set('a', '1.1.1.1=na');
    bench.set('slow', '1.1.1.2=ok');
    let release = (): void => {};
    bench.delay = ({ host }) => (host === 'slow' ? new Promise((resolve) => (release = resolve)) : Promise.resolve());
    bench.look = () => (bench.looks === 1 ? works : broken);
    const passes = await bench.run();
    await bench.clock.advance(500);
    assert.equal(bench.looks, 2);
    release();
    await bench.clock.advance(500);
    assert.deepEqual([bench.host('a'), bench.addresses('a')], ['null@0', '']);
    assert.deepEqual([bench.host('slow'), bench.addresses('slow')], ['null@0', '']);
    await passes.stop();
  });

  it('is not looked at again after a pass in which everything worked', async () => {
    const bench = new LiveRehearsal('a');
    bench.set('a', '1.1.1.1=ok');
    await bench.livePass(1_000_000);
    assert.equal(bench.looks, 1);
  });
});

describe('a pass of the command line whose own side is broken', () => {
  it('marks nothing and asks nothing, but takes lists in', async () => {
    const bench = new Rehearsal('a');
    bench.set('a', '1.1.1.1=ok');
    await bench.pass(1000);
    bench.set('a', '1.1.1.1=na');
    bench.files.put('/a.list', 'a b');
    const before = bench.checkedTargets.length;
    const report = await bench.pass(2000, { ownSide: () => Promise.resolve(broken) });
    assert.deepEqual([report.ownSide, report.checked, report.resolved], [broken, [], []]);
    assert.equal(bench.checkedTargets.length, before);
    assert.deepEqual([bench.host('a'), bench.host('b')], ['ok@1000', 'null@0']);
  });

  it('throws away what failed when it broke in the middle, and looks once where nothing fails', async () => {
    const bench = new Rehearsal('a');
    let looks = 0;
    const ownSide = () => Promise.resolve(looks++ === 0 ? works : broken);
    bench.set('a', '1.1.1.1=na');
    assert.equal((await bench.pass(1000, { ownSide })).ownSide.ok, false);
    assert.deepEqual([looks, bench.host('a'), bench.addresses('a')], [2, 'null@0', '']);
    bench.set('a', '1.1.1.1=ok');
    looks = 0;
    await bench.pass(1000, { ownSide });
    assert.equal(looks, 1);
  });
});

describe('counted time', () => {
  it('is what passes between two runs that count, and never more than the most', () => {
    const time = new CountedTime();
    assert.equal(time.since(5000, 9000), 0, 'the first run');
    time.ran(5000, true);
    assert.equal(time.since(9000, 9000), 4);
    assert.equal(time.since(60_000, 9000), 9, 'frozen meanwhile');
    time.ran(9000, false);
    assert.equal(time.since(10_000, 9000), 0, 'the run before did not count');
    time.ran(10_000, true);
    assert.equal(time.since(11_000, 9000), 1);
  });

  it('is kept in the state file: it goes on after a restart without the time between', async () => {
    const bench = new LiveRehearsal('a', { hostAddrs: 0, addrState: 0, hostNaState: 100 });
    /** A pass at this time, the one before having counted this many seconds ago. */
    const pass = async (now: number, elapsed: number): Promise<number> => {
      bench.counted = new CountedTime();
      bench.counted.ran(bench.clock.monotonic() - elapsed * 1000, true);
      await bench.livePass(now);
      return bench.store.state.timeline.counted;
    };
    bench.set('a', '1.1.1.1=ok');
    await pass(1000, 0);
    bench.set('a', '1.1.1.1=na');
    await pass(1060, 60);
    assert.equal(bench.host('a'), 'failing@1060');
    // Down for a day; the first run of the next process adds nothing.
    assert.deepEqual([await pass(90_000, 0), bench.host('a')], [1060, 'failing@1060']);
    await pass(90_099, 99);
    assert.equal(bench.host('a'), 'failing@1060');
    await pass(90_100, 1);
    assert.equal(bench.host('a'), 'na@90100');
    // The drop-in on the same file counts by the wall clock from there on, and the daemon again from where that was.
    bench.settings = { ...bench.settings, timers: { ...bench.settings.timers, hostOkState: 500 } };
    bench.set('a', '1.1.1.1=ok');
    await bench.pass(90_599);
    assert.equal(bench.host('a'), 'na@90100');
    await bench.pass(90_600);
    assert.equal(bench.host('a'), 'ok@90600');
    assert.equal(await pass(95_000, 0), 90_600 - (90_100 - 1160));
  });

  it('never lets a host be na, or back, before its wait, over any jumps of the clock, freezes and broken gates', async () => {
    const grace = 500;
    const step = fc.record({
      monotonic: fc.constantFrom(1, 20, 60, 60, 60, 100, 5000, 86_400),
      jump: fc.constantFrom(0, 0, 0, 0, 3600, -3600, 1_000_000, -500_000),
      gate: fc.constantFrom('open', 'open', 'open', 'shut', 'breaks'),
      word: fc.constantFrom('ok', 'na', 'na', 'na'),
      restart: fc.constantFrom(false, false, false, true),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const bench = new LiveRehearsal('a', { hostNaState: grace, hostOkState: grace, hostAddrs: 0, addrState: 0 });
        bench.set('a', '1.1.1.1=ok');
        let wall = 1_000_000_000;
        await bench.livePass(wall);
        // The counted seconds by the definition: those between two looks in a row that found all well, in one process.
        const most = (3 * bench.interval) / 1000;
        let counted = 0;
        let before: number | undefined = 0;
        let monotonic = 0;
        let state: HostState | null = 'ok';
        let since: number | undefined;
        for (const next of steps) {
          await bench.clock.advance(next.monotonic * 1000);
          monotonic += next.monotonic;
          wall += next.monotonic + next.jump;
          if (next.restart) {
            bench.counted = new CountedTime();
            before = undefined;
          }
          bench.set('a', `1.1.1.1=${next.word}`);
          bench.looks = 0;
          bench.look = () => (next.gate === 'shut' || (next.gate === 'breaks' && bench.looks > 1) ? broken : works);
          await bench.livePass(wall);
          const now = bench.store.state.host('a')?.record.state ?? null;
          if (next.gate === 'shut') {
            before = undefined;
            assert.equal(now, state, 'a pass without a working own side marks nothing');
            continue;
          }
          if (before !== undefined) counted += Math.min(most, monotonic - before);
          before = monotonic;
          if (bench.looks > 1 && next.gate === 'breaks') {
            before = undefined;
            assert.equal(now, state, 'nor does one in which it breaks');
            continue;
          }
          if (now === state) continue;
          if (now === 'na')
            assert.ok(since !== undefined && counted - since >= grace, `na after ${counted} - ${since}`);
          if (state === 'na')
            assert.ok(since !== undefined && counted - since >= grace, `back after ${counted} - ${since}`);
          state = now;
          since = now === 'ok' ? undefined : counted;
        }
      }),
      { numRuns: 150 },
    );
  });
});
