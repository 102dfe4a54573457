/** What facts about the machine mean: the versions and failures that no single test machine has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostFacts, HostNeeds } from '../../../src/core/host-facts.ts';
import type { Finding } from '../../../src/core/module.ts';
import { judgeHost } from '../../../src/supervisor/host-judgement.ts';
import { atLeast } from '../../../src/supervisor/version-order.ts';

const rule = { priority: 100, mark: 1, mask: 1, not: false, table: '100' };
const route = { table: '100', destination: 'default', type: 'unicast', device: 'wg0', flags: [] };
const routing = { ok: true, value: { rules: [rule], routes: [route] } } as const;
const fit: HostFacts = {
  nftVersion: { ok: true, value: '1.1.3' },
  ruleset: { ok: true, value: { tables: [], sets: [] } },
  kernel: {
    release: '6.12.4-1-amd64',
    options: new Map([
      ['CONFIG_NF_TABLES', 'm'],
      ['CONFIG_NF_TABLES_INET', 'y'],
      ['CONFIG_NFT_SOCKET', 'm'],
    ]),
    cgroup2: '/sys/fs/cgroup',
  },
  routing4: routing,
  routing6: routing,
  reversePath: { ok: true, value: { filters: new Map([['all', 2]]), looksAtMark: false } },
  localPorts: { ok: true, value: { first: 32_768, last: 60_999 } },
};
const table = {
  family: 'inet',
  name: 'around',
  onStop: 'keep',
  marks: { mark: 1, mask: 1 },
  exemptPorts: { first: 61_000, last: 64_999 },
} as const;
const uses: HostNeeds['uses'] = new Set(['nft', 'cgroups']);
const own: HostNeeds = { uses, sets: [], ownTables: [table] };
const failed = (kind: 'missing-command' | 'permission' | 'failed', message: string) =>
  ({ ok: false, failure: { kind, message } }) as const;

const judge = (facts: Partial<HostFacts>, needs: HostNeeds = own): readonly Finding[] =>
  judgeHost({ ...fit, ...facts }, needs);
const worse = (findings: readonly Finding[]): string[] =>
  findings.filter(({ severity }) => severity !== 'ok').map(({ severity, text }) => `${severity}: ${text}`);
const kernel = (release: string): Pick<HostFacts, 'kernel'> => ({ kernel: { ...fit.kernel, release } });
const nft = (value: string): Pick<HostFacts, 'nftVersion'> => ({ nftVersion: { ok: true, value } });

test('a Debian 13 machine that is set up is fit, and every warning and error has a remedy', () => {
  assert.deepEqual(worse(judge({})), []);
  const all = [
    ...judge({ nftVersion: failed('missing-command', 'x') }),
    ...judge({ ...kernel('4.19'), localPorts: { ok: true, value: { first: 1, last: 65_535 } } }),
    ...judge({ routing4: failed('failed', 'x'), reversePath: failed('failed', 'y') }),
  ];
  assert.ok(worse(all).length > 5);
  for (const { severity, text, remedy } of all) assert.equal(remedy === undefined, severity === 'ok', text);
});

test('version numbers are compared number by number', () => {
  for (const [have, want, expected] of [
    ['6.9', '6.9', true],
    ['6.10.1-rc2', '6.9', true],
    ['6.8.99', '6.9', false],
    ['1.0.10', '1.0.9', true],
    ['1.0', '1.0.9', false],
    ['nonsense', '1', false],
  ] as const) {
    assert.equal(atLeast(have, want), expected, `${have} ${want}`);
  }
});

test('what keep means follows from kernel and nft, whichever is older', () => {
  const kept = (facts: Partial<HostFacts>): string => {
    const found = judge(facts).filter(({ text }) => text.startsWith('on_stop'));
    assert.equal(found.length, 1);
    return `${found[0]?.severity}: ${found[0]?.text}`;
  };
  assert.match(kept({}), /^ok: .*flags owner, persist: it stays/);
  for (const older of [kernel('6.8'), nft('1.0.8')]) {
    assert.match(kept(older), /^warning: on_stop = "keep" cannot hold here: .*flag owner alone/);
  }
  for (const older of [kernel('5.11.22'), nft('0.9.8')]) assert.match(kept(older), /^ok: .*has no owner: it stays/);
  assert.deepEqual(
    judge({ nftVersion: failed('missing-command', 'x') }).filter(({ text }) => text.startsWith('on_stop')),
    [],
  );
});

test('an old kernel or nft, or a kernel built without nftables, is named', () => {
  assert.match(worse(judge(kernel('5.10.0'))).join(), /warning: tables with an owner are not known here/);
  const without = (name: string): Partial<HostFacts> => {
    const options = new Map(fit.kernel.options);
    options.delete(name);
    return { kernel: { ...fit.kernel, options } };
  };
  assert.deepEqual(worse(judge(without('CONFIG_NF_TABLES'))), [
    'error: kernel 6.12.4-1-amd64 is built without nf_tables',
  ]);
  assert.deepEqual(worse(judge(without('CONFIG_NF_TABLES_INET'))), ['error: kernel 6.12.4-1-amd64 has no inet tables']);
  assert.match(worse(judge(without('CONFIG_NFT_SOCKET'))).join(), /^warning: rules with `socket cgroupv2`/);
});

test('what could not be read is a finding, and what follows from it is left out', () => {
  assert.deepEqual(worse(judge({ ruleset: failed('permission', 'x') })), ['error: no permission to read the ruleset']);
  assert.deepEqual(worse(judge({ ruleset: failed('failed', 'no such thing') })), [
    'error: the ruleset cannot be read: no such thing',
  ]);
  assert.deepEqual(worse(judge({ nftVersion: failed('failed', 'exec format') })), [
    'error: nft does not run: exec format',
  ]);
  assert.deepEqual(worse(judge({ routing6: failed('missing-command', 'ip is not installed') })), [
    'warning: IPv6: the routing rules cannot be read: ip is not installed',
  ]);
  assert.deepEqual(worse(judge({ localPorts: failed('failed', 'a'), reversePath: failed('failed', 'b') })), [
    'warning: net.ipv4.ip_local_port_range cannot be read: a',
    'warning: IPv4: the reverse path filter cannot be read: b',
  ]);
});

test('the larger filter of all and the interface counts; lo and loose ones do not', () => {
  const filters = (values: Record<string, number>): string[] =>
    worse(
      judge({ reversePath: { ok: true, value: { filters: new Map(Object.entries(values)), looksAtMark: false } } }),
    );
  assert.deepEqual(filters({ all: 2, default: 1, wg0: 1, lo: 1 }), []);
  assert.deepEqual(filters({ all: 0, default: 0, wg0: 2, lo: 1 }), []);
  assert.match(
    filters({ all: 1, default: 0, wg0: 2, eth0: 0 }).join(),
    /strict on interfaces that come later, eth0: it drops/,
  );
  assert.match(filters({ all: 0, default: 0, eth0: 1, wg0: 1 }).join(), /strict on eth0, wg0:/);
});

test('ports are compared with both ends included, and only where own traffic is marked', () => {
  const ports = (first: number, last: number): boolean =>
    worse(judge({ localPorts: { ok: true, value: { first, last } } })).some((text) => /overlap/.test(text));
  assert.equal(ports(1024, 60_999), false);
  assert.equal(ports(1024, 61_000), true);
  assert.equal(ports(64_999, 65_535), true);
  assert.equal(ports(65_000, 65_535), false);
  const unmarked: HostNeeds = { uses, sets: [], ownTables: [{ ...table, exemptPorts: undefined }] };
  assert.deepEqual(worse(judge({ localPorts: { ok: true, value: { first: 1, last: 65_535 } } }, unmarked)), []);
});

test('the rule with the lowest priority that meets the mark decides, also a negated one', () => {
  const rules = (all: readonly (typeof rule)[]): string[] =>
    worse(judge({ routing4: { ok: true, value: { rules: all, routes: [route] } } }));
  assert.deepEqual(rules([{ ...rule, mark: 2, mask: 2, table: '7' }, rule]), []);
  assert.match(rules([{ ...rule, priority: 50, table: '7' }, rule]).join(), /goes to table 7, which has no route/);
  assert.match(rules([{ ...rule, mark: 4, mask: 4, not: true, table: '7' }]).join(), /goes to table 7/);
  assert.match(rules([{ ...rule, not: true }]).join(), /no ip rule before the main table/);
});

test('the mark of each way around is judged', () => {
  const otherMarks = [{ mark: 2, mask: 3 }];
  const several: HostNeeds = { uses, sets: [], ownTables: [{ ...table, marks: { mark: 1, mask: 3 }, otherMarks }] };
  const lacking = ['IPv4', 'IPv6'].map(
    (family) =>
      `warning: ${family}: no ip rule before the main table looks at mark 0x2/0x3: rerouted traffic goes the direct way`,
  );
  assert.deepEqual(worse(judge({}, several)), lacking);
  const both = [rule, { ...rule, mark: 2, mask: 3, priority: 101 }];
  const routing2 = { ok: true, value: { rules: both, routes: [route] } } as const;
  assert.deepEqual(worse(judge({ routing4: routing2, routing6: routing2 }, several)), []);
});

test('what is bound to the source address of an exit has to leave through it', () => {
  const needs: HostNeeds = { ...own, exits: [{ exit: 'home', sources: ['10.9.0.2', 'fd00::2'] }] };
  const from = (address: string, length: number, table: string, more = {}) => [
    { priority: 200, mark: undefined, mask: 0, not: false, source: { address, length }, table, ...more },
    rule,
  ];
  const judged = (four: ReturnType<typeof from>, six = from('fd00::', 64, '100')): string[] =>
    worse(
      judge(
        {
          routing4: { ok: true, value: { rules: four, routes: [route] } },
          routing6: { ok: true, value: { rules: six, routes: [route] } },
        },
        needs,
      ),
    );
  assert.deepEqual(judged(from('10.9.0.2', 32, '100')), []);
  assert.deepEqual(judged(from('10.9.0.0', 24, '100')), []);
  assert.match(judged(from('10.9.0.2', 32, '7')).join(), /10\.9\.0\.2 goes to table 7, which has no default route/);
  for (const four of [
    from('10.9.0.3', 32, '100'),
    from('10.9.0.2', 32, '100', { not: true }),
    from('10.9.0.2', 32, '100', { priority: 40_000 }),
    from('10.9.0.2', 32, '100', { mark: 1, mask: 1 }),
    from('fd00::2', 128, '100'),
  ]) {
    assert.match(judged(four).join(), /^warning: exit home: what is bound to 10\.9\.0\.2 takes the direct way/);
  }
});

test('sets of the administrator: no marks of ours are judged, but the filter is', () => {
  const set = { family: 'inet', table: 'filter', name: 'b4', type: 'ipv4_addr', onStop: 'keep' } as const;
  const facts: Partial<HostFacts> = {
    ruleset: {
      ok: true,
      value: { tables: [{ family: 'inet', name: 'filter' }], sets: [{ ...set, flags: ['constant'] }] },
    },
    routing4: failed('failed', 'not of interest'),
    reversePath: {
      ok: true,
      value: {
        filters: new Map([
          ['all', 1],
          ['wg0', 0],
        ]),
        looksAtMark: true,
      },
    },
  };
  assert.deepEqual(worse(judge(facts, { uses, sets: [set], ownTables: [] })), [
    'error: set b4 of table inet filter is constant',
    'warning: IPv4: the reverse path filter is strict on wg0: it drops answers that come through the tunnel, and (src_valid_mark = 1) marked packets from the LAN',
  ]);
});

test('a table that marks packets of units counts on no routes, and says what its end means', () => {
  const units: HostNeeds = {
    uses,
    sets: [],
    ownTables: [{ ...table, name: 'units', marks: undefined, exemptPorts: undefined, use: 'units' }],
  };
  const strict = { ok: true, value: { filters: new Map([['all', 1]]), looksAtMark: false } } as const;
  const findings = judge({ ...kernel('6.1.0'), reversePath: strict }, units);
  assert.deepEqual(worse(findings), [
    'warning: on_stop = "keep" cannot hold here: the table inet units has the flag owner alone, so the kernel removes it when netsteward stops, and no packet of a unit is marked until it starts again',
  ]);
  const flushed = judge({}, { ...units, ownTables: units.ownTables.map((each) => ({ ...each, onStop: 'flush' })) });
  assert.ok(
    flushed.some(({ text }) => text.endsWith('the table inet units goes, and no packet of a unit is marked')),
    JSON.stringify(flushed),
  );
});

test('nothing is said of what no module that is on works with', () => {
  const texts = (...used: ('nft' | 'cgroups')[]): string =>
    judge({}, { uses: new Set(used), sets: [], ownTables: [] })
      .map(({ text }) => text)
      .join('\n');
  assert.equal(texts(), '');
  assert.match(texts('nft'), /^nft 1\.1\.3$/m);
  assert.doesNotMatch(texts('nft'), /cgroup/);
  assert.match(texts('nft', 'cgroups'), /cgroup2 is mounted/);
});
