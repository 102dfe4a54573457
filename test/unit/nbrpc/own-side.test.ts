/** The gates before a run counts: link, resolver, control services; and time that counts only while they are open. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseToken } from '../../../src/nbrpc/check-list.ts';
import { ProbeSource } from '../../../src/nbrpc/checker.ts';
import { CountedTime } from '../../../src/nbrpc/counted-time.ts';
import type { HostState, ListEntry } from '../../../src/nbrpc/model.ts';
import { OwnSideGates } from '../../../src/nbrpc/own-side.ts';
import { FakeHttpProbe } from '../../fakes/fake-http-probe.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { FakeUplink } from '../../fakes/fake-uplink.ts';
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
  const settings = { services: tokens.map(token), resolveTimeout: 1000 };
  const gates = new OwnSideGates({ uplink, resolver, checks }, settings);
  return { uplink, resolver, probe, look: () => gates.look(new AbortController().signal) };
}

describe('the own side', () => {
  it('is broken when the link is down, and nothing else is asked then', async () => {
    const { uplink, resolver, look } = bench('c.example');
    uplink.down = "the default route's link eth0 is down";
    assert.deepEqual(await look(), { ok: false, gate: 'link', reason: "the default route's link eth0 is down" });
    assert.equal(resolver.requests.length, 0);
  });

  it('works when one control service does, which is then asked first and alone', async () => {
    const { resolver, probe, look } = bench('c1.example', 'c2.example=204', 'c3.example');
    for (const [i, name] of ['c1.example', 'c2.example', 'c3.example'].entries()) resolver.answer(name, `9.9.9.${i}`);
    probe.blocked('c1.example');
    probe.works('c2.example', '*', 204);
    probe.blocked('c3.example');
    assert.deepEqual(await look(), { ok: true });
    assert.deepEqual(await look(), { ok: true });
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

  it('is only its link where no control service is configured', async () => {
    const { resolver, look } = bench();
    assert.deepEqual(await look(), { ok: true });
    assert.equal(resolver.requests.length, 0);
  });
});

describe('a pass whose own side is broken', () => {
  const broken = { ok: false, gate: 'control', reason: 'nothing works' } as const;

  it('marks nothing and asks nothing, but takes lists in', async () => {
    const bench = new Rehearsal('a', { hostNaState: 100 });
    bench.set('a', '1.1.1.1=ok');
    await bench.pass(1000, { elapsed: 0 });
    bench.set('a', '1.1.1.1=na');
    bench.files.put('/a.list', 'a b');
    const before = bench.checkedTargets.length;
    const report = await bench.pass(2000, { elapsed: 50, ownSide: () => Promise.resolve(broken) });
    assert.deepEqual([report.ownSide, report.checked, report.resolved], [broken, [], []]);
    assert.equal(bench.checkedTargets.length, before);
    assert.equal(bench.host('a'), 'ok@1000');
    assert.equal(bench.host('b'), 'null@0');
    assert.equal(report.counted, 1000);
  });

  it('throws away what failed when it broke in the middle', async () => {
    const bench = new Rehearsal('a');
    bench.set('a', '1.1.1.1=na');
    let looks = 0;
    const ownSide = () => Promise.resolve(looks++ === 0 ? ({ ok: true } as const) : broken);
    const report = await bench.pass(1000, { elapsed: 0, ownSide });
    assert.equal(report.ownSide.ok, false);
    assert.equal(looks, 2);
    assert.deepEqual([bench.host('a'), bench.addresses('a')], ['null@0', '']);
  });

  it('is not looked at again after a pass in which everything worked', async () => {
    const bench = new Rehearsal('a');
    bench.set('a', '1.1.1.1=ok');
    let looks = 0;
    await bench.pass(1000, { ownSide: () => Promise.resolve({ ok: looks++ < 9 } as { ok: true }) });
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
    const bench = new Rehearsal('a', { hostNaState: 100 });
    bench.set('a', '1.1.1.1=ok');
    await bench.pass(1000, { elapsed: 0 });
    bench.set('a', '1.1.1.1=na');
    await bench.pass(1060, { elapsed: 60 });
    assert.equal(bench.host('a'), 'failing@1060');
    // Down for a day; the first run of the next process adds nothing.
    const report = await bench.pass(90_000, { elapsed: 0 });
    assert.deepEqual([report.counted, bench.host('a')], [1060, 'failing@1060']);
    await bench.pass(90_099, { elapsed: 99 });
    assert.equal(bench.host('a'), 'failing@1060');
    await bench.pass(90_100, { elapsed: 1 });
    assert.equal(bench.host('a'), 'na@90100');
    // The drop-in on the same file counts by the wall clock from there on, and the daemon again from where that was.
    bench.settings = { ...bench.settings, timers: { ...bench.settings.timers, hostOkState: 500 } };
    bench.set('a', '1.1.1.1=ok');
    await bench.pass(90_599);
    assert.equal(bench.host('a'), 'na@90100');
    await bench.pass(90_600);
    assert.equal(bench.host('a'), 'ok@90600');
    assert.equal((await bench.pass(95_000, { elapsed: 0 })).counted, 90_600 - (90_100 - 1160));
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
        const bench = new Rehearsal('a', { hostNaState: grace, hostOkState: grace, hostAddrs: 0, addrState: 0 });
        bench.set('a', '1.1.1.1=ok');
        let time = new CountedTime();
        let monotonic = 0;
        let wall = 1_000_000_000;
        const most = 180_000;
        await bench.pass(wall, { elapsed: 0 });
        time.ran(0, true);
        // The counted seconds by the definition: those between two runs in a row that counted, in one process.
        let counted = 0;
        let before: number | undefined = 0;
        let state: HostState | null = 'ok';
        let since: number | undefined;
        for (const next of steps) {
          monotonic += next.monotonic * 1000;
          wall += next.monotonic + next.jump;
          if (next.restart) {
            time = new CountedTime();
            before = undefined;
          }
          bench.set('a', `1.1.1.1=${next.word}`);
          let looks = 0;
          const shut = { ok: false, gate: 'control', reason: '' } as const;
          const ownSide = () => {
            looks += 1;
            return Promise.resolve(
              next.gate === 'shut' || (next.gate === 'breaks' && looks > 1) ? shut : ({ ok: true } as const),
            );
          };
          const elapsed = time.since(monotonic, most);
          const report = await bench.pass(wall, { forced: false, rewound: true, elapsed, ownSide });
          time.ran(monotonic, report.ownSide.ok);
          const now = bench.store.state.host('a')?.record.state ?? null;
          if (!report.ownSide.ok) {
            before = undefined;
            assert.equal(now, state, 'a run that does not count marks nothing');
            continue;
          }
          if (before !== undefined) counted += Math.min(most, monotonic - before) / 1000;
          before = monotonic;
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
