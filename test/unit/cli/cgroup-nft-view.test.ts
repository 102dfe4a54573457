/** How `netsteward status` shows cgroup-nft, line by line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CgroupNftDetail, UnitEntry } from '../../../src/cgroup-nft/index.ts';
import { renderCgroupNft } from '../../../src/cli/cgroup-nft-view.ts';
import { renderDetail } from '../../../src/cli/module-views.ts';
import { renderStatus } from '../../../src/cli/status-view.ts';

const now = Date.UTC(2026, 0, 2);

const entry = (path: string, changes: Partial<UnitEntry> = {}): UnitEntry => ({
  path,
  id: '4711',
  groups: [],
  rules: [],
  lacking: [],
  since: now - 180_000,
  margin: null,
  counters: [],
  ...changes,
});

const detail = (entries: readonly UnitEntry[], changes: Partial<CgroupNftDetail> = {}): CgroupNftDetail => ({
  entries,
  more: 0,
  waiting: [],
  table: null,
  tableName: 'netsteward-units',
  watches: 3,
  journal: 'read',
  ...changes,
});

test('each unit has its cgroup, id, age and margin, and a line for each group and rule with what was counted', () => {
  const postfix = entry('system.slice/postfix.service', {
    groups: ['mail'],
    rules: ['/etc/nftables.conf:15', '/etc/nftables.conf:16', '/etc/nftables.conf:17'],
    lacking: ['/etc/nftables.conf:17'],
    margin: 1.234,
    counters: [
      { of: 'group mail', packets: 15, bytes: 900 },
      { of: '/etc/nftables.conf:16', packets: 1, bytes: 1 },
    ],
  });
  assert.deepEqual(renderCgroupNft(detail([postfix]), now), [
    'watches cgroups and journal, 3 directories',
    'postfix.service: system.slice/postfix.service (id 4711), applied for 3m, 1.2 ms before its process began',
    '  group mail: 15 packets, 900 bytes',
    '  /etc/nftables.conf:15',
    '  /etc/nftables.conf:16: 1 packet, 1 byte',
    '  /etc/nftables.conf:17: NOT in force',
  ]);
});

test('a rule that came late, one that waits for the kernel, and a name that systemd escapes are shown as what they are', () => {
  const entries = [
    entry('system.slice/_memory.service', { margin: -12.3, groups: ['g'] }),
    entry('a/b.scope', { since: null, rules: ['f:1'] }),
    entry('c.slice', { since: now + 5000 }),
  ];
  assert.deepEqual(renderCgroupNft(detail(entries), now).slice(1), [
    'memory.service: system.slice/_memory.service (id 4711), applied for 3m, 12.3 ms AFTER its process had begun',
    '  group g',
    'b.scope: a/b.scope (id 4711), not applied yet',
    '  f:1',
    'c.slice: c.slice (id 4711), applied for 0ms',
  ]);
});

test('the own table is named with what keeps others from it, and the sources with what they lack', () => {
  const first = (changes: Partial<CgroupNftDetail>): string | undefined => renderCgroupNft(detail([], changes), now)[0];
  assert.equal(
    first({ table: 'owner-persist', journal: 'unused', watches: 1 }),
    'own table inet netsteward-units (flags owner, persist); watches cgroups, 1 directory',
  );
  assert.equal(
    first({ table: 'owner', journal: 'lost' }),
    'own table inet netsteward-units (flag owner); watches cgroups (the journal cannot be read), 3 directories',
  );
  assert.equal(
    first({ table: 'plain', tableName: 'units' }),
    'own table inet units (without owner); watches cgroups and journal, 3 directories',
  );
});

test('what is not shown is counted; what waits for its cgroup is told, and comments that look like rules', () => {
  const changes = { more: 7, waiting: ['a.service (/f:1)'], remarks: ['/f:2:1: ignored'] };
  assert.deepEqual(renderCgroupNft(detail([], changes), now).slice(1), [
    '… and 7 more',
    'waits for its cgroup:',
    '  a.service (/f:1)',
    'comments that look like rules:',
    '  /f:2:1: ignored',
  ]);
});

test('the status shows it below the summary, and a hostile name of a cgroup steers no terminal', () => {
  const evil = entry('a/\x1b[2J\n\u202efake', { rules: ['f\x9b:1'] });
  const health = { ready: true, summary: '1 of 1 cgroup in the ruleset', warnings: [], detail: detail([evil]) };
  const text = renderStatus({
    version: '1',
    pid: 1,
    config: 'c',
    state: 'running',
    ready: true,
    startedAt: now,
    now,
    modules: [{ name: 'cgroup-nft', state: 'running', since: now, restarts: 0, lastError: undefined, health }],
    warnings: [],
    lastReload: undefined,
  });
  assert.match(
    text,
    /^cgroup-nft: running for 0ms\n {2}1 of 1 cgroup in the ruleset\n {2}watches cgroups and journal/m,
  );
  assert.doesNotMatch(text, /[^\P{Cc}\n]|\u202e/u);
  assert.match(text, /a\/\\x1b\[2J\\n\\u202efake/);
});

test('a picture of another shape, as an older netsteward gives it, is passed over', () => {
  for (const odd of [undefined, null, {}, { entries: 1 }, { ...detail([]), entries: [{}] }]) {
    assert.deepEqual(renderDetail('cgroup-nft', odd, now), []);
  }
});
