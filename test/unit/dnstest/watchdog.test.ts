/** The watchdog: what it does after each check, how seldom it cures, and what it never does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blameOf, type CheckResult, type FailureKind } from '../../../src/dnstest/check-result.ts';
import {
  afterCheck,
  afterCure,
  type Decision,
  firstVerdict,
  newWatch,
  type Verdict,
  type WatchSettings,
  type WatchState,
} from '../../../src/dnstest/watchdog.ts';

const minute = 60_000;
const settings: WatchSettings = {
  interval: minute,
  retries: 2,
  timeout: 10_000,
  rest: 15 * minute,
  longestRest: 120 * minute,
  calm: 60 * minute,
  cures: 3,
  grace: 0,
};

const good: Verdict = { kind: 'good' };
const bad: Verdict = { kind: 'bad', failure: { kind: 'timeout', text: 'nothing came' } };
const networkDown: Verdict = { kind: 'excused', cause: 'network', text: 'there is no default route' };

interface Played {
  state: WatchState;
  now: number;
  /** Cures with the time of each. */
  cures: { index: number; at: number }[];
  events: string[];
  last: Decision | undefined;
}

/** Checks one after the other, cures taking no time and 1 s to settle, each when the decision before asked for it. */
function play(verdicts: Iterable<Verdict>, options = settings, from?: Played): Played {
  const played: Played = from ?? { state: newWatch, now: 0, cures: [], events: [], last: undefined };
  for (const verdict of verdicts) {
    let decision = afterCheck(played.state, verdict, played.now, options);
    if (decision.event !== undefined) played.events.push(decision.event);
    if (decision.next.kind === 'rest') played.events.push('rest');
    if (decision.next.kind === 'cure') {
      const { index } = decision.next;
      played.cures.push({ index, at: played.now });
      played.events.push(`cure ${index}`);
      decision = afterCure(decision.state, index, played.now, 1000);
    }
    if (decision.next.kind === 'cure') assert.fail('a cure without a check before it');
    played.state = decision.state;
    played.now = decision.next.at;
    played.last = decision;
  }
  return played;
}

const times = (count: number, verdict: Verdict): Verdict[] => Array.from({ length: count }, () => verdict);

test('a resolver that is well is never cured', () => {
  const { cures, events } = play(times(10_000, good));
  assert.deepEqual([cures, events], [[], []]);
});

test('a failure that one of the retries mends is no reason for a cure', () => {
  const { cures, events } = play([good, bad, good, good, bad, bad, good, good]);
  assert.deepEqual([cures, events], [[], []]);
});

test('each cure is tried once, from the first on, with a check after each; then it rests', () => {
  const { events } = play(times(8, bad));
  assert.deepEqual(events, ['failed', 'cure 0', 'cure 1', 'cure 2', 'rest', 'rest', 'rest']);
});

test('a cure that helps is told as such, and the next ones are not tried', () => {
  const { events, state } = play([bad, bad, bad, bad, good, good]);
  assert.deepEqual(events, ['failed', 'cure 0', 'cure 1', 'cured']);
  assert.equal(state.failing, undefined);
});

test('a resolver that comes back by itself during a rest is well again', () => {
  const { events } = play([...times(7, bad), good]);
  assert.deepEqual(events.slice(-2), ['rest', 'recovered']);
});

test('a relapse within the calm time goes on with the next cure, one after it begins with the first', () => {
  const soon = play([bad, bad, bad, good, ...times(10, good), bad, bad, bad]);
  assert.deepEqual(
    soon.cures.map(({ index }) => index),
    [0, 1],
  );
  const late = play([bad, bad, bad, good, ...times(61, good), bad, bad, bad]);
  assert.deepEqual(
    late.cures.map(({ index }) => index),
    [0, 0],
  );
});

test('rests get longer and longer, up to the longest, while the resolver is checked at each interval', () => {
  const { cures } = play(times(2000, bad));
  const rounds = cures.filter(({ index }) => index === 0).map(({ at }) => at);
  const gaps = rounds.slice(1).map((at, index) => Math.round((at - (rounds[index] ?? 0)) / minute));
  assert.deepEqual(gaps.slice(0, 5), [15, 30, 60, 120, 120]);
});

test('while the network is down nothing is done, whatever failed before, and doubt begins anew', () => {
  const { cures, state } = play([bad, bad, ...times(100, networkDown), bad, bad]);
  assert.deepEqual(cures, []);
  assert.deepEqual(state.excused, undefined);
  assert.equal(play([bad, networkDown]).state.excused?.text, 'there is no default route');
});

test('a network that goes down amid the cures stops them where they are', () => {
  const { events } = play([bad, bad, bad, ...times(50, networkDown), bad, good]);
  assert.deepEqual(events, ['failed', 'cure 0', 'cure 1', 'cured']);
});

test('after the test zone was down, silence and SERVFAIL say nothing for a while; a wrong address does', () => {
  const options = { ...settings, grace: 5 * minute };
  const zoneDown: Verdict = { kind: 'excused', cause: 'zone', text: 'the zone is down' };
  const soon = play([zoneDown, ...times(4, bad)], options);
  assert.deepEqual([soon.events, soon.state.excused?.cause], [[], 'memory']);
  const late = play([zoneDown, ...times(7, bad)], options);
  assert.deepEqual(late.events, ['failed', 'cure 0']);
  assert.deepEqual(play([zoneDown, good, bad, bad, bad], options).events, ['failed', 'cure 0']);
  const wrong: Verdict = { kind: 'bad', failure: { kind: 'wrong', text: 'another address' } };
  assert.deepEqual(play([zoneDown, wrong, wrong, wrong], options).events, ['failed', 'cure 0']);
});

test('without cures a failing resolver is told once, then checked on', () => {
  const { events, last } = play(times(10, bad), { ...settings, cures: 0 });
  assert.equal(events.filter((event) => event === 'failed').length, 1);
  assert.equal(last?.next.kind, 'rest');
});

test('however a resolver behaves, cures are never a loop: each runs at most once per rest or calm time', () => {
  const verdict = fc.constantFrom(good, bad, bad, bad, networkDown);
  fc.assert(
    fc.property(fc.array(verdict, { minLength: 100, maxLength: 600 }), (verdicts) => {
      const { cures } = play(verdicts);
      for (const index of [0, 1, 2]) {
        const at = cures.filter((one) => one.index === index).map((one) => one.at);
        for (const [place, time] of at.entries()) {
          const before = at[place - 1];
          if (before !== undefined) assert.ok(time - before >= settings.rest, `cure ${index} again too soon`);
        }
      }
      // A cure is only ever preceded by failing checks: as many as a failure takes, or the check after the cure before.
      assert.ok(cures.length <= verdicts.filter((one) => one === bad).length);
    }),
    { numRuns: 500 },
  );
});

function result(kind: FailureKind | undefined, control?: CheckResult['control']): CheckResult {
  const failure = kind === undefined ? undefined : { kind, text: `it is ${kind}` };
  return { at: 0, elapsed: 1, name: 'x.test', failure, control };
}

test('a test zone that is down, and a machine that cannot ask, say nothing of the resolver', () => {
  assert.equal(firstVerdict(result(undefined)).kind, 'good');
  assert.deepEqual(firstVerdict(result('servfail', 'failed')), {
    kind: 'excused',
    cause: 'zone',
    text: 'the zone’s own server does not give the right answer either (it is servfail)',
  });
  assert.deepEqual(firstVerdict(result('local')), { kind: 'excused', cause: 'local', text: 'it is local' });
  assert.equal(firstVerdict(result('servfail', 'right')).kind, 'ask');
});

test('a wrong address counts unless the zone’s own server is not right either; one beside the right one always counts', () => {
  const blame = (kind: FailureKind, control?: CheckResult['control']): string | undefined =>
    blameOf(result(kind, control));
  for (const kind of ['wrong', 'stale', 'timeout', 'slow', 'nxdomain'] as const) {
    assert.deepEqual(
      [blame(kind), blame(kind, 'right'), blame(kind, 'failed')],
      ['resolver', 'resolver', 'zone'],
      kind,
    );
  }
  for (const kind of ['partial', 'bogus'] as const) assert.equal(blame(kind, 'failed'), 'resolver', kind);
  assert.equal(blame('local', 'failed'), 'local');
});
