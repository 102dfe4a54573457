/** Reaction times: what they are counted from, what becomes of them, and where there is none. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExitViews } from '../../../src/nbrpc/exit-choice.ts';
import type { Flip } from '../../../src/nbrpc/flips.ts';
import { type PromptState, promptState, step, type Verdict, verdictOf } from '../../../src/nbrpc/prompt/address.ts';
import { LiveStates } from '../../../src/nbrpc/prompt/live.ts';
import { timed } from '../../../src/nbrpc/prompt/onset.ts';
import { promptDefaults } from '../../../src/nbrpc/prompt/settings.ts';
import type { Outcome } from '../../../src/nbrpc/prompt/suspicion.ts';
import { mostTimes, ReactionTimes, reactionBounds } from '../../../src/nbrpc/reaction-times.ts';

const settings = { ...promptDefaults, exit: false };
const [host, one, two] = ['a.example', '192.0.2.1', '192.0.2.2'];

/** What one service's addresses have said, and the flips that it made. */
class Story {
  readonly #live = new LiveStates(settings);
  readonly #states = new Map<string, PromptState>();
  #exits: ExitViews = {};
  died: number | null = null;

  constructor(verdict: Verdict) {
    for (const address of [one, two]) this.#put(address, promptState(0.5, 0, verdict));
  }

  /** Seconds, and what came of the checks over the direct route. */
  checks(outcome: Outcome, address: string, ...moments: number[]): this {
    for (const at of moments) {
      this.#put(address, step(this.#state(address), { kind: 'checked', route: 'direct', outcome, at }, settings));
    }
    return this;
  }

  through(exit: string, works: boolean, at: number): this {
    const results = [...(this.#exits[exit]?.results ?? []), works];
    this.#exits = { ...this.#exits, [exit]: { results, at, since: at, reason: '' } };
    for (const [address, state] of this.#states) this.#put(address, state);
    return this;
  }

  void(at: number): this {
    this.#live.void(at);
    for (const [address, state] of this.#states) {
      this.#states.set(address, step(state, { kind: 'void', at }, settings));
    }
    return this;
  }

  verdict(address: string): Verdict {
    return verdictOf(this.#state(address));
  }

  /** What it is counted from; `works`: the verdict that has changed with it, null: none. */
  began(flip: Partial<Flip>, works: boolean | null, addresses: readonly string[] = [one, two]): Flip['began'] {
    const moves = addresses.map((address) => ({ host, address, from: null, to: works, reason: '' }));
    const whole: Flip = { host, from: 'direct', to: 'tunnel', addresses, reason: '', since: 0, ...flip };
    return timed(whole, { live: this.#live, watch: { diedFrom: () => this.died }, moves }).began;
  }

  #state(address: string): PromptState {
    return this.#states.get(address) ?? assert.fail(address);
  }

  #put(address: string, state: PromptState): void {
    this.#states.set(address, state);
    this.#live.put(host, address, { state, exits: this.#exits });
  }
}

const fails = [100, 130, 160, 190, 220, 250, 280] as const;

describe('a reaction time', () => {
  it('of a reroute begins with the first failed check of any of its addresses', () => {
    const story = new Story('works').checks('fail', two, 90).checks('fail', one, ...fails);
    assert.equal(story.verdict(one), 'blocked');
    assert.deepEqual(story.began({}, false), { kind: 'reroute', at: 90 });
    assert.deepEqual(story.began({}, false, [one]), { kind: 'reroute', at: 100 }, 'where each goes by its own verdict');
  });

  it('does not begin with failures that chance explains', () => {
    const story = new Story('works')
      .checks('fail', one, 10)
      .checks('ok', one, 40, 70)
      .checks('fail', one, ...fails);
    assert.deepEqual(story.began({}, false, [one]), { kind: 'reroute', at: 100 });
  });

  it('begins anew after a time in which no failure counted', () => {
    const story = new Story('works')
      .checks('fail', one, 10, 40)
      .void(90)
      .checks('fail', one, ...fails);
    assert.deepEqual(story.began({}, false, [one]), { kind: 'reroute', at: 100 });
  });

  it('of a release begins with the first good check of the recovery that lasted', () => {
    const doubts = Array.from({ length: settings.releaseDoubts + 1 }, (_, index) => 200 + index);
    const good = [0, 500, 1000, 1500, 2000].map((seconds) => 1000 + seconds);
    const story = new Story('blocked')
      .checks('ok', one, 100)
      .checks('fail', one, ...doubts)
      .checks('ok', one, ...good);
    assert.equal(story.verdict(one), 'works');
    assert.deepEqual(story.began({ from: 'tunnel', to: 'direct' }, true), { kind: 'release', at: 1000 });
  });

  it('of a fail-over begins with the first check that failed through the exit since it last worked there', () => {
    const story = new Story('blocked').through('wg0', false, 10).through('wg0', true, 20);
    story.through('wg0', false, 50).through('wg0', false, 80);
    const flip = { from: 'tunnel', exit: 'wg1', left: 'wg0' } as const;
    assert.deepEqual(story.began(flip, null), { kind: 'fail-over', at: 50 });
    story.died = 30;
    assert.deepEqual(story.began(flip, null), { kind: 'fail-over', at: 30 }, 'a dead exit: the first look that failed');
  });

  it('is not told where no check made the flip, or an exit was there again', () => {
    const story = new Story('works').checks('fail', one, ...fails);
    assert.equal(story.began({}, null), undefined, 'a changed list');
    assert.equal(story.began({ left: '' }, false), undefined);
    assert.equal(story.began({ from: 'tunnel', exit: 'wg0' }, null), undefined, 'the first choice of an exit');
    assert.equal(story.began({ from: 'tunnel', to: 'dropped' }, null), undefined);
    assert.equal(new Story('blocked').began({}, false), undefined, 'nothing was asked in this run');
  });
});

describe('reaction times', () => {
  it('are counted in classes for ever, and summed up over the newest', () => {
    const times = new ReactionTimes();
    assert.deepEqual([times.told.byKind.release.median, times.told.byKind.release.worst], [null, null]);
    const add = (took: number): void => times.add({ at: 7, kind: 'reroute', host, took });
    add(9000);
    for (let index = 0; index < mostTimes; index += 1) add(index % 2 === 0 ? 30 : 31);
    const { count, median, worst, classes, sum } = times.told.byKind.reroute;
    assert.deepEqual([count, median, worst, sum], [mostTimes + 1, 30, 31, 9000 + 61 * (mostTimes / 2)]);
    assert.deepEqual(classes, [mostTimes / 2, mostTimes / 2, ...reactionBounds.slice(2).map(() => 0), 1]);
  });

  it('are shown one by one, the newest first', () => {
    const times = new ReactionTimes();
    for (let took = 0; took < 20; took += 1) times.add({ at: took, kind: 'release', host, took });
    assert.deepEqual(
      times.told.last.map(({ took }) => took),
      [19, 18, 17, 16, 15, 14, 13, 12, 11, 10],
    );
  });
});
