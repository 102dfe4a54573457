/** The prompt schedule of one address: what blocks it, what does not, what lets it go again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  dueTimes,
  isDownEverywhere,
  type PromptState,
  promptState,
  type Route,
  resumed,
  step,
  triOfPrompt,
  verdictOf,
} from '../../../src/nbrpc/prompt/address.ts';
import { type PromptSettings, promptDefaults, promptInUse } from '../../../src/nbrpc/prompt/settings.ts';
import type { Outcome } from '../../../src/nbrpc/prompt/suspicion.ts';
import { rehearse } from './prompt-rehearsal.ts';

const minute = 60;
const hour = 3600;

/** Blocked over the direct route within the span. */
const blockedIn =
  (from: number, to: number) =>
  (route: Route, at: number): Outcome =>
    route === 'direct' && at >= from && at < to ? 'fail' : 'ok';

/** `F` `o` `u`: the direct route fails, works, gives no result; `+` `-` `?`: the exit works, fails, gives none. Ten seconds apart. */
function told(text: string, settings: PromptSettings = promptDefaults, from = promptState(0.5, 0)): PromptState {
  const results: Readonly<Record<string, readonly [Route, Outcome]>> = {
    F: ['direct', 'fail'],
    o: ['direct', 'ok'],
    u: ['direct', 'unsure'],
    '+': ['exit', 'ok'],
    '-': ['exit', 'fail'],
    '?': ['exit', 'unsure'],
  };
  let state = from;
  for (const group of text.split(' ')) {
    const at = state.now.at + 10;
    for (const letter of group) {
      const [route, outcome] = results[letter] ?? assert.fail(`no such result: ${letter}`);
      state = step(state, { kind: 'checked', route, outcome, at }, settings);
    }
  }
  return state;
}

const verdict = (text: string, settings?: PromptSettings): string => verdictOf(told(text, settings));

describe('an address of the prompt schedule', () => {
  it('is not decided before its first result', () => {
    assert.equal(triOfPrompt(promptState(0.5, 0)), null);
    assert.equal(triOfPrompt(told('u')), null);
    assert.equal(triOfPrompt(told('F')), null);
    assert.equal(triOfPrompt(told('o')), true);
  });

  it('is blocked by two failures and three confirmed rounds, and by nothing less', () => {
    assert.equal(verdict('o F F+ F+ F+ F+'), 'blocked');
    assert.equal(triOfPrompt(told('o F F+ F+ F+ F+')), false);
    assert.equal(verdict('o F F+ F+ F+ F'), 'works');
    assert.equal(verdict('o F F+ F+ F+ +'), 'works');
    assert.equal(verdict('o F F+ F+ F+'), 'works');
  });

  it('takes the results of a round in any order', () => {
    assert.equal(verdict('o F F + F + + F + F'), 'blocked');
  });

  it('is blocked when three of the last four rounds confirm it', () => {
    for (const odd of ['o', 'F-']) {
      assert.equal(verdict(`o F F+ ${odd} F+ F+ F+`), 'blocked', odd);
      assert.equal(verdict(`o F F+ F+ F+ ${odd} F+`), 'blocked', odd);
      assert.equal(verdict(`o F F+ F+ ${odd} F+`), 'works', odd);
    }
  });

  it('is cleared by a success after the first failure, or by two in a row', () => {
    for (const text of ['o F o', 'o F F+ F+ o o']) {
      assert.equal(verdict(`${text} F F+ F+ F+`), 'works', text);
      assert.equal(dueTimes(told(text), promptDefaults).pressing, false, text);
      assert.equal(verdict(`${text} F F+ F+ F+ F+`), 'blocked', text);
    }
  });

  it('learns nothing of a check without a result, on either route', () => {
    assert.equal(verdict('o F F+ F+ u F+ F+'), 'blocked');
    assert.equal(verdict('o F F+ F+ F? F+ F+'), 'blocked');
    assert.equal(verdict('o F F+ F? F? F? F?'), 'works');
    assert.equal(verdict('o F u u u u u u'), 'works');
  });

  it('is not blocked as long as it fails on both routes', () => {
    const down = told(`o F ${'F- '.repeat(50)}F-`);
    assert.equal(verdictOf(down), 'works');
    assert.equal(isDownEverywhere(down), true);
  });

  it('begins anew when it was down everywhere and one route comes back first', () => {
    assert.equal(verdict('o F F- F- F+ F+ F+ F+'), 'works');
    assert.equal(verdict('o F F- F- F+ F+ F+ F+ F+'), 'blocked');
  });

  it('needs no exit where there is none', () => {
    const alone = { ...promptDefaults, exit: false };
    assert.equal(verdict('o F F F F F', alone), 'blocked');
    assert.equal(verdict('o F F F F', alone), 'works');
    assert.equal(dueTimes(told('o F F', alone), alone).exit, null);
  });

  it('follows other thresholds', () => {
    const careful = { ...promptDefaults, tries: 1, confirmations: 5, rounds: 5 };
    assert.equal(verdict('o F F+ F+ F+ F+ F+', careful), 'blocked');
    assert.equal(verdict('o F F+ F+ F+ F+ o F+ F+', careful), 'works');
  });
});

describe('in virtual time', () => {
  it('a block is worked around within a quarter of an hour, and let go within one', () => {
    for (let place = 0; place < 1; place += 0.01) {
      const [from, to] = [hour + 17 * place * minute, 20 * hour];
      const { moves } = rehearse(promptDefaults, blockedIn(from, to), 30 * hour, place);
      assert.deepEqual(
        moves.map((move) => move.verdict),
        ['works', 'blocked', 'works'],
      );
      const [, rerouted, released] = moves;
      assert.ok(rerouted !== undefined && rerouted.at - from < 15 * minute, `rerouted at ${rerouted?.at}`);
      assert.ok(released !== undefined && released.at >= to + promptDefaults.releaseAfter, 'released too soon');
      assert.ok(released.at - to < hour, `released at ${released.at}`);
    }
  });

  it('a block is let go within an hour even if the first three checks after it fail by chance, and the last one', () => {
    const timeout = (outcome: Outcome): number => (outcome === 'fail' ? 30 : 0.3);
    const all: number[] = [];
    for (const settings of [promptDefaults, promptInUse]) {
      for (let place = 0; place < 1; place += 0.01) {
        const to = 20 * hour + 7 * place * minute;
        let [after, answered] = [0, 0];
        const truth = (route: Route, at: number): Outcome => {
          if (route === 'exit' || at < hour) return 'ok';
          if (at < to) return 'fail';
          after += 1;
          if (after <= 3) return 'fail';
          if (answered === 0) answered = at;
          else if (at - answered >= settings.releaseAfter && at - answered < settings.releaseAfter + settings.again)
            return 'fail';
          return 'ok';
        };
        const { moves } = rehearse(settings, truth, 30 * hour, place, timeout);
        assert.deepEqual(
          moves.map((move) => move.verdict),
          ['works', 'blocked', 'works'],
        );
        all.push((moves.at(-1)?.at ?? Number.NaN) - to);
      }
    }
    assert.ok(Math.max(...all) < hour, `${Math.max(...all) / minute} minutes`);
    assert.ok(Math.max(...all) > 50 * minute, 'no place made it wait: this shows nothing');
  });

  it('a blocked address is asked every six minutes, however often it changes, and once more when its half hour is over', () => {
    const [from, to] = [hour, 20 * hour];
    const { moves, asked } = rehearse(promptDefaults, blockedIn(from, to), 21 * hour, 0.3);
    const [blocked, released] = [moves[1]?.at ?? Number.NaN, moves[2]?.at ?? Number.NaN];
    const times = asked.filter(({ at, route }) => route === 'direct' && at >= blocked && at < to).map(({ at }) => at);
    const gaps = times.slice(2).map((at, i) => at - (times[i + 1] ?? Number.NaN));
    assert.deepEqual([...new Set(gaps.map(Math.round))], [promptDefaults.blocked]);
    const first = asked.find(({ at, route }) => route === 'direct' && at >= to)?.at ?? Number.NaN;
    assert.equal(released - first, promptDefaults.releaseAfter);
  });

  it('an outage of any length changes nothing, and is asked less and less', () => {
    const { moves, asked } = rehearse(promptDefaults, (_, at) => (at < hour ? 'ok' : 'fail'), 100 * hour);
    assert.deepEqual(
      moves.map((move) => move.verdict),
      ['works'],
    );
    const within = (from: number, to: number): number => asked.filter(({ at }) => at >= from && at < to).length;
    assert.ok(within(1.2 * hour, 2 * hour) >= 2 * 48, 'within a minute, on both routes, for the first hour');
    assert.ok(within(90 * hour, 100 * hour) < 2 * 10 * 8, 'no more than regular checks later');
  });

  it('a service that works every other time is asked again within a minute, but not more quickly than that for ever', () => {
    let direct = 0;
    const truth = (route: Route): Outcome => {
      if (route === 'exit') return 'ok';
      direct += 1;
      return direct === 1 || direct % 2 === 0 ? 'fail' : 'ok';
    };
    const { asked, moves } = rehearse(promptDefaults, truth, 5 * hour);
    assert.deepEqual(moves, []);
    for (const [index, { at }] of asked.entries()) assert.ok(at - (asked[index - 1]?.at ?? at) <= minute);
    assert.ok(asked.filter(({ at }) => at > 4 * hour).length <= 2 * 75);
  });

  it('a release begins anew when it fails more often than by chance, and bears single failures', () => {
    const recovering = hour;
    const release = (isDoubt: (at: number, asked: number) => boolean): number => {
      let asked = 0;
      const truth = (route: Route, at: number): Outcome => {
        if (route === 'exit' || at < 600) return 'ok';
        if (at < recovering) return 'fail';
        asked += 1;
        return isDoubt(at, asked) ? 'fail' : 'ok';
      };
      const { moves } = rehearse(promptDefaults, truth, 10 * hour);
      return moves.findLast((move) => move.verdict === 'works' && move.at > recovering)?.at ?? Number.NaN;
    };
    const plain = release(() => false);
    assert.ok(release((_, asked) => asked === 3 || asked === 6) - plain < 5 * minute);
    const again = release((_, asked) => asked >= 4 && asked < 4 + promptDefaults.releaseDoubts + 1);
    assert.ok(again - plain > 10 * minute, `${again - plain}`);
  });
});

describe('while the own side does not work', () => {
  const broken = (state: PromptState, at: number): PromptState => step(state, { kind: 'void', at }, promptDefaults);

  it('failures from before it count no more', () => {
    const state = broken(told('o F F+ F+ F+'), 100);
    assert.equal(verdictOf(told('F+ F+ F+ F+', promptDefaults, state)), 'works');
    assert.equal(verdictOf(told('F+ F+ F+ F+ F+', promptDefaults, state)), 'blocked');
  });

  it('what failed is asked again soon after it', () => {
    const due = dueTimes(broken(told('o F F+'), 5000), promptDefaults);
    assert.ok(due.pressing && due.direct > 5000 && due.direct <= 5060 && due.exit === due.direct);
  });

  it('a result of its last moment does not count either', () => {
    const state = told('o F F+ F+ F+');
    const failure = { kind: 'checked', route: 'direct', outcome: 'fail', at: 100 } as const;
    const exit = { kind: 'checked', route: 'exit', outcome: 'ok', at: 100 } as const;
    const after = [failure, exit].reduce((now, event) => step(now, event, promptDefaults), broken(state, 100));
    assert.equal(verdictOf(after), 'works');
    assert.equal(
      verdictOf(
        broken(
          [failure, exit].reduce((s, e) => step(s, e, promptDefaults), state),
          100,
        ),
      ),
      'works',
    );
  });

  it('its time does not count for a release', () => {
    const blocked = told('o F F+ F+ F+ F+ o o');
    assert.ok(blocked.now.recovery !== null);
    const state = broken(blocked, blocked.now.at + 10 * hour);
    assert.equal(verdictOf(told('o o o o', promptDefaults, state)), 'blocked');
    const later = { ...promptDefaults, releaseAfter: 50 };
    assert.equal(verdictOf(told('o o o o', later, broken(blocked, blocked.now.at + 10 * hour))), 'works');
  });

  it('a state of another run goes on in the time of this one', () => {
    const before = told('o F F+ F+ F+ F+ o');
    for (const at of [0, 7, 1e9]) {
      const state = resumed(before, at, promptDefaults);
      assert.equal(verdictOf(state), 'blocked');
      const due = dueTimes(state, promptDefaults);
      assert.ok(due.direct >= at && due.direct <= at + promptDefaults.most, `${due.direct}`);
      assert.ok(state.now.recovery !== null && state.now.recovery.since === at);
      assert.equal(state.now.activity.at, at - 10);
    }
  });
});
