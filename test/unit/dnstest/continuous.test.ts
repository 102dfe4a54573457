/** The continuous mode: the contract's table, and what holds for every row of checks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Continuous, type Rhythm, shareOf, steady, step } from '../../../src/dnstest/continuous.ts';

const second = 1000;

/** Checks as letters, g for good and b for bad: the times at which each is made (they take no time), and what ends them. */
function play(checks: string, rhythm: Rhythm): { at: number[]; failed: string | undefined; state: Continuous } {
  let state = steady;
  let now = 0;
  const at: number[] = [];
  for (const letter of checks) {
    at.push(now);
    const { state: after, next } = step(state, letter === 'g', { begun: now, now }, rhythm);
    state = after;
    if ('failed' in next) return { at, failed: next.failed, state };
    now = next.checkAt;
  }
  at.push(now);
  return { at, failed: undefined, state };
}

// As the original was run for the contract: -c 1:4:2.
const rhythm: Rhythm = { interval: second, retries: 4, timeout: 2 * second };

test('good checks follow each other after the interval, for ever', () => {
  assert.deepEqual(play('gggg', rhythm), { at: [0, 1000, 2000, 3000, 4000], failed: undefined, state: steady });
});

test('a resolver that stays bad fails after all retries, which are spread over the time-out', () => {
  assert.deepEqual(play('bbbbb', rhythm), { at: [0, 500, 1000, 1500, 2000], failed: 'lasting', state: steady });
});

test('one failure between good checks is recovered from, and the next check follows at once', () => {
  assert.deepEqual(play('gbgggg', rhythm).at, [0, 1000, 1500, 2000, 2500, 3000, 3000]);
});

test('the last retry alone being good is a recovery', () => {
  assert.deepEqual(play('gbbbbg', rhythm), {
    at: [0, 1000, 1500, 2000, 2500, 3000, 3000],
    failed: undefined,
    state: steady,
  });
});

test('a failure after a good retry is flapping, and fails at once', () => {
  assert.deepEqual(play('gbgb', rhythm), { at: [0, 1000, 1500, 2000], failed: 'flapping', state: steady });
});

test('without retries the first failed check is the failure', () => {
  assert.deepEqual(play('gb', { ...rhythm, retries: 0 }), { at: [0, 1000], failed: 'lasting', state: steady });
});

/** The contract's words as a second program: a failed check, then `retries` more, bad ones first, then only good ones. */
function verdict(checks: string, retries: number): 'failed' | 'goes on' {
  let rest = checks;
  for (;;) {
    rest = rest.replace(/^g+/, '');
    if (rest === '') return 'goes on';
    const window = rest.slice(1, 1 + retries);
    if (/gb/.test(window)) return 'failed';
    if (window.length < retries) return 'goes on';
    if (!window.endsWith('g')) return 'failed';
    rest = rest.slice(1 + retries);
  }
}

test('any row of checks ends as the contract says, never before its time, and never waits longer than the interval', () => {
  const letters = fc.array(fc.constantFrom('g', 'b'), { maxLength: 40 }).map((all) => all.join(''));
  fc.assert(
    fc.property(letters, fc.integer({ min: 0, max: 8 }), (checks, retries) => {
      const { at, failed } = play(checks, { interval: 150 * second, retries, timeout: 100 * second });
      assert.equal(failed === undefined ? 'goes on' : 'failed', verdict(checks, retries));
      for (const [index, time] of at.entries()) {
        const before = at[index - 1];
        if (before !== undefined) assert.ok(time >= before && time <= before + 150 * second);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a broken resolver is found within interval and time-out, whatever came before', () => {
  const letters = fc.array(fc.constantFrom('g', 'b'), { maxLength: 30 }).map((all) => all.join(''));
  fc.assert(
    fc.property(letters, fc.integer({ min: 0, max: 8 }), (checks, retries) => {
      const spread = { interval: 150 * second, retries, timeout: 100 * second };
      if (play(checks, spread).failed !== undefined) return;
      const { at, failed } = play(checks + 'b'.repeat(retries + 1), spread);
      assert.notEqual(failed, undefined);
      const broken = at[checks.length - 1] ?? 0;
      // A row of retries that was under way may take all of its time-out.
      assert.ok((at.at(-1) ?? 0) - broken <= 250 * second + 1e-6);
    }),
    { numRuns: 2000 },
  );
});

test('a share is what each check has when all of them, and the first cure, fit into the time-out', () => {
  assert.equal(shareOf({ retries: 4, timeout: 100 * second }, 0), 20 * second);
  assert.equal(shareOf({ retries: 3, timeout: 100 * second }, 2), 20 * second);
  assert.equal(shareOf({ retries: 0, timeout: 8 * second }, 0), 8 * second);
  assert.equal(shareOf({ retries: 9, timeout: second }, 1), second, 'no check has less than a second');
});

test('with a share, retries begin at its multiples from the first failed check on, however long checks take', () => {
  const shared = { interval: 150 * second, retries: 4, timeout: 100 * second, share: 20 * second };
  for (const took of [0, 7 * second, 20 * second]) {
    let state: Continuous = steady;
    let begun = 1000 * second;
    const begins: number[] = [];
    for (;;) {
      begins.push(begun);
      const after = step(state, false, { begun, now: begun + took }, shared);
      state = after.state;
      if ('failed' in after.next) break;
      begun = after.next.checkAt;
    }
    assert.deepEqual(
      begins.map((at) => at / second),
      [1000, 1020, 1040, 1060, 1080],
    );
  }
});

test('a check that took longer than its share is followed by the next one at once', () => {
  const shared = { interval: second, retries: 2, timeout: 3 * second, share: second };
  const { next } = step(steady, false, { begun: 0, now: 1700 }, shared);
  assert.deepEqual(next, { checkAt: 1700 });
});
