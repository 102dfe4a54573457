/** What `netsteward watch` shows fits its screen, whatever there is to show. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cut, watchFrame } from '../../../src/cli/watch-view.ts';
import type { NetstewardEvent } from '../../../src/core/events.ts';
import type { ActiveWarning } from '../../../src/core/warnings.ts';
import type { ModuleStatus } from '../../../src/supervisor/module-runner.ts';
import type { StatusReport } from '../../../src/supervisor/status-report.ts';

const now = Date.UTC(2026, 5, 1);

const warning = (text: string): ActiveWarning => ({
  code: 'names-unresolved',
  subject: text,
  severity: 'warning',
  text,
  remedy: 'r',
  since: now,
});

const module = (name: ModuleStatus['name']): ModuleStatus => ({
  name,
  state: 'running',
  since: now,
  restarts: 0,
  lastError: undefined,
  health: { ready: true, summary: `${name} is well`, warnings: [], detail: undefined },
});

const report = (changes: Partial<StatusReport> = {}): StatusReport => ({
  version: '1',
  pid: 1,
  config: 'n.toml',
  state: 'running',
  ready: true,
  startedAt: now,
  now,
  modules: [module('nbrpc'), module('dyndns')],
  warnings: [],
  lastReload: undefined,
  ...changes,
});

const event = (subject: string): NetstewardEvent => ({
  at: now,
  module: 'nbrpc',
  code: 'service-works',
  subject,
  fields: { from: 'failing' },
});

const screen = { columns: 80, rows: 24 };

test('in 80 by 24 there is the status, and the newest events at the bottom', () => {
  const events = Array.from({ length: 20 }, (_, index) => event(`s${index}`));
  const lines = watchFrame(report(), undefined, events, screen);
  assert.match(lines[0] ?? '', /^netsteward 1, ready/);
  assert.ok(lines.includes('  dyndns is well'));
  assert.match(lines.at(-1) ?? '', /s19 works directly/);
  assert.equal(lines.filter((line) => line.includes('works directly')).length, 6);
});

test('warnings come before the modules, some of them, and the rest is counted', () => {
  const warnings = Array.from({ length: 8 }, (_, index) => warning(`trouble ${index} \x1b[2J`));
  const lines = watchFrame(report({ warnings }), undefined, [], screen);
  assert.equal(lines[1], 'warning: trouble 0 \\x1b[2J');
  assert.equal(lines[6], '… 3 more warnings: netsteward status');
  assert.ok(lines.includes('nbrpc: running for 0ms'));
});

test('while netsteward does not answer, the reason stands there', () => {
  assert.deepEqual(watchFrame(undefined, 'no netsteward listens on x', [], screen)[0], 'no netsteward listens on x');
});

test('on a low screen events give way to the status, and what does not fit is said', () => {
  const lines = watchFrame(report(), undefined, [event('a')], { columns: 80, rows: 4 });
  assert.equal(lines.length, 4);
  assert.match(lines[3] ?? '', /^… \d+ more lines: netsteward status$/);
});

test('no line is wider than the screen, and no frame higher, whatever is in it', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 200 });
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 30 }),
      fc.array(text, { maxLength: 30 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 40 }),
      (troubles, subjects, columns, rows) => {
        const warnings = troubles.map(warning);
        const lines = watchFrame(report({ warnings }), troubles[0], subjects.map(event), { columns, rows });
        assert.ok(lines.length <= rows);
        for (const line of lines) {
          assert.ok(!/\p{Cc}/u.test(line));
          assert.ok((line.match(/\P{M}/gu) ?? []).length <= columns, line);
        }
      },
    ),
  );
});

test('a line that fits stays whole, and wide characters count twice', () => {
  assert.equal(cut('abc', 3), 'abc');
  assert.equal(cut('abcd', 3), 'ab…');
  assert.equal(cut('日本', 4), '日本');
  assert.equal(cut('日本語', 4), '日…');
  assert.equal(cut('e\u0301e\u0301', 2), 'e\u0301e\u0301');
});
