/** A recorded past beside what other settings would have made of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Checked } from '../../../src/nbrpc/decide.ts';
import { type DecideSettings, decide } from '../../../src/nbrpc/decide.ts';
import { ReplayComparison } from '../../../src/nbrpc/replay-compare.ts';
import { RouteTally } from '../../../src/nbrpc/route-tally.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import { State } from '../../../src/nbrpc/state.ts';
import { formatLogLine } from '../../../src/nbrpc/state-log-format.ts';
import type { LogLine } from '../../../src/nbrpc/state-log-lines.ts';
import { policy } from './build-state.ts';

const hour = 3600;
/** Not the epoch: 0 stands for never. */
const start = 24 * hour;
const check = { type: 'https', path: '/', result: '' };
const logged: DecideSettings = { timers: contractTimers, limits: contractLimits, defaultPolicy: policy('af-all') };

/** One service whose only address is checked each hour; `story`: what each check says, `x` for a failure. */
function log(story: string): string[] {
  const lines = [formatLogLine(start, { kind: 'settings', version: 1, ...logged })];
  const state = new State();
  for (const [index, word] of story.split('').entries()) {
    const now = start + index * hour;
    const listed = index === 0 ? [{ host: 'a.b', check, policy: '' }] : [];
    const resolved = [{ host: 'a.b', addresses: ['192.0.2.1'] }];
    const result = word === 'x' ? { kind: 'fail' as const, reason: 'timeout' } : { kind: 'ok' as const };
    const checked: Checked[] = [{ host: 'a.b', address: '192.0.2.1', check, result }];
    const inputs: LogLine = { kind: 'inputs', now, counted: now, listed, removed: [], resolved, checked };
    lines.push(formatLogLine(now, inputs));
    const entries = new Map([['a.b', { host: 'a.b', check, policy: '' }]]);
    const lists = [{ path: '/l', kind: 'version' as const, mtime: 1, entries, remarks: [] }];
    const decision = decide(state, logged, { now, counted: now, lists, resolved, checked, graceless: false });
    state.adopt(decision.changes);
    for (const move of decision.addressMoves) lines.push(formatLogLine(now, { kind: 'address', time: now, ...move }));
    for (const { host, from, to, reason, since } of decision.hostMoves) {
      lines.push(formatLogLine(now, { kind: 'host', time: now, host, from, to, reason, since }));
    }
  }
  return lines;
}

function compared(
  lines: readonly string[],
  schedule: 'original' | 'prompt',
  other: (settings: DecideSettings) => DecideSettings = (same) => same,
) {
  const comparison = new ReplayComparison(schedule, other);
  for (const line of lines) comparison.read(line);
  return { ...comparison.end(), unreadable: comparison.unreadable };
}

const story = `${'.'.repeat(5)}${'x'.repeat(30)}${'.'.repeat(60)}`;

describe('a replay', () => {
  it('with the same settings comes to what was recorded', () => {
    const [host] = compared(log(story), 'original').hosts ?? [];
    // Blocked ten hours after the first failure, direct 41 hours after it was blocked.
    assert.deepEqual(host, {
      host: 'a.b',
      recorded: { around: 41 * hour, flips: 2 },
      other: { around: 41 * hour, flips: 2 },
    });
  });

  it('with a shorter wait goes around sooner, and the record stays what it was', () => {
    const timers = { ...contractTimers, hostNaState: 2 * hour, hostOkState: 30 * hour };
    const [host] = compared(log(story), 'original', (settings) => ({ ...settings, timers })).hosts ?? [];
    assert.deepEqual(host?.recorded, { around: 41 * hour, flips: 2 });
    assert.deepEqual(host?.other, { around: 30 * hour, flips: 2 });
  });

  it('with another default policy never goes around', () => {
    const [host] =
      compared(log(story), 'original', (same) => ({ ...same, defaultPolicy: policy('noroute') })).hosts ?? [];
    assert.deepEqual(host?.other, { around: 0, flips: 0 });
  });

  it('by the prompt schedule confirms by the recorded checks alone', () => {
    const [host] = compared(log(story), 'prompt').hosts ?? [];
    // Two failures before rounds count, three that confirm; then five answers in a row.
    assert.deepEqual(host?.other, { around: 30 * hour, flips: 2 });
  });

  it('goes on across a whole state in the middle of the log, which a restart writes', () => {
    const lines = log(story);
    const again = formatLogLine(start + 20 * hour, { kind: 'settings', version: 1, ...logged });
    const record = { name: 'a.b', order: 1, check, policy: '', state: 'na', reason: 'timeout' } as const;
    const times = { checked: 1, changed: 1, failingSince: 1, changedCounted: 1, failingCounted: 1 };
    const seed = formatLogLine(start + 20 * hour, { kind: 'state', record: { ...record, ...times }, addresses: [] });
    const middle = lines.findIndex((line) => line.startsWith('1970-01-02T20:00'));
    const timers = { ...contractTimers, hostNaState: 1000 * hour };
    const cut = [...lines.slice(0, middle), again, seed, ...lines.slice(middle)];
    const [host] = compared(cut, 'original', (settings) => ({ ...settings, timers })).hosts ?? [];
    assert.deepEqual(host?.other, { around: 0, flips: 0 });
  });

  it('leaves out lines that cannot be read, and tells which', () => {
    const lines = log('...');
    assert.deepEqual(compared([lines[0] ?? '', 'cut of', ...lines.slice(1)], 'original').unreadable, [2]);
  });

  it('of a file without settings is none', () => {
    assert.equal(compared(['a', 'b'], 'original').hosts, undefined);
  });
});

describe('a tally', () => {
  it('counts changes after the first known route, and the time until now', () => {
    const tally = new RouteTally();
    tally.look('a', 10, true);
    tally.look('b', 10, false);
    tally.look('a', 20, true);
    tally.look('a', 30, false);
    tally.look('b', 40, true);
    assert.deepEqual(
      [...tally.at(50)],
      [
        ['a', { around: 20, flips: 1 }],
        ['b', { around: 10, flips: 1 }],
      ],
    );
  });
});
