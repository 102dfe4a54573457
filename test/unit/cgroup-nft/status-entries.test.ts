/** The entries of the status: what means a cgroup, since when, what is not in force, and what was counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unitChain } from '../../../src/cgroup-nft/chain-names.ts';
import { parseCgroupNft } from '../../../src/cgroup-nft/config.ts';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';
import { Selection } from '../../../src/cgroup-nft/selection.ts';
import type { MemberRecord } from '../../../src/cgroup-nft/status.ts';
import { type EntrySource, unitEntries } from '../../../src/cgroup-nft/status-entries.ts';
import type { ActiveWarning } from '../../../src/core/warnings.ts';
import type { NftTable } from '../../../src/system/nft-script.ts';
import type { KernelCounter, KernelRule } from '../../../src/system/unit-ports.ts';

const file = `# a.service :: inet filter out socket cgroupv2 level 2 "system.slice/a.service" counter accept
# a.service :: inet filter out socket cgroupv2 level 2 "system.slice/a.service" tcp dport 25 accept
# b.service :: add element inet filter units { "system.slice/b.service" }
`;
const a = 'system.slice/a.service';
const b = 'system.slice/b.service';

function selection(): Selection {
  const rules = parseRuleFile(file, '/n.conf');
  const config = parseCgroupNft({ group: [{ name: 'both', units: ['a.service', 'b.service'], mark: 1 }] });
  assert.ok(rules.ok && config.ok);
  return new Selection(config.config.group, rules.statements);
}

const record = (since: number, ms?: number): MemberRecord => ({
  since,
  margin: ms === undefined ? undefined : { ms, started: 0 },
});

const counter = (packets: number): KernelCounter => ({ packets, bytes: packets * 100 });
const rule = (handle: number, found?: KernelCounter): KernelRule => ({ handle, counter: found, jump: undefined });

class Kernel {
  readonly asked: string[] = [];

  cgroups({ family, name }: NftTable, set: string): ReadonlyMap<bigint, KernelCounter | undefined> | undefined {
    this.asked.push(`${family} ${name} ${set}`);
    if (set === 'both.level2') return new Map([[1n, counter(5)]]);
    return set === 'units' ? new Map([[2n, undefined]]) : undefined;
  }

  rules({ name }: NftTable, chain: string): readonly KernelRule[] | undefined {
    this.asked.push(`${name} ${chain}`);
    return chain === unitChain('out', 'a.service') ? [rule(1, counter(7)), rule(2)] : undefined;
  }
}

function source(changes: Partial<EntrySource> = {}): EntrySource {
  return {
    members: new Map([
      [a, 1n],
      [b, 2n],
    ]),
    records: new Map([
      [a, record(1000, 1.5)],
      [b, record(2000)],
    ]),
    selection: selection(),
    kernel: new Kernel(),
    table: { family: 'inet', name: 'netsteward-units' },
    warnings: [],
    ...changes,
  };
}

test('each cgroup has its groups and rules, when it was applied, its margin and its counters; the newest comes first', () => {
  assert.deepEqual(unitEntries(source()), [
    {
      path: b,
      id: '2',
      groups: ['both'],
      rules: ['/n.conf:3'],
      lacking: [],
      since: 2000,
      margin: null,
      counters: [],
    },
    {
      path: a,
      id: '1',
      groups: ['both'],
      rules: ['/n.conf:1', '/n.conf:2'],
      lacking: [],
      since: 1000,
      margin: 1.5,
      counters: [
        { of: 'group both', packets: 5, bytes: 500 },
        { of: '/n.conf:1', packets: 7, bytes: 700 },
      ],
    },
  ]);
});

test('each set and each chain is read once, and a chain of rules that count nothing not at all', () => {
  const kernel = new Kernel();
  unitEntries(source({ kernel }));
  assert.deepEqual([...kernel.asked].sort(), [
    `filter ${unitChain('out', 'a.service')}`,
    'inet filter units',
    'inet netsteward-units both.level2',
  ]);
});

test('what waits for the kernel comes first, and has no time yet', () => {
  const [first] = unitEntries(source({ records: new Map([[b, record(2000)]]) }));
  assert.deepEqual([first?.path, first?.since], [a, null]);
});

const warning = (code: ActiveWarning['code'], subject: string): ActiveWarning => {
  return { code, subject, severity: 'warning', text: '', remedy: '', since: 0 };
};

test('rules whose chain or set is missing, or of which nft refused one of the same unit, are told as not in force', () => {
  const lackingOf = (code: ActiveWarning['code'], subject: string): readonly (readonly string[])[] =>
    unitEntries(source({ warnings: [warning(code, subject)] })).map(({ lacking }) => lacking);
  assert.deepEqual(lackingOf('unit-chain-missing', 'inet filter out'), [[], ['/n.conf:1', '/n.conf:2']]);
  assert.deepEqual(lackingOf('unit-chain-missing', 'inet filter units'), [['/n.conf:3'], []]);
  assert.deepEqual(lackingOf('units-not-applied', 'inet filter units'), [['/n.conf:3'], []]);
  assert.deepEqual(lackingOf('unit-rule-refused', 'inet filter out a.service'), [[], ['/n.conf:1', '/n.conf:2']]);
  assert.deepEqual(lackingOf('unit-rule-refused', 'inet filter out other.service'), [[], []]);
});

test('a kernel that cannot be read costs the counters, not the status', () => {
  const unreadable = {
    cgroups: () => {
      throw new Error('EPERM');
    },
    rules: () => {
      throw new Error('EPERM');
    },
  };
  assert.deepEqual(
    unitEntries(source({ kernel: unreadable, table: undefined })).map(({ counters }) => counters),
    [[], []],
  );
});

test('of more cgroups than a status shows, the newest are shown', () => {
  const members = new Map(Array.from({ length: 1500 }, (_, index) => [`x/${index}`, BigInt(index)] as const));
  const records = new Map([...members.keys()].map((path, index) => [path, record(index)] as const));
  const entries = unitEntries(source({ members, records }));
  assert.deepEqual([entries.length, entries[0]?.path, entries.at(-1)?.path], [1000, 'x/1499', 'x/500']);
});
