/** The prompt schedule of many addresses: evenly spread, at the start and after an outage too, and nobody forgotten. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { dueTimes, promptState, regularInterval, step } from '../../../src/nbrpc/prompt/address.ts';
import { Agenda } from '../../../src/nbrpc/prompt/agenda.ts';
import { Heap } from '../../../src/nbrpc/prompt/heap.ts';
import { intervalOf, onGrid, placeOf } from '../../../src/nbrpc/prompt/interval.ts';
import { promptDefaults } from '../../../src/nbrpc/prompt/settings.ts';

const regular = (at: number) => ({ at, pressing: false, interval: 100 });
const pressing = (at: number) => ({ at, pressing: true, interval: 100 });

describe('the heap', () => {
  it('gives what a stable sort gives, whatever was put and taken before', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(20), { nil: undefined })), (steps) => {
        const heap = new Heap<number>();
        const model: { at: number; item: number }[] = [];
        for (const [item, at] of [...steps, ...steps.map(() => undefined)].entries()) {
          if (at !== undefined) {
            heap.push(at, item);
            model.push({ at, item });
            model.sort((a, b) => a.at - b.at || a.item - b.item);
          } else {
            const got = heap.pop();
            assert.deepEqual(got && { at: got.at, item: got.item }, model.shift());
          }
          assert.equal(heap.size, model.length);
          assert.equal(heap.peek()?.item, model[0]?.item);
        }
      }),
    );
  });
});

describe('the agenda', () => {
  it('gives pressing ones when they are due, and keeps regular ones apart', () => {
    const agenda = new Agenda<string>();
    for (const key of ['a', 'b', 'c']) agenda.put(key, regular(10));
    agenda.put('d', pressing(11));
    assert.equal(agenda.rate, 4 / 100);
    const taken = [1, 2, 3, 4].map(() => agenda.take());
    assert.deepEqual(taken, [
      { key: 'a', at: 10 },
      { key: 'd', at: 11 },
      { key: 'b', at: 22.5 },
      { key: 'c', at: 35 },
    ]);
    assert.equal(agenda.take(), undefined);
  });

  it('forgets what was dropped, and what was planned before', () => {
    const agenda = new Agenda<string>();
    agenda.put('a', regular(10));
    agenda.put('b', regular(20));
    agenda.put('a', regular(5000));
    agenda.drop('b');
    assert.deepEqual(agenda.peek(), { key: 'a', at: 5000 });
    agenda.drop('a');
    assert.equal(agenda.peek(), undefined);
    assert.equal(agenda.rate, 0);
  });
});

/** When each of so many addresses that always work is asked; at `gap` the own side is broken for half an hour. */
function stream(count: number, seed: number, gap: number, until: number): { at: number; key: number }[] {
  const agenda = new Agenda<number>();
  const states = Array.from({ length: count }, (_, i) =>
    promptState(placeOf(`host${seed}-${i >> 2}.example`, `2001:db8::${i & 3}`), 1000),
  );
  const put = (key: number): void => {
    const state = states[key] ?? assert.fail();
    const { direct: at } = dueTimes(state, promptDefaults);
    agenda.put(key, { at, pressing: false, interval: regularInterval(state, promptDefaults) });
  };
  for (const key of states.keys()) put(key);
  const asked: { at: number; key: number }[] = [];
  let broken = false;
  for (;;) {
    const at = agenda.peek()?.at ?? assert.fail();
    if (at > until) return asked;
    if (at > gap && !broken) {
      broken = true;
      for (const [key, state] of states.entries()) {
        states[key] = step(state, { kind: 'void', at: gap + 1800 }, promptDefaults);
        put(key);
      }
      continue;
    }
    const { key } = agenda.take() ?? assert.fail();
    asked.push({ at, key });
    const state = states[key] ?? assert.fail();
    states[key] = step(state, { kind: 'checked', route: 'direct', outcome: 'ok', at }, promptDefaults);
    put(key);
  }
}

describe('many addresses', () => {
  it('are never asked more than twice the mean in any minute, at the start and after a broken own side too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(), fc.integer({ min: 0, max: 4000 }), (count, seed, gap) => {
        const asked = stream(count, seed, 1000 + gap, 9000);
        const most = Math.ceil((2 * 60 * count) / promptDefaults.most);
        let first = 0;
        for (const [last, { at }] of asked.entries()) {
          // A hair less than a minute: sums of fractions are not exact.
          while (at - (asked[first]?.at ?? at) >= 60 - 1e-6) first += 1;
          assert.ok(last - first + 1 <= most, `${last - first + 1} in the minute before ${at}, more than ${most}`);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are all asked in time: the even stream delays nobody by more than half an interval', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(), (count, seed) => {
        const last = new Map<number, number>();
        for (const { at, key } of stream(count, seed, 5000, 5000)) {
          assert.ok(at - (last.get(key) ?? 1000) <= 1.5 * promptDefaults.most + 1, `key ${key} at ${at}`);
          last.set(key, at);
        }
        assert.equal(last.size, count);
      }),
      { numRuns: 40 },
    );
  });

  it('have their places all over the interval, also where their names differ by their last letter', () => {
    const tenths = new Map<number, number>();
    for (let i = 0; i < 4000; i++) {
      const place = placeOf('a.example', `192.0.${i >> 8}.${i & 255}`);
      assert.ok(place >= 0 && place < 1);
      const tenth = Math.floor(10 * place);
      tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1);
    }
    assert.equal(tenths.size, 10);
    for (const [tenth, count] of tenths) assert.ok(count > 320 && count < 480, `${count} in tenth ${tenth}`);
  });
});

describe('an interval', () => {
  it('is shorter by halves the more often an address has changed, and grows again', () => {
    const at = (count: number, later = 0): number => intervalOf({ count, at: 0 }, later, promptDefaults);
    const { most, memory } = promptDefaults;
    assert.deepEqual([at(0), at(1), at(3), at(100)], [most, most / 2, most / 4, most / 4]);
    assert.equal(at(1, 2 * memory), most);
  });

  it('ends at the first moment of the grid that is not too early', () => {
    const whole = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(
        whole,
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (t, i, p) => {
          const next = onGrid(t, i, p);
          assert.ok(next >= t - 1e-6 && next < t + i + 1e-6);
          const rest = (next / i - p) % 1;
          assert.ok(Math.min(Math.abs(rest), 1 - Math.abs(rest)) < 1e-6);
        },
      ),
    );
  });
});
