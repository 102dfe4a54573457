/** Warnings of units whose rules came late: one a unit, ended by a start in time, and never more than anybody reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LateUnits, mostLate } from '../../../src/cgroup-nft/late-units.ts';
import { WarningBoard } from '../../../src/core/warnings.ts';

function watched(): { late: LateUnits; board: WarningBoard; units: () => readonly string[] } {
  const board = new WarningBoard(
    () => 0,
    () => {},
  );
  return { late: new LateUnits(board), board, units: () => board.list().map(({ subject }) => subject) };
}

test('a late start is told with its milliseconds, and a start in time ends it', () => {
  const { late, board, units } = watched();
  late.measured('a.service', -12.3);
  assert.match(board.list()[0]?.text ?? '', /a\.service came 13ms after/);
  late.measured('a.service', -40);
  assert.match(board.list()[0]?.text ?? '', /40ms/);
  assert.equal(units().length, 1);
  late.measured('a.service', 0);
  assert.deepEqual(units(), []);
});

test('of ever new units the latest are kept, those that were late again among them', () => {
  const { late, units } = watched();
  for (let at = 0; at < mostLate; at++) late.measured(`run-u${at}.service`, -1);
  late.measured('run-u0.service', -2);
  for (let at = 0; at < 5000; at++) {
    late.measured(`run-r${at}.service`, -1);
    if (at % 10 === 0) late.measured('run-u0.service', -at);
  }
  assert.equal(units().length, mostLate);
  assert.ok(units().includes('run-u0.service') && units().includes('run-r4999.service'));
  assert.ok(!units().includes('run-u1.service'));
});

test('under other rules just their units are kept', () => {
  const { late, units } = watched();
  for (const unit of ['a.service', 'b.service']) late.measured(unit, -1);
  late.keep(new Set(['b.service', 'c.service']));
  assert.deepEqual(units(), ['b.service']);
});
