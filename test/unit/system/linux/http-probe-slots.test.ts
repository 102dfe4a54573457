/** So many pieces of work at a time, first come first served, and those who have gone are passed over. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Slots, type Waiter } from '../../../../src/system/linux/http-probe-slots.ts';

/** Writes its name down when its turn comes. */
function waiter(turns: string[], name: string, stays = true): Waiter {
  return {
    turn: () => {
      if (stays) turns.push(name);
      return stays;
    },
  };
}

describe('slots', () => {
  it('give as many turns at a time as there are, the others in the order in which they came', () => {
    const slots = new Slots(2);
    const turns: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) slots.take(waiter(turns, name));
    assert.deepEqual(turns, ['a', 'b']);
    slots.leave();
    assert.deepEqual(turns, ['a', 'b', 'c']);
    slots.leave();
    slots.leave();
    assert.deepEqual(turns, ['a', 'b', 'c', 'd', 'e']);
  });

  it('are free again when nobody waits', () => {
    const slots = new Slots(1);
    const turns: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      slots.take(waiter(turns, name));
      slots.leave();
    }
    assert.deepEqual(turns, ['a', 'b', 'c']);
    slots.take(waiter(turns, 'd'));
    slots.take(waiter(turns, 'e'));
    assert.deepEqual(turns, ['a', 'b', 'c', 'd']);
  });

  it('stay free when the one whose turn it is wants none any more', () => {
    const slots = new Slots(1);
    const turns: string[] = [];
    slots.take(waiter(turns, 'gone', false));
    slots.take(waiter(turns, 'a'));
    assert.deepEqual(turns, ['a']);
  });

  it('pass over a hundred thousand who have gone', () => {
    const slots = new Slots(1);
    const turns: string[] = [];
    slots.take(waiter(turns, 'a'));
    for (let i = 0; i < 100_000; i++) slots.take(waiter(turns, 'gone', false));
    slots.take(waiter(turns, 'b'));
    slots.leave();
    assert.deepEqual(turns, ['a', 'b']);
    slots.leave();
    slots.take(waiter(turns, 'c'));
    assert.deepEqual(turns, ['a', 'b', 'c']);
  });

  it('are not given away twice when a turn ends before it has returned', () => {
    const slots = new Slots(1);
    const turns: string[] = [];
    slots.take({
      turn: () => {
        slots.take(waiter(turns, 'a'));
        slots.take(waiter(turns, 'b'));
        slots.leave();
        return true;
      },
    });
    assert.deepEqual(turns, ['a']);
    slots.leave();
    assert.deepEqual(turns, ['a', 'b']);
  });
});
