/** What is due in a pass. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dueAddresses, dueAlternatives, dueHosts } from '../../../src/nbrpc/schedule.ts';
import { State } from '../../../src/nbrpc/state.ts';
import { addressRecord, hostRecord } from './build-state.ts';

const host = (name: string, order: number, checked: number) => ({
  record: hostRecord(name, { order, checked, state: 'failing' }),
  addresses: new Map([
    [`1.1.1.${order}`, addressRecord(`1.1.1.${order}`, { order, checked, altChecked: checked, state: 'na' })],
    [`1.1.2.${order}`, addressRecord(`1.1.2.${order}`, { order: order + 100, checked, altChecked: checked, seen: 1 })],
  ]),
});
const state = new State([host('c', 3, 500), host('b', 2, 0), host('a', 1, 0), host('d', 4, 901)]);
const names = (due: Parameters<typeof dueHosts>[1]) => dueHosts(state, due).map(({ record }) => record.name);
const base = { now: 1000, interval: 100, forced: false, limit: 99 };

describe('the schedule', () => {
  it('has what was not looked at for the interval, the oldest first, the earlier known first among equals', () => {
    assert.deepEqual(names(base), ['a', 'b', 'c']);
    assert.deepEqual(names({ ...base, now: 1001 }), ['a', 'b', 'c', 'd']);
  });

  it('has everything when forced, but nothing from the future', () => {
    assert.deepEqual(names({ ...base, forced: true, now: 901 }), ['a', 'b', 'c', 'd']);
    assert.deepEqual(names({ ...base, forced: true, now: 900 }), ['a', 'b', 'c']);
    assert.deepEqual(names({ ...base, forced: true, now: 0 }), ['a', 'b']);
  });

  it('never has more than the limit', () => assert.deepEqual(names({ ...base, limit: 2 }), ['a', 'b']));

  it('can be for one host alone', () => {
    assert.deepEqual(names({ ...base, only: 'c' }), ['c']);
    assert.deepEqual(names({ ...base, only: 'unknown' }), []);
  });

  it('has addresses of all hosts, those that left DNS too', () => {
    const due = dueAddresses(state, { ...base, limit: 5 }).map(({ address }) => address.address);
    assert.deepEqual(due, ['1.1.1.1', '1.1.1.2', '1.1.2.1', '1.1.2.2', '1.1.1.3']);
  });

  it('has for the other route only decided failures of hosts that fail and are not rerouted', () => {
    const hosts = (['ok', 'failing', 'unstable', 'na', null] as const).map((hostState, index) => ({
      record: hostRecord(`h${index}`, { state: hostState }),
      addresses: new Map(
        (['ok', 'na', 'skipped', null] as const).map((addressState) => [
          `${index}.${addressState}`,
          addressRecord(`${index}.${addressState}`, { state: addressState }),
        ]),
      ),
    }));
    const due = dueAlternatives(new State(hosts), base).map(({ address }) => address.address);
    assert.deepEqual(due, ['1.na', '1.skipped', '2.na', '2.skipped']);
    assert.equal(dueAlternatives(state, { ...base, now: 550 }).length, 2);
  });

  it('has for the other route what was asked about the longest time ago, the earlier known first among equals', () => {
    const address = (name: string, order: number, altChecked: number) =>
      [name, addressRecord(name, { order, altChecked, state: 'na' })] as const;
    const one = {
      record: hostRecord('a', { state: 'failing' }),
      addresses: new Map([address('x', 3, 7), address('y', 2, 9)]),
    };
    const two = {
      record: hostRecord('b', { state: 'failing' }),
      addresses: new Map([address('z', 4, 7), address('w', 1, 8)]),
    };
    const names = (limit: number) =>
      dueAlternatives(new State([one, two]), { ...base, limit }).map((due) => due.address.address);
    assert.deepEqual(names(99), ['x', 'z', 'w', 'y']);
    assert.deepEqual(names(2), ['x', 'z']);
  });
});
