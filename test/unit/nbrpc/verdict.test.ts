/** The state machine of addresses and hosts: the contract's sentences and each row of its table. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressRecord, CheckResult, HostRecord, HostState } from '../../../src/nbrpc/model.ts';
import { altCheckedAddress, checkedAddress, decidedHost } from '../../../src/nbrpc/verdict.ts';
import { addresses, addressRecord, hostRecord, policy } from './build-state.ts';

const ok: CheckResult = { kind: 'ok' };
const none: CheckResult = { kind: 'none' };
const fail: CheckResult = { kind: 'fail', reason: 'tls reset' };
const checked = (old: AddressRecord, result: CheckResult, now = 1000) => checkedAddress(old, result, now, 54_000);

describe('a checked address', () => {
  const fresh = addressRecord('1.1.1.1', { checked: 0, changed: 0 });

  it('takes the state of its first result', () => {
    assert.deepEqual(checked(fresh, ok), { ...fresh, state: 'ok', checked: 1000, changed: 1000 });
    assert.deepEqual(checked(fresh, fail), {
      ...fresh,
      state: 'na',
      reason: 'tls reset',
      checked: 1000,
      changed: 1000,
    });
  });

  it('has only its time of check renewed where it was unknown and stays so', () => {
    assert.deepEqual(checked(fresh, none), { ...fresh, checked: 1000 });
  });

  it('is skipped when a known one has no result', () => {
    const old = addressRecord('1.1.1.1', { state: 'ok' });
    assert.deepEqual(checked(old, none), { ...old, state: 'skipped', checked: 1000, changed: 1000 });
  });

  it('keeps the time of its last change as long as the verdict is the same, whatever the reason', () => {
    const old = addressRecord('1.1.1.1', { state: 'na', reason: 'timeout on connect' });
    assert.deepEqual(checked(old, fail), { ...old, reason: 'tls reset', checked: 1000 });
    const skipped = addressRecord('1.1.1.1', { state: 'skipped' });
    assert.equal(checked(skipped, none).changed, 100);
  });

  it('keeps its verdict when this machine could not try, and is tried again before a regular check would be', () => {
    const old = addressRecord('1.1.1.1', { state: 'na', reason: 'tls reset', checked: 40_000 });
    const next = checked(old, { kind: 'untried', detail: 'EMFILE' }, 100_000);
    assert.deepEqual(next, { ...old, checked: 100_000 - 40_500 });
  });

  it('counts as down once when the other route has confirmed the failure since the check before', () => {
    const old = addressRecord('1.1.1.1', { state: 'na', checked: 500, changed: 100, down: 600 });
    const next = checked(old, fail);
    assert.equal(next.down, 100);
    assert.equal(checked(next, fail, 2000).down, 0);
  });

  it('counts as down by a confirmation of the same second as the check before', () => {
    const old = addressRecord('1.1.1.1', { state: 'na', checked: 500, changed: 100, down: 500 });
    assert.equal(checked(old, fail).down, 100);
  });

  it('does not count as down by a confirmation that is older than the check before', () => {
    assert.equal(checked(addressRecord('1.1.1.1', { state: 'na', checked: 500, down: 400 }), fail).down, 0);
  });

  it('keeps the verdict of the other route with its reason', () => {
    const old = addressRecord('1.1.1.1', { state: 'na' });
    const down = altCheckedAddress(old, fail, 700);
    assert.deepEqual(down, { ...old, altChecked: 700, altReason: 'tls reset', down: 700 });
    assert.deepEqual(altCheckedAddress(down, ok, 800), { ...down, altChecked: 800, altReason: '' });
  });
});

const grace = { ok: 1000, na: 500 };
const decide = (host: Partial<HostRecord>, text: string, now: number, spec = 'af-all', map = addresses(text)) =>
  decidedHost(hostRecord('a', host), map, policy(spec), { now, counted: now }, grace);
const stateOf = (host: Partial<HostRecord>, text: string, now: number): string => {
  const { record, reported } = decide(host, text, now);
  return `${record.state}@${record.changed}${reported ? ' reported' : ''}`;
};

describe('a host', () => {
  const down = '1.1.1.1=na';
  const up = '1.1.1.1=ok';
  const skipped = '1.1.1.1=skipped';

  it('without addresses stays as it is', () => {
    assert.equal(stateOf({ state: 'ok', changed: 7 }, '', 9000), 'ok@7');
    assert.equal(stateOf({}, '', 9000), 'null@0');
  });

  it('that was never decided is ok or na at once', () => {
    assert.equal(stateOf({}, up, 9), 'ok@9 reported');
    assert.equal(stateOf({}, down, 9), 'na@9 reported');
    assert.equal(stateOf({}, skipped, 9), 'null@0');
  });

  it('that was never decided does not fail yet, and is failing from the first failure on that is no verdict yet', () => {
    assert.equal(decide({}, skipped, 9).record.failingSince, 0);
    assert.equal(decide({}, '1.1.1.1=?', 9).record.failingSince, 9);
    assert.equal(decide({}, '1.1.1.1=? 1.1.1.2=ok', 9).record.failingSince, 0);
  });

  it('that is blocked and works again waits before it is ok', () => {
    assert.equal(stateOf({ state: 'na', changed: 100 }, up, 1099), 'na@100');
    assert.equal(stateOf({ state: 'na', changed: 100 }, up, 1100), 'ok@1100 reported');
  });

  it('that is ok and fails is failing first, which is not reported', () => {
    assert.equal(stateOf({ state: 'ok', changed: 1 }, down, 9000), 'failing@9000');
    assert.equal(stateOf({ state: 'ok', changed: 1 }, skipped, 9000), 'failing@9000');
  });

  it('that goes on failing is na after the wait', () => {
    for (const state of ['failing', 'unstable'] as HostState[]) {
      assert.equal(stateOf({ state, changed: 100, failingSince: 100 }, down, 599), `${state}@100`);
      assert.equal(stateOf({ state, changed: 100, failingSince: 100 }, down, 600), 'na@600 reported');
    }
  });

  it('of which nothing is known any more is ok after the wait', () => {
    assert.equal(stateOf({ state: 'failing', changed: 100, failingSince: 100 }, skipped, 599), 'failing@100');
    assert.equal(stateOf({ state: 'failing', changed: 100, failingSince: 100 }, skipped, 600), 'ok@600 reported');
    assert.equal(stateOf({ state: 'na', changed: 100, failingSince: 1 }, skipped, 599), 'na@100');
    assert.equal(stateOf({ state: 'na', changed: 100, failingSince: 1 }, skipped, 600), 'ok@600 reported');
  });

  it('that recovers within the wait is ok again, which is not reported', () => {
    assert.equal(stateOf({ state: 'failing', changed: 100, failingSince: 100 }, up, 150), 'ok@150');
    assert.equal(stateOf({ state: 'unstable', changed: 100 }, up, 150), 'ok@150');
  });

  it('that is as it was stays untouched', () => {
    assert.equal(stateOf({ state: 'ok', changed: 100 }, up, 9000), 'ok@100');
    assert.equal(stateOf({ state: 'na', changed: 100 }, down, 9000), 'na@100');
  });

  it('is unstable with an address that was never decided, and gets a fresh time in every pass', () => {
    assert.equal(stateOf({}, '1.1.1.1=?', 9), 'unstable@9');
    assert.equal(stateOf({ state: 'unstable', changed: 9 }, '1.1.1.1=?', 20), 'unstable@20');
    assert.equal(stateOf({ state: 'ok', changed: 9 }, '1.1.1.1=? 1.1.1.2=ok', 20), 'unstable@20');
  });

  it('is written once, by priority na, failing, unstable, ok', () => {
    assert.equal(
      stateOf({ state: 'failing', changed: 1, failingSince: 1 }, '1.1.1.1=? 1.1.1.2=na', 600),
      'na@600 reported',
    );
    assert.equal(stateOf({ state: 'ok', changed: 1 }, '1.1.1.1=? 1.1.1.2=na', 600), 'failing@600');
    assert.equal(
      stateOf({ state: 'failing', changed: 1, failingSince: 1 }, '1.1.1.1=? 1.1.1.2=na', 400),
      'unstable@400',
    );
    assert.equal(stateOf({}, '1.1.1.1=? 1.1.1.2=ok', 9), 'unstable@9 reported');
  });

  it('that is blocked is not freed by an address of which nothing is known', () => {
    assert.equal(stateOf({ state: 'na', changed: 100 }, '1.1.1.1=? 1.1.1.2=na', 9000), 'na@100');
    assert.equal(stateOf({ state: 'na', changed: 100 }, '1.1.1.1=? 1.1.1.2=ok', 200), 'na@100');
  });

  it('is na in time although one address is down everywhere and renews the printed time in every pass', () => {
    let record = hostRecord('a', { state: 'ok', changed: 1 });
    const map = new Map(
      [...addresses('1.1.1.1=na 1.1.1.2=na')].map(([key, value]) => [
        key,
        key === '1.1.1.1' ? { ...value, down: 100 } : value,
      ]),
    );
    const seen: string[] = [];
    for (let now = 1000; now <= 1550; now += 50) {
      record = decidedHost(record, map, policy('af-all'), { now, counted: now }, grace).record;
      seen.push(`${record.state}@${record.changed}`);
    }
    assert.deepEqual(seen.slice(0, 3), ['failing@1000', 'unstable@1050', 'unstable@1100']);
    assert.equal(seen.at(-2), 'na@1500');
    assert.equal(seen.at(-1), 'na@1500');
  });

  it('with all addresses down everywhere is unstable, not na, however long', () => {
    let record = hostRecord('a', { state: 'failing', changed: 1, failingSince: 1 });
    const map = new Map([...addresses(down)].map(([key, value]) => [key, { ...value, down: 100 }]));
    for (let now = 100; now < 5000; now += 100) {
      record = decidedHost(record, map, policy('af-all'), { now, counted: now }, grace).record;
      assert.equal(record.state, 'unstable');
    }
  });

  it('counts its grace period from when it began to fail, not from an earlier time of being unstable', () => {
    const unstable = { state: 'unstable' as const, changed: 100, failingSince: 0 };
    const first = decide(unstable, down, 5000).record;
    assert.equal(`${first.state} ${first.failingSince}`, 'unstable 5000');
    assert.equal(decide(first, down, 5499).record.state, 'unstable');
    assert.equal(decide(first, down, 5500).record.state, 'na');
  });

  it('knows since when it fails, from leaving ok until it is back', () => {
    const failing = decide({ state: 'ok', changed: 1 }, down, 100).record;
    assert.equal(failing.failingSince, 100);
    const blocked = decide(failing, down, 700).record;
    assert.deepEqual([blocked.state, blocked.failingSince], ['na', 100]);
    const waiting = decide(blocked, up, 800).record;
    assert.deepEqual([waiting.state, waiting.failingSince], ['na', 100]);
    assert.equal(decide(waiting, up, 1700).record.failingSince, 0);
  });

  it('says why it fails, and says nothing once it is ok', () => {
    const map = addresses('1.1.1.1=ok 1.1.1.2=na 1::1=na');
    const withReason = new Map(
      [...map].map(([key, value]) => [key, { ...value, reason: value.state === 'na' ? 'tls reset' : '' }]),
    );
    const { record } = decide({}, '', 9, 'af-all', withReason);
    assert.equal(record.reason, 'tls reset at 1.1.1.2 and 1 more of 3 addresses');
    assert.equal(decide(record, up, 9000).record.reason, '');
  });
});
