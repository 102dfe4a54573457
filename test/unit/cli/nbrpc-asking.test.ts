/** How the answers about a service read: explain, history, plan and replay. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { explainText } from '../../../src/cli/nbrpc-explain-view.ts';
import { hostHistory } from '../../../src/cli/nbrpc-history.ts';
import { historyText, percent } from '../../../src/cli/nbrpc-history-view.ts';
import { planText } from '../../../src/cli/nbrpc-plan-view.ts';
import { replayText } from '../../../src/cli/nbrpc-replay-view.ts';
import type { EventCode, NetstewardEvent } from '../../../src/core/events.ts';
import type { HostExplanation } from '../../../src/nbrpc/explain.ts';
import type { AddressExplanation, RouteVerdict } from '../../../src/nbrpc/explain-address.ts';

import { parsePolicy } from '../../../src/nbrpc/policy-spec.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import { formatLogLine } from '../../../src/nbrpc/state-log-format.ts';
import { mainJs } from '../../checkout.ts';

process.env.TZ = 'UTC';

const now = 1_000_000_000;
const minute = 60_000;
const hour = 60 * minute;

const asked = (verdict: RouteVerdict['verdict'], reason = '', ago = 20_000): RouteVerdict => {
  return { verdict, reason, asked: now - ago };
};

const blocked: AddressExplanation = {
  address: '192.0.2.1',
  inDns: true,
  seen: now - 3 * minute,
  changed: now - 2 * hour,
  verdict: 'blocked',
  direct: asked('fails', 'TLS: reset on the ClientHello'),
  exits: [
    { ...asked('fails', 'timeout', 30_000), name: 'fast', results: [false, true, false, false] },
    { ...asked('works'), name: 'slow', results: [true, true] },
  ],
  confirming: null,
  recovering: null,
  next: { direct: now + 4 * minute, exits: { at: now + 2 * minute, names: ['slow'] } },
  route: { way: 'around', exit: 'slow', by: 'example.org', set: 'blocked4-slow' },
};

const recovering: AddressExplanation = {
  ...blocked,
  address: '192.0.2.2',
  inDns: false,
  seen: now - 5 * hour,
  direct: asked('works'),
  exits: [],
  recovering: { for: 12 * minute, needed: 30 * minute, answers: 3, answersNeeded: 5, doubts: 1, doubtsAllowed: 3 },
  next: { direct: now - 5, exits: null },
};

const told: HostExplanation = {
  now,
  running: true,
  schedule: 'prompt',
  host: 'example.org',
  lists: [
    { file: '/etc/a.list', line: 3, token: 'example.org' },
    { file: '/etc/b.list', line: 1, token: 'example.org>af-all' },
  ],
  check: { type: 'https', path: '/', result: '' },
  policy: { text: 'af-all', byDefault: false, meaning: 'one blocked address sends the whole service around' },
  state: 'na',
  since: now - 2 * hour,
  failingSince: now - 2 * hour - 4 * minute,
  reason: 'tls reset at 192.0.2.1 of 2 addresses',
  dns: { resolved: now - 3 * minute, next: now + 4 * minute, problem: '' },
  addresses: [blocked, recovering],
  rule: 'one blocked address sends the whole service around: 2 of 2 addresses blocked',
  grace: null,
  exit: { name: 'slow', why: 'through fast: timeout; it is kept as long as it works' },
  exits: [
    { name: 'fast', works: false, reason: 'control.example: timeout', latency: null, taken: false },
    { name: 'slow', works: true, reason: '', latency: 34.4, taken: true },
  ],
  conflicts: ['192.0.2.2 is shared: this host (exit slow) decides against b.org (direct), by its priority'],
  sets: { family: 'inet', table: 't', names: ['blocked4-fast', 'blocked4-slow'] },
};

const kernel = new Map([
  ['blocked4-fast', new Set(['192.0.2.2'])],
  ['blocked4-slow', new Set(['192.0.2.1'])],
]);

describe('an explanation', () => {
  it('reads from the list to the kernel', () => {
    assert.equal(
      explainText(told, kernel),
      `example.org goes through exit slow
  list    /etc/a.list:3: example.org (a later list wins)
  list    /etc/b.list:1: example.org>af-all
  policy  af-all: one blocked address sends the whole service around
  state   na: counts as blocked on the direct route, for 2h, failing for 2h 4m: tls reset at 192.0.2.1 of 2 addresses
  names   1 address, 1 of earlier answers; resolved 3m ago, again in 4m
  192.0.2.1 blocked for 2h
    direct: fails: TLS: reset on the ClientHello, asked 20s ago, next in 4m
    exit fast: fails: timeout, asked 30s ago, worked 1 of the last 4 times
    exit slow: works, asked 20s ago, next in 2m
    goes through exit slow: the kernel has it in inet t blocked4-slow
  192.0.2.2 blocked for 2h, last in DNS 5h ago
    direct: works, asked 20s ago, next now
    answers again: 12m of 30m, 3 of 5 times, 1 of 3 failures allowed; direct again in 18m at the earliest
    goes through exit slow: the kernel lacks it in inet t blocked4-slow
    the kernel has it in blocked4-fast too, where it is not wanted
  rule    one blocked address sends the whole service around: 2 of 2 addresses blocked
  exit    slow: through fast: timeout; it is kept as long as it works
  exits   fast is down: control.example: timeout
          slow works, 34 ms (taken)
  shared  192.0.2.2 is shared: this host (exit slow) decides against b.org (direct), by its priority
`,
    );
  });

  it('of a state file says so, and that the kernel could not be read', () => {
    const text = explainText(
      { ...told, addresses: [blocked], conflicts: [], exits: [] },
      { trouble: 'not root' },
      '/s.db',
    );
    assert.match(text, /^no netsteward runs: this is what \/s\.db says, and nothing is asked of anybody\n/);
    assert.match(text, /goes through exit slow: set inet t blocked4-slow$/m);
    assert.match(text, /kernel +its sets were not looked at: not root$/m);
  });

  it('counts what confirms a block, and says when a grace period ends', () => {
    const confirming = { tries: 2, triesNeeded: 2, rounds: [true, false], needed: 3, of: 4, downEverywhere: false };
    const lines = (over: Partial<typeof confirming>) =>
      explainText({ ...told, addresses: [{ ...blocked, confirming: { ...confirming, ...over } }] }, kernel);
    assert.match(lines({}), /confirming: 1 of the last 2 rounds say blocked; 3 of 4 decide$/m);
    assert.match(lines({ tries: 1 }), /confirming: 1 of 2 failures in a row before rounds count$/m);
    assert.match(lines({ downEverywhere: true }), /fails on both routes: down for everybody/);
    const grace = { becomes: 'blocked', left: 3 * hour, of: 10 * hour } as const;
    assert.match(explainText({ ...told, grace }, kernel), /timer +it counts as blocked in 3h \(of 10h, /);
    assert.match(explainText({ ...told, grace: { ...grace, left: 0 } }, kernel), /blocked with the next look/);
  });

  it('of a service whose addresses go different ways names them all', () => {
    const direct = { ...recovering, route: { way: 'direct', exit: null, by: 'b.org', set: null } } as const;
    const text = explainText({ ...told, addresses: [blocked, direct] }, kernel);
    assert.match(text, /^example\.org in part goes direct, in part goes through exit slow$/m);
    assert.match(text, /goes direct \(b\.org decides\): in no set$/m);
  });
});

const event = (at: number, code: EventCode, fields: NetstewardEvent['fields'] = {}): NetstewardEvent => {
  const own = code.startsWith('netsteward');
  return { at, module: own ? 'netsteward' : 'nbrpc', code, subject: own ? '' : 'a.b', fields };
};

describe('a history', () => {
  const events = [
    event(0, 'service-works', { from: 'unknown' }),
    event(10 * hour, 'service-blocked', { reason: 'tls reset' }),
    event(10 * hour, 'service-rerouted', { exit: 'fast', reason: 'tls reset' }),
    event(11 * hour, 'service-rerouted', { exit: 'slow', from: 'tunnel', reason: 'exit fast does not work' }),
    event(12 * hour, 'service-dropped', { reason: 'no exit works for it' }),
    event(14 * hour, 'netsteward-stopping'),
    event(15 * hour, 'netsteward-started'),
    event(18 * hour, 'service-works', { from: 'na' }),
    event(18 * hour, 'service-direct', { reason: 'works again' }),
  ];

  it('has the exit that was taken, what was dropped, and shares that are the whole period', () => {
    const found = hostHistory('a.b', events, { since: 8 * hour, until: 28 * hour });
    assert.equal(
      historyText(found),
      `a.b, the last 20h
since                until                state    exit  reason
1970-01-01 08:00:00  1970-01-01 10:00:00  direct
1970-01-01 10:00:00  1970-01-01 11:00:00  tunnel   fast  tls reset
1970-01-01 11:00:00  1970-01-01 12:00:00  tunnel   slow  exit fast does not work
1970-01-01 12:00:00  1970-01-01 14:00:00  dropped        no exit works for it
1970-01-01 14:00:00  1970-01-01 15:00:00  unknown        netsteward was off
1970-01-01 15:00:00  1970-01-01 18:00:00  dropped        no exit works for it
1970-01-01 18:00:00  now                  direct         works again
in all: direct 60 % (12h), dropped 25 % (5h), tunnel 10 % (2h), unknown 5 % (1h); 4 changes of route
`,
    );
    assert.ok(Math.abs(found.totals.reduce((sum, { part }) => sum + part, 0) - 1) < 1e-9);
  });

  it('of other services and other times says nothing', () => {
    const found = hostHistory('c.d', events, { since: 8 * hour, until: 9 * hour });
    assert.deepEqual(found.totals, [{ state: 'unknown', ms: hour, part: 1 }]);
    assert.match(
      historyText(found, '/h.db'),
      /^no netsteward runs: this is what \/h\.db says\n.*\n.*\n.*before the first event/,
    );
  });

  it('never rounds a little to nothing, nor nearly all to all', () => {
    assert.deepEqual([0, 0.0001, 0.5, 0.99999, 1].map(percent), ['0 %', 'under 0.1 %', '50 %', 'over 99.9 %', '100 %']);
  });
});

describe('a plan', () => {
  it('has a line for each flip, and names what joins and leaves the lists', () => {
    const addresses = ['1', '2', '3', '4', '5', '6'].map((last) => `192.0.2.${last}`);
    const flip = { host: 'example.org', from: 'tunnel', to: 'direct', addresses, why: 'its policy: af-all → pick' };
    const lists = { added: ['z.org', 'new.org'], changed: [], removed: ['old.org'] };
    assert.equal(
      planText({ flips: [flip], ...lists, services: 7 }, ['no netsteward runs']),
      `no netsteward runs
service      now     then    addresses                                              why
example.org  tunnel  direct  192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 and 2 more  its policy: af-all → pick
1 of 7 services would change its route
new, and direct until the first checks are done: 2 (new.org, z.org)
in no list any more: 1 (old.org)
`,
    );
  });
});

describe('a replay', () => {
  it('has both pasts side by side, and what differs', () => {
    const hosts = [
      { host: 'a.b', recorded: { around: 7200, flips: 2 }, other: { around: 10_800, flips: 4 } },
      { host: 'c.d', recorded: { around: 3600, flips: 1 }, other: { around: 0, flips: 0 } },
      { host: 'e.f', recorded: { around: 0, flips: 0 }, other: { around: 0, flips: 0 } },
    ];
    assert.equal(
      replayText({ since: 0, until: 86_400, hosts }, 'original', ['A remark.']),
      `1970-01-01 00:00:00 to 1970-01-02 00:00:00 (1d), 3 services
service  around  flips  with original  flips  difference
a.b      2h      2      3h             4      +1h, +2 flips
c.d      1h      1      never          0      -1h, -1 flip
in all   3h      3      3h             4      the same time, +1 flip
1 other went direct all the time, either way
A remark.
`,
    );
  });

  it('says where no service went around', () => {
    assert.match(
      replayText({ since: 0, until: 60, hosts: [] }, 'prompt', []),
      /^no service went around, nor would have$/m,
    );
  });
});

describe('netsteward nbrpc replay', () => {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-replay-'));
  after(() => rmSync(folder, { recursive: true }));

  const replay = (log: string, ...args: string[]) => {
    const all = [mainJs, 'nbrpc', 'replay', '--log', log, ...args];
    return spawnSync(process.execPath, all, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
  };

  /** One service that fails from the second hour on, checked each hour for a day. */
  function writtenLog(): string {
    const path = join(folder, 'state.log');
    const check = { type: 'https', path: '/', result: '' };
    const policy = parsePolicy('af-all');
    assert.ok(policy.ok);
    const settings = { timers: contractTimers, limits: contractLimits, defaultPolicy: policy.policy };
    // Not at the epoch: 0 stands for never.
    const start = 86_400;
    const lines = [formatLogLine(start, { kind: 'settings', version: 1, ...settings })];
    for (let hours = 0; hours < 24; hours++) {
      const at = start + hours * 3600;
      const result = hours < 2 ? ({ kind: 'ok' } as const) : ({ kind: 'fail', reason: 'timeout' } as const);
      const inputs = {
        listed: hours === 0 ? [{ host: 'a.b', check, policy: '' }] : [],
        removed: [],
        resolved: [{ host: 'a.b', addresses: ['192.0.2.1'] }],
        checked: [{ host: 'a.b', address: '192.0.2.1', check, result }],
      };
      lines.push(formatLogLine(at, { kind: 'inputs', now: at, counted: at, ...inputs }));
    }
    writeFileSync(path, lines.join(''));
    return path;
  }

  it('shows what other settings would have done, and what the log cannot tell', () => {
    const log = writtenLog();
    const { status, stdout, stderr } = replay(
      log,
      '--set',
      'nbrpc.timers.host_na_state="5h"',
      '--set',
      'nbrpc.timers.pass="1m"',
    );
    assert.deepEqual([status, stderr], [0, '']);
    // Failing from 02:00, so blocked from 07:00 until the end at 23:00.
    assert.match(stdout, /^a\.b +never +0 +16h +1 +\+16h, \+1 flip$/m);
    assert.match(stdout, /^Without effect on a recorded past: timers\.pass\.$/m);
    const prompt = JSON.parse(replay(log, '--schedule', 'prompt', '--json').stdout) as {
      remarks: string[];
      hosts: unknown;
    };
    assert.match(prompt.remarks.join(' '), /no results through exits/);
    assert.deepEqual(prompt.hosts, [
      { host: 'a.b', recorded: { around: 0, flips: 0 }, other: { around: 17 * 3600, flips: 1 } },
    ]);
  });

  it('refuses keys of others, values that are none, and files that are no state log', () => {
    const log = writtenLog();
    const refused = (code: number, pattern: RegExp, ...args: string[]): void => {
      const { status, stderr } = replay(...(args as [string]));
      assert.match(stderr, pattern);
      assert.equal(status, code);
    };
    refused(78, /only keys of \[nbrpc\] can be replayed/, log, '--set', 'log.level="debug"');
    refused(78, /--set nbrpc\.timers\.host_na_state: /, log, '--set', 'nbrpc.timers.host_na_state=5');
    writeFileSync(join(folder, 'other'), 'not a log\n');
    refused(64, /is no state log/, join(folder, 'other'));
    refused(64, /cannot be read/, join(folder, 'missing'));
  });
});

describe('netsteward nbrpc', () => {
  it('tells a slip in a subcommand from an argument too many', () => {
    const { status, stderr } = spawnSync(process.execPath, [mainJs, 'nbrpc', 'explian', 'a.b'], { encoding: 'utf8' });
    assert.equal(status, 64);
    assert.match(stderr, /nbrpc has no subcommand "explian"[\s\S]*There are explain, history, plan, replay;/);
  });
});
