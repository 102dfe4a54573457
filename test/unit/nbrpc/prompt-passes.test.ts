/** The prompt schedule at work, on fakes: who is asked how often, and never twice at a time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sleep } from '../../../src/core/clock.ts';
import type { CheckSource, CheckTarget } from '../../../src/nbrpc/checker.ts';
import type { CheckResult } from '../../../src/nbrpc/model.ts';
import { PromptPasses, type PromptPassesOptions } from '../../../src/nbrpc/prompt/passes.ts';
import { promptDefaults, promptInUse } from '../../../src/nbrpc/prompt/settings.ts';
import { Rehearsal } from './rehearsal.ts';

const hour = 3_600_000;
const [wg0, source] = [{ name: 'wg0', source: { 4: '10.9.0.2' } }, '10.9.0.2'];

/** A rehearsal under the prompt schedule, and all that it asked. */
class Prompt extends Rehearsal {
  readonly asked: (CheckTarget & { readonly at: number; readonly underWay: number })[] = [];
  took: (target: CheckTarget) => number = () => 100;
  outcome: (target: CheckTarget) => CheckResult = () => ({ kind: 'ok' });
  ownSide = { ok: true as const };
  readonly failures: unknown[] = [];
  #underWay = new Map<string, number>();

  passes(more: Partial<PromptPassesOptions> = {}): PromptPasses {
    const checks: CheckSource = { check: (target, _, signal) => this.#check(target, signal) };
    const passes = new PromptPasses({
      clock: this.clock,
      files: this.files,
      resolver: this.resolver,
      checks,
      store: this.store,
      settings: this.settings,
      prompt: promptDefaults,
      exits: [wg0],
      controlled: true,
      interval: 240_000,
      first: true,
      look: () => Promise.resolve(this.ownSide),
      lookThrough: () => Promise.resolve({ ok: true }),
      listener: {
        lists: () => {},
        ownSide: () => {},
        learned: () => {},
        passed: () => {},
        exits: () => {},
        failed: (error) => void this.failures.push(error),
      },
      ...more,
    });
    passes.request();
    return passes;
  }

  of(address: string): readonly number[] {
    return this.asked.filter((target) => target.address === address).map(({ at }) => at);
  }

  async #check(target: CheckTarget, signal: AbortSignal): Promise<CheckResult> {
    const key = `${target.host} ${target.address} ${target.source ?? ''}`;
    const underWay = (this.#underWay.get(key) ?? 0) + 1;
    this.#underWay.set(key, underWay);
    this.asked.push({ ...target, at: this.clock.monotonic(), underWay });
    try {
      await sleep(this.clock, this.took(target), signal);
      return this.outcome(target);
    } finally {
      this.#underWay.set(key, underWay - 1);
    }
  }
}

describe('the prompt schedule at work', () => {
  it('asks what works every nine minutes, spread evenly, and what is in use every two', async () => {
    const bench = new Prompt('a b');
    bench.set('a', '9.9.9.1=ok 9.9.9.2=ok');
    bench.set('b', '9.9.9.3=ok 9.9.9.4=ok');
    const inUse = new Set<string>();
    const passes = bench.passes({ promptOf: (address) => (inUse.has(address) ? promptInUse : promptDefaults) });
    await bench.clock.advance(hour);
    bench.asked.length = 0;
    await bench.clock.advance(9 * hour);
    const count = (address: string): number => bench.of(address).length;
    for (const address of ['9.9.9.1', '9.9.9.2', '9.9.9.3', '9.9.9.4']) {
      assert.ok(Math.abs(count(address) - 60) <= 2, `${address}: ${count(address)}`);
    }
    inUse.add('9.9.9.2');
    passes.reconsider(inUse);
    bench.asked.length = 0;
    await bench.clock.advance(3 * hour);
    assert.ok(Math.abs(count('9.9.9.2') - 90) <= 3, `in use: ${count('9.9.9.2')}`);
    assert.ok(Math.abs(count('9.9.9.1') - 20) <= 2, `not in use: ${count('9.9.9.1')}`);
    assert.deepEqual(bench.failures, []);
    await passes.stop();
  });

  it('asks no route of an address while its check is under way, however long that takes', async () => {
    const bench = new Prompt('a');
    bench.set('a', '9.9.9.1=ok');
    bench.took = () => 20 * 60_000;
    bench.outcome = () => ({ kind: 'fail', reason: 'timeout on body' });
    const passes = bench.passes();
    await bench.clock.advance(6 * hour);
    assert.ok(bench.asked.length > 10, `${bench.asked.length}`);
    assert.deepEqual(new Set(bench.asked.map(({ underWay }) => underWay)), new Set([1]));
    await passes.stop();
  });

  it('asks what is blocked every six minutes directly and every nine through its exit, and what works through none', async () => {
    const bench = new Prompt('a b');
    bench.set('a', '9.9.9.1=ok');
    bench.set('b', '9.9.9.2=ok');
    bench.outcome = (target) =>
      target.host === 'a' && target.source === undefined ? { kind: 'fail', reason: 'tls reset' } : { kind: 'ok' };
    const passes = bench.passes();
    await bench.clock.advance(hour);
    assert.equal(bench.host('a').split('@')[0], 'na');
    bench.asked.length = 0;
    await bench.clock.advance(9 * hour);
    const asked = (host: string, through: string | undefined): number =>
      bench.asked.filter((target) => target.host === host && target.source === through).length;
    assert.equal(asked('b', source), 0);
    const [direct, around] = [asked('a', undefined), asked('a', source)];
    assert.ok(Math.abs(direct - 90) <= 2, `${direct} directly`);
    assert.ok(Math.abs(around - 60) <= 2, `${around} through the exit`);
    await passes.stop();
  });

  it('leaves an address alone whose family no exit has, as to exits', async () => {
    const bench = new Prompt('a');
    bench.set('a', '2001:db8::1=ok');
    bench.outcome = () => ({ kind: 'fail', reason: 'tls reset' });
    const passes = bench.passes();
    await bench.clock.advance(hour);
    assert.deepEqual(
      bench.asked.filter(({ source: from }) => from !== undefined),
      [],
    );
    // Nobody can say whether it is blocked, or down.
    assert.notEqual(bench.host('a').split('@')[0], 'na');
    await passes.stop();
  });

  it('lets nothing count that was asked before the process stood still', async () => {
    const bench = new Prompt('a');
    bench.set('a', '9.9.9.1=ok');
    bench.outcome = ({ source: from }) => (from === undefined ? { kind: 'fail', reason: 'timeout' } : { kind: 'ok' });
    const passes = bench.passes();
    const blocked = (): boolean => bench.host('a').startsWith('na');
    // Every twenty seconds the machine sleeps for an hour: no three rounds ever follow one another.
    for (let turn = 0; turn < 30; turn++) {
      await bench.clock.advance(20_000);
      bench.clock.jump(hour);
    }
    assert.ok(bench.asked.length > 10);
    assert.equal(blocked(), false);
    await bench.clock.advance(5 * 60_000);
    assert.equal(blocked(), true);
    await passes.stop();
  });

  it('resolves a long list bit by bit, and asks all of it within minutes', async () => {
    const names = Array.from({ length: 600 }, (_, index) => `h${index}`);
    const bench = new Prompt(names.join('\n'));
    for (const [index, name] of names.entries()) bench.set(name, `9.9.${index >> 8}.${index & 255}=ok`);
    const passes = bench.passes();
    await bench.clock.advance(1000);
    assert.deepEqual(passes.firstPass?.of, 600);
    await bench.clock.advance(6 * 60_000);
    assert.equal(passes.firstPass, undefined);
    const perMinute = new Map<number, number>();
    for (const { at } of bench.asked)
      perMinute.set(Math.floor(at / 60_000), 1 + (perMinute.get(Math.floor(at / 60_000)) ?? 0));
    assert.ok(Math.max(...perMinute.values()) < 400, [...perMinute.values()].join());
    await passes.stop();
  });
});
