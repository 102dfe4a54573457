/** `while_down` and [nbrpc.guard]. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNbrpc } from '../../../src/nbrpc/config.ts';
import { sinkOf } from '../../../src/nbrpc/sink-of.ts';

const parse = (table: Record<string, unknown>) => parseNbrpc({ check_lists: ['/etc/a.list'], ...table });
const sink = (table: Record<string, unknown>) => {
  const result = parse(table);
  assert.ok(result.ok, JSON.stringify(result));
  const found = sinkOf(result.config);
  assert.ok(found.kind === 'table');
  return found;
};
const problems = (table: Record<string, unknown>): readonly string[] => {
  const result = parse(table);
  assert.ok(!result.ok);
  return result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
};
const guard = { interfaces: ['lan0'] };

test('all goes direct while netsteward is not there, unless the guard is asked for', () => {
  assert.equal(sink({}).guard, undefined);
  assert.equal(sink({ guard }).guard, undefined);
  assert.deepEqual(sink({ while_down: 'drop', guard }).guard, { interfaces: ['lan0'], mark: 0x40000000 });
});

test('what nothing would lift, or what nothing would be dropped by, is a mistake', () => {
  const drop = { while_down: 'drop', guard };
  assert.deepEqual(problems({ while_down: 'drop' }), [
    'while_down: needs [nbrpc.guard] with interfaces = ["lan0"], the interfaces whose traffic it drops',
  ]);
  assert.deepEqual(problems({ ...drop, sets: { blocked4: 'a' } }), [
    'while_down: needs [nbrpc.table], whose mark lifts the drop: sets of yours stay in your ruleset without netsteward',
  ]);
  assert.deepEqual(problems({ ...drop, on_stop: 'flush' }), [
    'on_stop: must be "keep" beside while_down = "drop": flush opens the direct way at each stop',
  ]);
  assert.deepEqual(problems({ ...drop, table: { mark_forwarded: false } }), [
    'table.mark_forwarded: must be true beside while_down = "drop", which nothing else lifts',
  ]);
  assert.deepEqual(problems({ table: { name: 'netsteward-guard' } }), [
    'table.name: is the name of the table that `netsteward guard` loads',
  ]);
  assert.deepEqual(problems({ while_down: 'off' }), ['while_down: must be "direct" or "drop"']);
});

test('the bits of the guard are none of the bits that choose the route', () => {
  assert.deepEqual(problems({ guard: { ...guard, mark: 0x30000 } }), [
    'guard.mark: must have no bits of nbrpc.table.mask',
  ]);
  assert.deepEqual(problems({ guard, table: { mark: 0x1000000, mask: 0xff000000 } }), [
    'guard.mark: must have no bits of nbrpc.table.mask',
  ]);
});

test('interfaces are names, each once, and no patterns', () => {
  for (const interfaces of [[], ['lan0', 'lan0'], ['lan*'], [''], ['a" } accept #'], [5], undefined]) {
    assert.equal(problems({ guard: { interfaces } }).length, 1, JSON.stringify(interfaces));
  }
});
