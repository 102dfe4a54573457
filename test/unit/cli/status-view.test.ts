/** `netsteward status` for people. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderStatus } from '../../../src/cli/status-view.ts';
import type { StatusReport } from '../../../src/supervisor/status-report.ts';

const now = Date.UTC(2026, 0, 2);
const hour = 3_600_000;

const report = (changes: Partial<StatusReport> = {}): StatusReport => ({
  version: '1.2.3',
  pid: 42,
  config: 'n.toml',
  state: 'running',
  ready: true,
  startedAt: now - 3 * hour,
  now,
  modules: [],
  warnings: [],
  lastReload: undefined,
  ...changes,
});

test('it says what runs, for how long, and what is wrong with its remedy', () => {
  const text = renderStatus(
    report({
      modules: [
        {
          name: 'dyndns',
          state: 'running',
          since: now - 2 * hour,
          restarts: 1,
          lastError: 'crashed once',
          health: { ready: true, summary: '3 names', warnings: [], detail: undefined },
        },
      ],
      warnings: [
        {
          code: 'junk-answer',
          subject: 'a',
          severity: 'warning',
          text: 'junk came',
          remedy: 'Look.',
          since: now - 60_000,
        },
      ],
    }),
  );
  assert.equal(
    text,
    `netsteward 1.2.3, ready, running for 3h (pid 42, n.toml)

dyndns: running for 2h, started again 1 time
  3 names

Warnings:
  warning: junk came (for 1m)
    → Look.
`,
  );
});

test('a module that waits for its next start shows its last error', () => {
  const waiting = { name: 'dyndns', state: 'waiting', since: now - 1000, restarts: 2, health: undefined } as const;
  const text = renderStatus(report({ ready: false, modules: [{ ...waiting, lastError: 'no socket' }] }));
  assert.match(text, /^netsteward 1\.2\.3, running, /);
  assert.match(text, /dyndns: waiting for 1s, started again 2 times\n {2}last error: no socket\n/);
});

test('a rejected reload is shown with its problems, a good one is not', () => {
  const problems = ['n.toml:1:1: a', 'n.toml:2:1: b'];
  const rejected = renderStatus(report({ lastReload: { at: now - 5000, ok: false, problems } }));
  assert.match(rejected, /The reload 5s ago was rejected:\n {2}n\.toml:1:1: a\n {2}n\.toml:2:1: b\n/);
  assert.doesNotMatch(renderStatus(report({ lastReload: { at: now, ok: true, problems: [] } })), /reload/);
});

test('nothing that others wrote steers the terminal', () => {
  const evil = '\x1b[2J\nfake: ok';
  const warning = { code: 'junk-answer', subject: evil, severity: 'warning', since: now } as const;
  const text = renderStatus(
    report({
      config: evil,
      modules: [
        {
          name: 'dyndns',
          state: 'waiting',
          since: now,
          restarts: 0,
          lastError: evil,
          health: { ready: true, summary: evil, warnings: [], detail: undefined },
        },
      ],
      warnings: [{ ...warning, text: evil, remedy: evil }],
      lastReload: { at: now, ok: false, problems: [evil] },
    }),
  );
  assert.ok(!text.includes('\x1b'));
  assert.doesNotMatch(text, /^fake/m);
});
