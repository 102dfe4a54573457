/** Deciding under the prompt schedule: pure, whatever the order of results, and in step with what else reads the state. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AddressRecord } from '../../../src/nbrpc/model.ts';
import {
  decidePrompt,
  type PromptDecideSettings,
  type PromptInputs,
  type PromptResult,
} from '../../../src/nbrpc/prompt/decide.ts';
import { LiveStates } from '../../../src/nbrpc/prompt/live.ts';
import { promptDefaults } from '../../../src/nbrpc/prompt/settings.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import type { HostEntry, State } from '../../../src/nbrpc/state.ts';
import { entry, policy, state } from './build-state.ts';

const check = { type: 'https', path: '/', result: '' };
const settings: PromptDecideSettings = {
  timers: contractTimers,
  limits: contractLimits,
  defaultPolicy: policy('af-all'),
  prompt: promptDefaults,
  exits: ['wg0', 'wg1'],
};
const ok = { kind: 'ok' } as const;
const fail = { kind: 'fail', reason: 'tls reset' } as const;
const direct = (address: string, at: number, works: boolean): PromptResult => {
  return { host: 'a', address, check, at, direct: works ? ok : fail, exits: null };
};
/** `way` `+-`: the first exit works, the second does not. */
const around = (address: string, at: number, way: string): PromptResult => {
  const results = way
    .split('')
    .map((letter, index): [string, typeof ok | typeof fail] => [`wg${index}`, letter === '+' ? ok : fail]);
  return { host: 'a', address, check, at, direct: null, exits: new Map(results) };
};

function decideOn(before: State, results: readonly PromptResult[], more: Partial<PromptInputs> = {}) {
  const live = new LiveStates(promptDefaults);
  const inputs = { now: 5000, counted: 5000, at: 1000, lists: [], resolved: [], results, dead: new Set<string>() };
  return decidePrompt(before, settings, { ...inputs, choose: false, ...more }, (host: string, record: AddressRecord) =>
    live.of(host, record, 0),
  );
}

/** After these results, as the state has it then. */
function after(results: readonly PromptResult[], more: Partial<PromptInputs> = {}): HostEntry {
  const decision = decideOn(state(entry('a', { state: 'ok' }, '9.9.9.1=ok 9.9.9.2=ok')), results, more);
  return decision.changes.hosts.find(({ name }) => name === 'a')?.after ?? assert.fail('nothing changed');
}

const block = [1, 2, 3, 4, 5].flatMap((round) => [
  direct('9.9.9.1', 20 * round, false),
  around('9.9.9.1', 20 * round + 1, '+-'),
]);

describe('a decision of the prompt schedule', () => {
  it('makes of confirmed failures a blocked address, a host that goes around, and its exit', () => {
    const { record, addresses } = after(block);
    assert.deepEqual([record.state, record.exit, record.failingSince], ['na', 'wg0', 5000]);
    assert.equal(record.reason, 'tls reset at 9.9.9.1 of 2 addresses');
    const [first, second] = [addresses.get('9.9.9.1'), addresses.get('9.9.9.2')];
    assert.deepEqual([first?.state, first?.reason, first?.changed, first?.altReason], ['na', 'tls reset', 5000, '']);
    assert.deepEqual([second?.state, second?.prompt], ['ok', undefined]);
    const other = block.map((result) => (result.exits === null ? result : around('9.9.9.1', result.at, '-+')));
    assert.equal(after(other).record.exit, 'wg1');
    assert.equal(after(block, { dead: new Set(['wg0']) }).record.exit, '', 'the other one does not work for it');
  });

  it('calls a host failing after two failures, and unstable while it fails everywhere, without another route', () => {
    const one = decideOn(state(entry('a', { state: 'ok' }, '9.9.9.1=ok')), block.slice(0, 2));
    assert.deepEqual(one.hostMoves, [], 'one failure is chance');
    const failing = after(block.slice(0, 4)).record;
    assert.deepEqual([failing.state, failing.exit, failing.failingSince], ['failing', undefined, 5000]);
    const down = block.map((result) => (result.exits === null ? result : around('9.9.9.1', result.at, '--')));
    const { record, addresses } = after(down);
    assert.deepEqual([record.state, addresses.get('9.9.9.1')?.altReason], ['unstable', 'tls reset']);
    assert.ok((addresses.get('9.9.9.1')?.down ?? 0) > 0);
  });

  it('does not depend on the order in which results came', () => {
    const results = fc.uniqueArray(
      fc.record({
        address: fc.constantFrom('9.9.9.1', '9.9.9.2'),
        at: fc.integer({ min: 1, max: 900 }),
        way: fc.constantFrom('+', '-', '++', '+-', '--'),
      }),
      { maxLength: 30, selector: ({ address, at, way }) => `${address} ${at} ${way.length > 1}` },
    );
    const made = ({ address, at, way }: { address: string; at: number; way: string }): PromptResult =>
      way.length === 1 ? direct(address, at, way === '+') : around(address, at, way);
    const before = state(entry('a', { state: 'ok' }, '9.9.9.1=ok 9.9.9.2=na'));
    const told = (all: readonly PromptResult[]): string => {
      const { changes, hostMoves, live } = decideOn(before, all);
      const hosts = changes.hosts.map(({ after: next }) => [
        next?.record,
        [...(next?.addresses.values() ?? [])].sort(byAddress),
      ]);
      return JSON.stringify([hosts, hostMoves, [...live].sort(byAddress)]);
    };
    fc.assert(
      fc.property(results, fc.infiniteStream(fc.nat()), (all, order) => {
        const ordered = all.map(made);
        const shuffled = ordered
          .map((result) => ({ result, place: order.next().value as number }))
          .sort((a, b) => a.place - b.place)
          .map(({ result }) => result);
        assert.equal(told(shuffled), told(ordered));
      }),
    );
  });

  it('lets all services choose again when an exit dies, those too that are never checked', () => {
    const never = entry('n', { state: 'na', exit: 'wg0', check: { ...check, result: 'na' } }, '9.9.9.3=na');
    const decision = decideOn(state(never), [], { dead: new Set(['wg0']), choose: true });
    assert.deepEqual(
      decision.changes.hosts.map(({ after: next }) => next?.record.exit),
      ['wg1'],
    );
    const none = decideOn(state(never), [], { dead: new Set(['wg0', 'wg1']), choose: true });
    assert.deepEqual(
      none.changes.hosts.map(({ after: next }) => next?.record.exit),
      [''],
    );
  });

  it('takes no result of a check that the host has no more, nor of an address that it has not', () => {
    const stale = block.map((result) => ({ ...result, check: { ...check, path: '/old' } }));
    const strange = block.map((result) => ({ ...result, address: '9.9.9.9' }));
    for (const results of [stale, strange]) {
      const decision = decideOn(state(entry('a', { state: 'ok' }, '9.9.9.1=ok')), results);
      assert.deepEqual([decision.changes.hosts, decision.live], [[], []]);
    }
  });
});

function byAddress(a: { readonly address: string }, b: { readonly address: string }): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
