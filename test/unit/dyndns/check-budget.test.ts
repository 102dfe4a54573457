/** How many checks a turn of the event loop has, by how full the turn was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckBudget, mostInTurn } from '../../../src/dyndns/check-budget.ts';

function spent(budget: CheckBudget, turns: number, arrived: number): number {
  let checks = 0;
  for (let turn = 0; turn < turns; turn += 1) checks += budget.next(arrived);
  return checks;
}

test('while few packets come, a turn has a millisecond of checks', () => {
  const budget = new CheckBudget();
  assert.deepEqual([budget.next(0), budget.next(1), budget.next(8)], [8, 8, 8]);
});

test('a turn with many packets that did not fill it has fewer checks', () => {
  const budget = new CheckBudget();
  assert.deepEqual([budget.next(9), budget.next(mostInTurn - 1)], [2, 2]);
});

test('a socket that is not empty is read on: most full turns have no check, but strangers are never left out', () => {
  const budget = new CheckBudget();
  assert.equal(budget.next(mostInTurn), 0);
  assert.equal(spent(new CheckBudget(), 400, mostInTurn), 100);
});

test('once the socket was empty, the next full turn is read on again', () => {
  const budget = new CheckBudget();
  for (const arrived of [mostInTurn, mostInTurn, mostInTurn]) assert.equal(budget.next(arrived), 0);
  budget.next(0);
  assert.equal(budget.next(mostInTurn), 0);
});
