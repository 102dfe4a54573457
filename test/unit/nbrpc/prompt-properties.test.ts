/** What holds of the prompt schedule over any history of one address (fast-check). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  dueTimes,
  isDownEverywhere,
  type PromptEvent,
  type PromptState,
  promptState,
  regularInterval,
  step,
  verdictOf,
} from '../../../src/nbrpc/prompt/address.ts';
import { type PromptSettings, promptDefaults } from '../../../src/nbrpc/prompt/settings.ts';

type Bare = { kind: 'checked'; route: 'direct' | 'exit'; outcome: 'ok' | 'fail' | 'unsure' } | { kind: 'void' };

interface Moment {
  /** Seconds since the one before. */
  readonly wait: number;
  readonly events: readonly Bare[];
}
type Moments = readonly Moment[];

const checked = fc.record({
  kind: fc.constant('checked' as const),
  route: fc.constantFrom('direct', 'direct', 'exit'),
  // Mostly what leads to a block, else nothing much would happen.
  outcome: fc.constantFrom('fail', 'fail', 'ok', 'unsure'),
});
const confirming = fc.constantFrom<readonly Bare[]>([
  { kind: 'checked', route: 'direct', outcome: 'fail' },
  { kind: 'checked', route: 'exit', outcome: 'ok' },
]);
const bare = fc.oneof(
  { weight: 12, arbitrary: checked },
  { weight: 1, arbitrary: fc.constant({ kind: 'void' } as const) },
) as fc.Arbitrary<Bare>;
const moment: fc.Arbitrary<Moment> = fc.record({
  wait: fc.constantFrom(1, 10, 15, 60, 299, 300, 540, 4000, 100_000),
  events: fc.oneof(
    { weight: 3, arbitrary: confirming },
    { weight: 2, arbitrary: fc.array(bare, { minLength: 1, maxLength: 4 }) },
  ),
});
const history: fc.Arbitrary<readonly Moment[]> = fc.array(moment, { minLength: 1, maxLength: 40 });
const place = fc.double({ min: 0, max: 0.999, noNaN: true });
const settings = fc
  .record({ tries: fc.integer({ min: 1, max: 3 }), confirmations: fc.integer({ min: 1, max: 4 }) })
  .map((some): PromptSettings => ({ ...promptDefaults, ...some, rounds: 4 }));

function* states(
  moments: Moments,
  at: number,
  from: PromptState,
  how: PromptSettings,
): Iterable<[PromptEvent, PromptState]> {
  let state = from;
  let now = at;
  for (const { wait, events } of moments) {
    now += wait;
    for (const event of events) {
      const happens = { ...event, at: now };
      state = step(state, happens, how);
      yield [happens, state];
    }
  }
}

function last(moments: Moments, at: number, from: PromptState, how: PromptSettings = promptDefaults): PromptState {
  let state = from;
  for (const [, next] of states(moments, at, from, how)) state = next;
  return state;
}

describe('over any history of an address', () => {
  it('the order of what comes in one moment does not matter', () => {
    fc.assert(
      fc.property(history, place, fc.infiniteStream(fc.nat()), (moments, at, keys) => {
        const shuffled = moments.map(({ wait, events }) => {
          const keyed = events.map((event) => ({ event, key: keys.next().value ?? 0 }));
          return { wait, events: keyed.sort((a, b) => a.key - b.key).map(({ event }) => event) };
        });
        assert.deepEqual(last(shuffled, 0, promptState(at, 0)), last(moments, 0, promptState(at, 0)));
      }),
    );
  });

  it('it is never blocked by less than the failures and confirmations that are asked for', () => {
    let blocks = 0;
    fc.assert(
      fc.property(history, settings, (moments, how) => {
        // Since the last void, or change of the verdict: moments in which each route said this.
        let failures = new Set<number>();
        let exits = new Set<number>();
        let before = promptState(0.5, 0);
        let at = 0;
        for (const moment of moments) {
          // What is decided within a moment, before all of it was heard, is no decision.
          const state = last([moment], at, before, how);
          at += moment.wait;
          for (const event of moment.events) {
            if (event.kind === 'void') continue;
            if (event.route === 'direct' && event.outcome === 'fail') failures.add(at);
            if (event.route === 'exit' && event.outcome === 'ok') exits.add(at);
          }
          if (verdictOf(state) === 'blocked' && verdictOf(before) !== 'blocked') {
            blocks += 1;
            assert.ok(failures.size >= how.tries + how.confirmations, `${failures.size} failures`);
            assert.ok(exits.size >= how.confirmations, `${exits.size} confirmations`);
          }
          const isVoid = moment.events.some(({ kind }) => kind === 'void');
          if (isVoid || verdictOf(state) !== verdictOf(before)) [failures, exits] = [new Set(), new Set()];
          before = state;
        }
      }),
      // So many that the number of blocks is no matter of luck.
      { numRuns: 300 },
    );
    assert.ok(blocks > 20, `only ${blocks} blocks: the histories show nothing`);
  });

  it('it is never blocked while the exit does not work', () => {
    fc.assert(
      fc.property(history, (moments) => {
        const dead = moments.map(({ wait, events }) => ({
          wait,
          events: events.map((e): Bare => (e.kind === 'checked' && e.route === 'exit' ? { ...e, outcome: 'fail' } : e)),
        }));
        for (const [, state] of states(dead, 0, promptState(0.5, 0), promptDefaults)) {
          assert.notEqual(verdictOf(state), 'blocked');
        }
      }),
    );
  });

  it('it is never released before it has worked for long enough, and often enough', () => {
    let releases = 0;
    const good: Bare = { kind: 'checked', route: 'direct', outcome: 'ok' };
    const recovery = fc.array(
      fc.record({
        wait: fc.constantFrom(15, 60, 299, 540),
        events: fc.constantFrom<readonly Bare[]>(
          [good],
          [good],
          [good],
          [{ ...good, outcome: 'fail' }],
          [{ kind: 'void' }],
        ),
      }),
      { minLength: 5, maxLength: 40 },
    );
    const block = [1, 2, 3, 4, 5].map(() => ({
      wait: 10,
      events: [
        { ...good, outcome: 'fail' },
        { ...good, route: 'exit' },
      ] as Bare[],
    }));
    const blocked = last(block, 0, promptState(0.5, 0));
    const start = last(block.slice(0, 1), 50, blocked);
    assert.equal(verdictOf(start), 'blocked');
    fc.assert(
      fc.property(recovery, (moments) => {
        const oks: number[] = [];
        let [lost, before] = [0, start];
        for (const [event, state] of states(moments, start.now.at, start, promptDefaults)) {
          if (event.kind === 'void') lost += event.at - before.now.at;
          else if (event.outcome === 'ok') oks.push(event.at - lost);
          before = state;
          if (verdictOf(state) !== 'works') continue;
          releases += 1;
          assert.ok(oks.length >= promptDefaults.releaseChecks, `${oks.length} successes`);
          assert.ok((oks.at(-1) ?? 0) - (oks[0] ?? 0) >= promptDefaults.releaseAfter);
          assert.equal(event.kind === 'checked' && event.outcome, 'ok');
          return;
        }
      }),
    );
    assert.ok(releases > 5, `only ${releases} releases: the histories show nothing`);
  });

  it('no interval is out of its bounds, and what fails is asked again within a minute', () => {
    fc.assert(
      fc.property(history, place, fc.constantFrom(135, 400, 540), (moments, at, least) => {
        const how = { ...promptDefaults, least };
        const { most } = how;
        for (const [, state] of states(moments, 0, promptState(at, 0), how)) {
          const interval = regularInterval(state, how);
          assert.ok(interval >= least && interval <= most, `interval ${interval}`);
          const { from, fresh, suspicion } = state.now;
          const due = dueTimes(state, how);
          const direct = due.direct - from;
          if (suspicion?.direct === 'fail') assert.ok(direct <= 120 || isDownEverywhere(state));
          else if (due.pressing) {
            assert.ok(direct > 0 && direct <= (isDownEverywhere(state) ? most : 60), `pressing after ${direct}`);
            assert.ok(due.exit === null || suspicion?.exit !== null || due.exit === due.direct);
          } else {
            assert.ok(direct <= most + 1e-6 && direct >= (fresh ? 0 : least) - 1e-6, `regular after ${direct}`);
          }
        }
      }),
    );
  });

  it('a clock that goes back does not: an earlier moment counts as the newest one', () => {
    fc.assert(
      fc.property(history, bare, fc.integer({ min: 1, max: 10_000 }), (moments, event, back) => {
        const state = last(moments, 0, promptState(0.5, 0));
        const { at } = state.instant;
        const early = step(state, { ...event, at: at - back }, promptDefaults);
        assert.deepEqual(early, step(state, { ...event, at }, promptDefaults));
      }),
    );
  });

  it('where the clock starts does not matter for any verdict', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: -1_000_000, max: 2_000_000_000 }), (moments, start) => {
        const verdicts = (at: number): string[] =>
          [...states(moments, at, promptState(0.5, at), promptDefaults)].map(([, state]) => verdictOf(state));
        assert.deepEqual(verdicts(start), verdicts(0));
      }),
    );
  });
});
