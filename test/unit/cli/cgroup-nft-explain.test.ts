/** `netsteward cgroup-nft explain`, against a tree, a kernel and a daemon in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unitChain, unitsChain } from '../../../src/cgroup-nft/chain-names.ts';
import { parseCgroupNft } from '../../../src/cgroup-nft/config.ts';
import type { CgroupNftDetail, UnitEntry } from '../../../src/cgroup-nft/index.ts';
import { type ExplainPorts, explain } from '../../../src/cli/cgroup-nft-explain.ts';
import type { ReadableKernel } from '../../../src/cli/cgroup-nft-kernel-view.ts';
import { NftError } from '../../../src/system/nft-error.ts';
import type { KernelCounter, KernelRule } from '../../../src/system/unit-ports.ts';
import type { UnitFacts } from '../../../src/system/unit-properties.ts';
import { FakeCgroupTree } from '../../fakes/fake-cgroup-tree.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';

const text = `# a.service :: inet filter out socket cgroupv2 level 2 "system.slice/a.service" counter accept
# a.service :: inet filter gone socket cgroupv2 level 2 "system.slice/a.service" accept
# a.service :: add element inet filter units { "system.slice/a.service" }
# a.service :: inet filter out socket cgroupv2 level 1 "system.slice/a.service" accept
# foo@1.service :: inet filter out socket cgroupv2 level 2 "system.slice/foo@1.service" accept
`;

const files = new FakeFiles();
files.put('/n.conf', text);
const tree = new FakeCgroupTree();
for (const path of ['init.scope', 'system.slice', 'system.slice/other.service', 'system.slice/system-foo.slice'])
  tree.mkdir(path);
const id = tree.mkdir('system.slice/a.service');
tree.mkdir('system.slice/system-foo.slice/foo@1.service');

function configOf(groups: Readonly<Record<string, readonly string[]>> = { web: ['a.service'] }) {
  const group = Object.entries(groups).map(([name, units]) => ({ name, units, mark: 1 }));
  const parsed = parseCgroupNft({ files: ['/n.conf'], group });
  assert.ok(parsed.ok);
  return parsed.config;
}

/** Sets and chains as the daemon leaves them; `without`: names that the kernel does not have. */
class Kernel implements ReadableKernel {
  closed = false;
  readonly #without: readonly string[];

  constructor(...without: readonly string[]) {
    this.#without = without;
  }

  cgroups(_: unknown, set: string): ReadonlyMap<bigint, KernelCounter | undefined> | undefined {
    if (this.#without.includes(set)) return undefined;
    return new Map([[set === 'units' ? 999n : id, { packets: 3, bytes: 180 }]]);
  }

  rules(_: unknown, chain: string): readonly KernelRule[] | undefined {
    const rule = (changes: Partial<KernelRule>): KernelRule => ({
      handle: 1,
      counter: undefined,
      jump: undefined,
      ...changes,
    });
    if (this.#without.includes(chain) || chain === 'gone') return undefined;
    if (chain === 'out') return [rule({}), rule({ jump: unitsChain('out') })];
    return [rule({ counter: { packets: 1, bytes: 60 } }), rule({})];
  }

  close(): void {
    this.closed = true;
  }
}

const facts = (changes: Partial<UnitFacts> = {}): UnitFacts => {
  return { load: 'loaded', active: 'active', cgroup: undefined, slice: undefined, sockets: [], ...changes };
};

function ports(changes: Partial<ExplainPorts> = {}): ExplainPorts {
  return {
    files,
    tree,
    units: { of: (units) => Promise.resolve(new Map(units.map((unit) => [unit, facts()]))) },
    openKernelSets: () => Promise.resolve(new Kernel()),
    status: () => Promise.resolve(undefined),
    ...changes,
  };
}

const lines = async (unit: string, changes?: Partial<ExplainPorts>, config = configOf()): Promise<readonly string[]> =>
  (await explain(unit, config, ports(changes))).text.split('\n').slice(0, -1);

const chain = unitChain('out', 'a.service');
const nobody =
  '  no netsteward run with cgroup-nft was found: unless a netsteward cgroup-nft runs, nothing keeps this up to date';

test('a unit is explained: its cgroup, each group and rule that matches it, what the kernel has of that, and what does not match', async () => {
  assert.deepEqual(await lines('a.service'), [
    'a.service: active',
    `  cgroup system.slice/a.service: level 2, id ${id}`,
    '    group web, which names "a.service"',
    '      in the set inet netsteward-units web.level2, 3 packets, 180 bytes',
    '    rule /n.conf:1, which names level 2 "system.slice/a.service"',
    `      in the chain ${chain}, which out leads to: 2 rules of a.service, 1 packet, 60 bytes`,
    '    rule /n.conf:2, which names level 2 "system.slice/a.service"',
    '      the ruleset has no chain inet filter gone: the rule waits for it',
    '    element /n.conf:3, which names "system.slice/a.service"',
    '      not in force: the set inet filter units does not have it',
    '    rule /n.conf:4, which names level 1 "system.slice/a.service", never matches: that cgroup is at level 2',
    nobody,
  ]);
});

test('what the kernel does not have is told', async () => {
  const without = (...names: readonly string[]) =>
    lines('a.service', { openKernelSets: () => Promise.resolve(new Kernel(...names)) });
  assert.equal(
    (await without('web.level2'))[3],
    '      not in force: the kernel has no set inet netsteward-units web.level2',
  );
  assert.equal(
    (await without(chain))[5],
    "      not in force: the chain inet filter out does not lead to netsteward's",
  );
});

test('the kernel is closed afterwards, also when the files are wrong', async () => {
  const kernel = new Kernel();
  await lines('a.service', { openKernelSets: () => Promise.resolve(kernel) });
  assert.equal(kernel.closed, true);
  const status = (): Promise<never> => Promise.reject(new Error('broken'));
  const other = new Kernel();
  await assert.rejects(lines('a.service', { openKernelSets: () => Promise.resolve(other), status }), /broken/);
  assert.equal(other.closed, true);
});

test('without the right to look into the kernel all else is told, and why it is not', async () => {
  const refused = new NftError('not-permitted', 'it cannot be read');
  const closed = await lines('a.service', { openKernelSets: () => Promise.reject(refused) });
  assert.ok(closed.includes("  the kernel's rules were not looked at: it cannot be read"));
  assert.equal(closed[3], '    rule /n.conf:1, which names level 2 "system.slice/a.service"');
  class Unreadable extends Kernel {
    override cgroups(): never {
      throw refused;
    }
  }
  const unreadable = await lines('a.service', { openKernelSets: () => Promise.resolve(new Unreadable()) });
  assert.ok(unreadable.includes("  the kernel's rules were not looked at: it cannot be read"));
});

const entry = (changes: Partial<UnitEntry> = {}): UnitEntry => ({
  path: 'system.slice/a.service',
  id: String(id),
  groups: ['web'],
  rules: [],
  lacking: [],
  since: 1000,
  margin: 2.5,
  counters: [],
  ...changes,
});

const status = (...entries: readonly UnitEntry[]) => {
  const rest = { more: 0, waiting: [], table: 'owner', tableName: 'x', watches: 1, journal: 'read' } as const;
  const detail: CgroupNftDetail = { entries, ...rest };
  return () => Promise.resolve({ detail, now: 61_000 });
};

test('the running daemon tells since when, and how much ahead of the process', async () => {
  const found = await lines('a.service', { status: status(entry()) });
  assert.equal(found.at(-1), '    applied for 1m, 2.5 ms before its process began');
  const unknown = await lines('a.service', { status: status(entry({ id: '1' })) });
  assert.equal(
    unknown.at(-1),
    '    the running netsteward does not know this cgroup: is its configuration another one?',
  );
});

test('a unit that nothing is about is told so, with the exit code that scripts look at', async () => {
  const { text: found, matches } = await explain('other.service', configOf(), ports());
  assert.equal(matches, false);
  assert.match(found, /\n {4}nothing names it\n/);
  assert.equal((await explain('a.service', configOf(), ports())).matches, true);
});

test('a template that stands one level deeper is told, and what to write', async () => {
  const found = await lines('foo@1.service');
  assert.match(
    found.at(-1) ?? '',
    /^ {2}\/n\.conf:5 does not match: .* which is one level deeper: .* write socket cgroupv2 level 3 /,
  );
});

test('a unit that does not run is explained by where it will be', async () => {
  const units = {
    of: () => Promise.resolve(new Map([['b.service', facts({ active: 'inactive', slice: 'web.slice' })]])),
  };
  assert.deepEqual(await lines('b.service', { units }, configOf({ shop: ['b.service'] })), [
    'b.service: inactive',
    '  it has no cgroup now',
    '  when it starts, unless its settings say otherwise: web.slice/b.service, level 2',
    '    group shop, which names "b.service"',
    nobody,
  ]);
  assert.equal(
    (await lines('b.service', { units: { of: () => Promise.resolve(undefined) } }))[3],
    '    nothing names that',
  );
});

test('sockets that start the unit are named: their traffic has their own cgroup', async () => {
  const units = { of: () => Promise.resolve(new Map([['a.service', facts({ sockets: ['a.socket'] })]])) };
  assert.equal(
    (await lines('a.service', { units })).at(-1),
    "  what comes in through a.socket has that unit's cgroup: netsteward cgroup-nft explain a.socket",
  );
});

test('the path of a cgroup may stand for a unit, and what is neither is refused', async () => {
  assert.deepEqual((await lines('/system.slice/other.service')).slice(0, 2), [
    '/system.slice/other.service',
    `  cgroup system.slice/other.service: level 2, id ${tree.id('system.slice/other.service')}`,
  ]);
  assert.equal((await lines('a/b'))[1], '  there is no such cgroup');
  await assert.rejects(lines('postfix'), { code: 'usage', message: /"postfix" is not the name of a unit/ });
});

test('a cgroup that is covered from above is told so', async () => {
  const found = await lines('other.service', {}, configOf({ all: ['system.slice'] }));
  assert.equal(found[2], '    group all, which names "system.slice" (the cgroup above, with all that is in it)');
});
