/** Parts of the prompt schedule: what is kept of an address, when it is asked next, dead exits, and lost time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ExitView, seen } from '../../../src/nbrpc/exit-choice.ts';
import { promptState, step, triOfPrompt, verdictOf } from '../../../src/nbrpc/prompt/address.ts';
import { ExitWatch } from '../../../src/nbrpc/prompt/exit-watch.ts';
import { LiveStates } from '../../../src/nbrpc/prompt/live.ts';
import { LostTime } from '../../../src/nbrpc/prompt/lost-time.ts';
import { nameTurn } from '../../../src/nbrpc/prompt/names.ts';
import { planOf } from '../../../src/nbrpc/prompt/plan.ts';
import { promptRecordOf, promptRecordText } from '../../../src/nbrpc/prompt/record.ts';
import { promptDefaults } from '../../../src/nbrpc/prompt/settings.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { addressRecord, entry, state } from './build-state.ts';

const view = (...results: boolean[]): ExitView | undefined => {
  let made: ExitView | undefined;
  for (const [index, works] of results.entries()) made = seen(made, works, '', 1000 + index);
  return made;
};
const viewOf = (...results: boolean[]): ExitView => view(...results) ?? assert.fail();
/** Asked at 1000 seconds. */
const blocked = step(
  promptState(0.5, 0, 'blocked'),
  { kind: 'checked', route: 'direct', outcome: 'fail', at: 1000 },
  promptDefaults,
);

describe('what is kept of an address', () => {
  it('is read as it was written', () => {
    const record = { state: blocked, exits: { wg0: viewOf(true, false) } };
    const read = promptRecordOf(promptRecordText(record));
    assert.deepEqual(read, { state: { place: blocked.place, now: blocked.now }, exits: record.exits });
  });

  it('is passed over where it is nothing that was written so', () => {
    const whole = promptRecordText({ state: blocked, exits: {} });
    for (const text of ['', '7', 'null', '{}', whole.replace('"verdict"', '"other"'), whole.replace('0.5', '"x"')]) {
      assert.equal(promptRecordOf(text), undefined, text);
    }
    assert.equal(promptRecordOf(whole.replace('"exits":{}', '"exits":{"a":{}}')), undefined);
  });

  it('goes on in the clock of the next run, and follows what others have decided since', () => {
    const live = new LiveStates(promptDefaults);
    const prompt = { state: blocked, exits: { wg0: viewOf(true, false) } };
    const record = addressRecord('192.0.2.1', { state: 'na', prompt });
    const taken = live.of('a', record, 5);
    assert.deepEqual([verdictOf(taken.state), taken.state.now.at, taken.exits.wg0?.results], ['blocked', 5, [true]]);
    const others = live.of('a', { ...record, state: 'ok' }, 6);
    assert.equal(triOfPrompt(others.state), true);
    // Of the original schedule.
    assert.equal(triOfPrompt(live.of('b', addressRecord('192.0.2.2', { state: 'na' }), 7).state), false);
    assert.equal(triOfPrompt(live.of('c', addressRecord('192.0.2.3'), 8).state), null);
  });
});

describe('when an address is asked next', () => {
  const around = { exits: ['wg0', 'wg1'], current: 'wg0', blocked: 1, exitsAsked: 0, newcomers: 1 };
  const plan = (exits: Readonly<Record<string, ExitView>>, more: Partial<typeof around> = {}) =>
    planOf({ state: blocked, exits }, { ...around, ...more }, promptDefaults);

  it('is soon for one that is new, later where there are many', () => {
    const fresh = { state: promptState(0.5, 100), exits: {} };
    const at = (newcomers: number) => planOf(fresh, { ...around, newcomers }, promptDefaults).direct - 100;
    assert.deepEqual([at(4), at(400), at(100_000)], [0.5, 50, promptDefaults.most / 4]);
  });

  it('is regular through the exit of its service, half as often where it has more blocked addresses', () => {
    const well = { wg0: viewOf(true) };
    assert.deepEqual(plan(well).exits, { at: 1540, names: ['wg0'] });
    assert.deepEqual(plan(well, { blocked: 4 }).exits, { at: 2080, names: ['wg0'] });
    assert.equal(plan(well).pressing, false);
  });

  it('is soon, through all exits, where its own seems to fail', () => {
    const doubted = plan({ wg0: viewOf(true, false) });
    assert.deepEqual([doubted.exits, doubted.pressing], [{ at: 1001 + 11.25, names: ['wg0', 'wg1'] }, true]);
  });

  it('is within a minute through all exits while it has none that works, later after hours', () => {
    const failed = { wg0: viewOf(false, false, false) };
    assert.deepEqual(plan(failed).exits, { at: 1002 + 54, names: ['wg0', 'wg1'] });
    assert.deepEqual(plan({}, { current: '', exitsAsked: 3000 }).exits, { at: 3000 + 54, names: ['wg0', 'wg1'] });
    const old = {
      wg0: { ...viewOf(false, false, false), at: 20_000 },
      wg1: { ...viewOf(false, false, false), at: 20_000 },
    };
    assert.deepEqual(plan(old).exits?.at, 20_000 + (20_000 - 1002) / 60);
  });

  it('is never through exits where there are none', () => {
    assert.equal(plan({}, { exits: [] }).exits, null);
  });
});

describe('an exit', () => {
  const bad = { ok: false, gate: 'control', reason: 'all is silent' } as const;
  const clock = new FakeClock();
  const watch = (...looks: boolean[]): ExitWatch => {
    const made = new ExitWatch([{ name: 'wg0', source: { 4: '10.9.0.2' } }], clock);
    for (const works of looks) made.looked('wg0', works ? { ok: true } : bad);
    return made;
  };
  const dead = (...looks: boolean[]): boolean => watch(...looks).dead.has('wg0');

  it('is dead after three looks of four that failed, and back after two in a row that did not', () => {
    assert.deepEqual(
      [dead(false, false), dead(true, false, false, false), dead(false, true, false, false)],
      [false, true, true],
    );
    assert.deepEqual([dead(false, false, false, true), dead(false, false, false, true, true)], [true, false]);
  });

  it('is looked at again soon while its looks contradict what is known', () => {
    assert.deepEqual(
      [watch(true), watch(true, false), watch(false, false, false), watch(false, false, false, true)].map(
        ({ doubted }) => doubted,
      ),
      [false, true, false, true],
    );
  });

  it('is not held to what failed with our own side', () => {
    const made = watch(false, false);
    made.void();
    made.looked('wg0', bad);
    assert.deepEqual([...made.dead], []);
  });

  it('tells why it is dead, and the median of what worked through it', () => {
    const made = watch(false, false, false);
    for (const ms of [40, 1000, 50]) made.took('wg0', ms);
    assert.deepEqual(made.health, [
      { name: 'wg0', works: false, reason: 'all is silent', latency: 50, since: clock.now() },
    ]);
  });

  it('tells since when it is so, and from which look on it died', async () => {
    const made = watch(true);
    const [from, up] = [clock.monotonic() / 1000, clock.now()];
    for (const works of [false, true, true, false, false, false]) {
      await clock.advance(10_000);
      made.looked('wg0', works ? { ok: true } : bad);
    }
    assert.deepEqual([made.diedFrom('wg0'), made.health[0]?.since], [from + 40, up + 60_000]);
    for (const works of [true, true]) {
      await clock.advance(10_000);
      made.looked('wg0', works ? { ok: true } : bad);
    }
    assert.deepEqual([made.diedFrom('wg0'), made.health[0]?.since], [null, up + 80_000]);
  });
});

describe('a turn of names', () => {
  const now = 10_000;
  const names = (count: number, checked: number, type = 'https') =>
    Array.from({ length: count }, (_, i) =>
      entry(`${type}-${checked}-${i}`, { checked, check: { type, path: '/', result: '' } }, ''),
    );

  it('has all new names, as many as one turn can take, and of the others an even share', () => {
    const turn = nameTurn(state(...names(5, 0), ...names(1000, 1000)), now, 420, true);
    const fresh = turn.due.filter(({ record }) => record.checked === 0);
    assert.deepEqual([fresh.length, turn.more], [5, false]);
    // Half as many again as are due in 15 of 420 seconds.
    assert.equal(turn.due.length - fresh.length, 1 + Math.ceil((1.5 * 1005 * 15) / 420));
    const many = nameTurn(state(...names(1000, 0)), now, 420, true);
    assert.deepEqual([many.due.length, many.more], [256, true]);
    assert.deepEqual(nameTurn(state(...names(9, now - 100)), now, 420, true), { due: [], more: false });
  });

  it('has only names that need no check while the own side does not work', () => {
    const { due } = nameTurn(state(...names(3, 0), ...names(2, 0, 'dns')), now, 420, false);
    assert.deepEqual(new Set(due.map(({ record }) => record.check.type)), new Set(['dns']));
    assert.equal(due.length, 2);
  });
});

describe('lost time', () => {
  it('is what a process did not run, or a machine slept, for longer than a few beats', async () => {
    const clock = new FakeClock();
    const lost = new LostTime(clock, 30_000);
    await clock.advance(10_000);
    assert.equal(lost.beat(), false);
    clock.jump(3_600_000);
    await clock.advance(10_000);
    assert.equal(lost.beat(), true, 'asleep: the wall clock alone went on');
    await clock.advance(31_000);
    assert.equal(lost.beat(), true, 'stopped');
    clock.jump(-3_600_000);
    await clock.advance(10_000);
    assert.equal(lost.beat(), false, 'a wall clock that was set back says nothing');
  });

  it('is told once, as often as it is lost, until nobody follows it any more', async () => {
    const clock = new FakeClock();
    const lost = new LostTime(clock, 30_000);
    let told = 0;
    const tell = (): void => {
      told += 1;
    };
    lost.follow(10_000, tell);
    lost.follow(10_000, tell);
    await clock.advance(60_000);
    assert.equal(told, 0);
    for (const times of [1, 2]) {
      clock.jump(3_600_000);
      await clock.advance(60_000);
      assert.equal(told, times);
    }
    lost.stop();
    clock.jump(3_600_000);
    await clock.advance(60_000);
    assert.equal(told, 2);
  });
});
