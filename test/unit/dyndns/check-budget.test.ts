/** How many checks a turn of the event loop has, by how full the turn was and by how much time checks have taken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckBudget, calm, mostCost, mostInTurn, mostSaved, share } from '../../../src/dyndns/check-budget.ts';

function spent(budget: CheckBudget, turns: number, arrived: number): number {
  let checks = 0;
  for (let turn = 0; turn < turns; turn += 1) checks += budget.next(arrived, 0, 0);
  return checks;
}

/** Milliseconds of checks that it allows in so many turns of `turn` milliseconds, each check taking `cost`. */
function checking({ turns, turn, cost, arrived }: { turns: number; turn: number; cost: number; arrived: number }) {
  const budget = new CheckBudget();
  let [now, checks] = [0, 0];
  for (let count = 0; count < turns; count += 1) {
    for (let left = budget.next(arrived, now, 0); left > 0; left -= 1) {
      budget.spent(cost);
      now += cost;
      checks += 1;
    }
    now += turn;
  }
  return { took: checks * cost, all: now };
}

test('while few packets come, a turn has a millisecond of checks', () => {
  const budget = new CheckBudget();
  assert.deepEqual([budget.next(0, 0, 0), budget.next(1, 0, 0), budget.next(8, 0, 0)], [8, 8, 8]);
});

test('a turn with many packets that did not fill it has fewer checks', () => {
  const budget = new CheckBudget();
  assert.deepEqual([budget.next(9, 0, 0), budget.next(mostInTurn - 1, 0, 0)], [2, 2]);
});

test('a socket that is not empty is read on: most full turns have no check, but strangers are never left out', () => {
  const budget = new CheckBudget();
  assert.equal(budget.next(mostInTurn, 0, 0), 0);
  assert.equal(spent(new CheckBudget(), 400, mostInTurn), 100);
});

test('once the socket was empty, the next full turn is read on again', () => {
  const budget = new CheckBudget();
  for (let turn = 0; turn < 3; turn += 1) assert.equal(budget.next(mostInTurn, 0, 0), 0);
  budget.next(0, 0, 0);
  assert.equal(budget.next(mostInTurn, 0, 0), 0);
});

test('in a flood that goes on, checks get their share of the time and no more, whatever one costs', () => {
  for (const cost of [0.01, 0.1, 0.9]) {
    const { took, all } = checking({ turns: 20_000, turn: 0.2, cost, arrived: 20 });
    assert.ok(took <= mostSaved + all * share + 2 * cost, `${took} of ${all} ms`);
    // A cheap check leaves no turn without its two; then the share is not used up.
    assert.ok(took >= Math.min(all * share, 20_000 * 2 * cost) - 2 * cost, `${took} of ${all} ms`);
  }
});

test('once the share is used up, a pause is told after which there is time again', () => {
  const budget = new CheckBudget();
  assert.equal(budget.pause, 0);
  let now = 0;
  while (budget.next(20, now, 0) > 0) budget.spent(0.1);
  const { pause } = budget;
  assert.ok(pause > 0 && pause < calm, `${pause} ms`);
  now += pause;
  assert.ok(budget.next(20, now, 0) > 0);
  assert.equal(budget.pause, 0);
});

test('a check that waited for the processor does not count as all that time', () => {
  const budget = new CheckBudget();
  budget.next(20, 0, 0);
  budget.spent(5000);
  assert.equal(budget.pause, 0);
  for (let check = 0; check < mostSaved / mostCost; check += 1) budget.spent(5000);
  assert.ok(budget.pause > 0 && budget.pause < calm);
});

test('once no packet comes any more, nothing is saved: what waits is worked off', () => {
  const budget = new CheckBudget();
  budget.next(20, 0, 0);
  for (let check = 0; check < 1000; check += 1) budget.spent(0.1);
  assert.equal(budget.next(0, 0, calm - 1), 0);
  assert.equal(budget.next(0, 0, calm), 8);
});
