/** cgroup-nft on fakes: a cgroup tree, a ruleset that others change too, a journal; and what the kernel should have in the end. */
import assert from 'node:assert/strict';
import { type CgroupNftConfig, parseCgroupNft } from '../../../src/cgroup-nft/config.ts';
import type { CgroupNftHost } from '../../../src/cgroup-nft/ports.ts';
import { RunningCgroupNft } from '../../../src/cgroup-nft/running.ts';
import type { CgroupNftDetail } from '../../../src/cgroup-nft/status.ts';
import { type NftOperation, nftScript } from '../../../src/system/nft-script.ts';
import { FakeCgroupTree } from '../../fakes/fake-cgroup-tree.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { FakeJournal } from '../../fakes/fake-journal.ts';
import { FakeKernelRuleset } from '../../fakes/fake-kernel-ruleset.ts';
import { type FakeNft, FakeRuleset } from '../../fakes/fake-nft.ts';
import { FakeUnitStarts } from '../../fakes/fake-unit-starts.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

export const rulesFile = '/etc/nftables.conf';
export const filter = { family: 'inet', name: 'filter' } as const;
export const ownTable = { family: 'inet', name: 'netsteward-units' } as const;

/** Tables as parseCgroupNft() takes them. */
export type Raw = Readonly<Record<string, unknown>>;

export function configOf(raw: Raw): CgroupNftConfig {
  const parsed = parseCgroupNft(raw);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

export class Stage {
  readonly clock = new FakeClock();
  readonly tree = new FakeCgroupTree({ automatic: true });
  readonly ruleset = new FakeRuleset();
  readonly journal = new FakeJournal();
  readonly starts = new FakeUnitStarts(() => this.clock.monotonic() * 1000);
  readonly files = new FakeFiles();
  readonly log = new MemoryLog();
  /** The administrator's own nft. */
  readonly others: FakeNft = this.ruleset.open();
  /** netsteward's, of its latest run. */
  nft: FakeNft | undefined;
  /** As `nft -i` does it: a process of its own, each command a while later. */
  child = false;
  #running: RunningCgroupNft | undefined;
  #kill: () => void = () => {};
  /** Resolves at the end of the run by crash(). */
  crashed: Promise<void> = Promise.resolve();

  constructor(rules = '') {
    this.ruleset.known = new Set(['owner']);
    this.ruleset.cgroup = (path) => this.tree.id(path);
    this.files.put(rulesFile, rules);
  }

  get running(): RunningCgroupNft {
    assert.ok(this.#running !== undefined, 'not started');
    return this.#running;
  }

  get detail(): CgroupNftDetail {
    return this.running.health().detail as CgroupNftDetail;
  }

  /** Codes and subjects of the warnings that hold. */
  get warnings(): readonly string[] {
    return this.running.health().warnings.map(({ code, subject }) => `${code} ${subject}`.trim());
  }

  /** Of one run, which crash() ends. */
  host(): CgroupNftHost {
    const { clock, log, files, tree, journal, starts, ruleset } = this;
    let alive = true;
    const kernel = new FakeKernelRuleset(ruleset);
    const events = ruleset.events();
    let nft: FakeNft | undefined;
    let died: () => void = () => {};
    this.crashed = new Promise((resolve) => {
      died = resolve;
    });
    this.#kill = () => {
      alive = false;
      died();
      kernel.close();
      void nft?.close();
    };
    return {
      log,
      files,
      tree,
      journal,
      starts,
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        after: (ms, work) => clock.after(ms, () => alive && work()),
      },
      openNft: () => {
        nft = ruleset.open();
        if (this.child) {
          nft.kind = 'nft -i';
          nft.delay = () => new Promise((resolve) => setImmediate(resolve));
        }
        this.nft = nft;
        return Promise.resolve(nft);
      },
      openEvents: () =>
        Promise.resolve({
          watch: (ignore, onChange, onError) => events.watch(ignore, (change) => alive && onChange(change), onError),
        }),
      openKernelSets: () => Promise.resolve(kernel),
    };
  }

  async start(raw: Raw): Promise<RunningCgroupNft> {
    this.#running = await RunningCgroupNft.start(configOf(raw), this.host(), new AbortController().signal);
    return this.#running;
  }

  /** As kill -9: nothing is cleaned up but by the kernel. */
  crash(): void {
    this.#kill();
    this.tree.fail(new Error('the process is gone'));
    this.#running = undefined;
  }

  /** Another process changes the ruleset. Refusals of what is not there are no matter. */
  async change(...operations: readonly NftOperation[]): Promise<void> {
    const { ruleset } = this;
    const [failure, before] = [ruleset.failNext, ruleset.before];
    ruleset.failNext = undefined;
    ruleset.before = () => {};
    // In-process it is done when apply() returns.
    const done = this.others.apply(nftScript(...operations)).catch(() => undefined);
    [ruleset.failNext, ruleset.before] = [failure, before];
    await done;
  }

  async quiet(ms = 1000): Promise<void> {
    await settle();
    await this.clock.advance(ms);
    // What takes a child process many commands takes many turns.
    for (let turns = 0; turns < (this.child ? 40 : 4); turns++) await settle();
  }

  /** Statements of a chain in order, with cgroup ids for paths; jumps as `jump NAME`. Undefined when there is no such chain. */
  chain(
    name: string,
    table: { readonly family: string; readonly name: string } = filter,
  ): readonly string[] | undefined {
    const found = this.ruleset.tables.get(`${table.family} ${table.name}`)?.chains.get(name);
    return found?.rules.map(({ jump, text }) => (jump === undefined ? text : `jump ${jump}`));
  }

  chainNames(table: { readonly family: string; readonly name: string } = filter): readonly string[] {
    return [...(this.ruleset.tables.get(`${table.family} ${table.name}`)?.chains.keys() ?? [])].sort();
  }

  /** What a packet that comes to a chain meets: jumps to chains of our own followed, with ids for paths. */
  packetsMeet(name: string, table: { readonly family: string; readonly name: string } = filter): readonly string[] {
    return (this.chain(name, table) ?? []).flatMap((rule) =>
      rule.startsWith('jump netsteward-') ? this.packetsMeet(rule.slice('jump '.length), table) : [rule],
    );
  }

  /** `#ID` as statements show it. */
  id(path: string): string {
    return `#${this.tree.id(path)}`;
  }

  ownSet(name: string): readonly string[] {
    return this.ruleset.elements(ownTable, name);
  }
}

/** A ruleset of an administrator's: a chain for packets, one for the rules of units, a set, and a rule of his own in each. */
export const administrators: readonly NftOperation[] = [
  { op: 'add-table', table: filter },
  { op: 'add-set', table: filter, set: 'units', type: 'cgroupsv2' },
  { op: 'add-chain', table: filter, chain: 'output', type: 'filter', hook: 'output' },
  { op: 'add-plain-chain', table: filter, chain: 'vpn', comment: 'his' },
  { op: 'add-statement', table: filter, chain: 'vpn', statement: 'tcp dport 1 accept' },
  { op: 'add-rule', table: filter, chain: 'output', when: [], action: { kind: 'jump', chain: 'vpn' } },
];

/** A line of a rule file: a rule of the unit that matches this path. */
export const rule = (unit: string, path: string, rest = 'accept', chain = 'vpn'): string =>
  `# ${unit} :: add rule inet filter ${chain} socket cgroupv2 level ${path.split('/').length} "${path}" ${rest}\n`;
export const groups = [{ name: 'vpn', units: ['system.slice/*.service'], mark: 0x10000 }];
export const files = [rulesFile];

/** With the administrator's ruleset, and one unit: system.slice/a.service. */
export async function staged(rules: string): Promise<Stage> {
  const stage = new Stage(rules);
  await stage.change(...administrators);
  stage.tree.mkdirAll('system.slice/a.service');
  return stage;
}
