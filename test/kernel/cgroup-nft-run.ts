/** cgroup-nft on the real kernel, in this process: real tree, real nft, real notifications; a journal that a test writes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseCgroupNft } from '../../src/cgroup-nft/config.ts';
import type { CgroupNftHost } from '../../src/cgroup-nft/ports.ts';
import { RunningCgroupNft } from '../../src/cgroup-nft/running.ts';
import { systemClock } from '../../src/core/clock.ts';
import { openCgroupTree } from '../../src/system/linux/cgroupfs.ts';
import { LinuxFiles } from '../../src/system/linux/files.ts';
import { NetlinkKernelSets } from '../../src/system/linux/kernel-sets.ts';
import { type NftKind, openNft } from '../../src/system/linux/nft-open.ts';
import { openRulesetEvents } from '../../src/system/linux/ruleset-events.ts';
import { FakeJournal } from '../fakes/fake-journal.ts';
import { FakeUnitStarts } from '../fakes/fake-unit-starts.ts';
import { MemoryLog } from '../fakes/memory-log.ts';

export const rulesFile = '/run/rules';
export const filter = { family: 'inet', name: 'filter' } as const;
export const ownTable = { family: 'inet', name: 'netsteward-units' } as const;

export const monotonic = (): number => Number(process.hrtime.bigint() / 1000n);

export async function realHost(kind: NftKind = 'libnftables', log = new MemoryLog()): Promise<CgroupNftHost> {
  return {
    clock: systemClock,
    log,
    files: new LinuxFiles(),
    tree: await openCgroupTree(),
    journal: new FakeJournal(),
    starts: new FakeUnitStarts(monotonic),
    openNft: () => openNft(kind),
    openEvents: openRulesetEvents,
    openKernelSets: () => NetlinkKernelSets.open(),
  };
}

export interface StartOptions {
  readonly rules?: string;
  readonly kind?: NftKind;
  readonly raw?: Readonly<Record<string, unknown>>;
}

const running = new Set<RunningCgroupNft>();

/** Ends what a test that failed has left running. */
export async function stopAll(): Promise<void> {
  for (const each of running) await each.stop('shutdown');
  running.clear();
}

/** `rules`: text of the one file. */
export async function started({ rules = '', kind, raw = {} }: StartOptions): Promise<RunningCgroupNft> {
  writeFileSync(rulesFile, rules);
  const parsed = parseCgroupNft({ files: [rulesFile], ...raw });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const made = await RunningCgroupNft.start(parsed.config, await realHost(kind), new AbortController().signal);
  running.add(made);
  return made;
}

/** Another process loads a ruleset. */
export function load(text: string): void {
  execFileSync('nft', ['-f', '-'], { input: text });
}

/** Statements of a chain as nft lists them, comments and braces left out. */
export function listed(
  chain: string,
  { family, name }: { readonly family: string; readonly name: string } = filter,
): string[] {
  return execFileSync('nft', ['list', 'chain', family, name, chain], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith('\t\t'))
    .map((line) => line.trim())
    .filter((line) => !/^(?:comment|type) /.test(line));
}

/** What a packet meets that comes to a chain: jumps to ours followed. */
export function packetsMeet(chain: string): string[] {
  return listed(chain).flatMap((rule) =>
    rule.startsWith('jump netsteward-') ? packetsMeet(rule.slice('jump '.length)) : [rule],
  );
}

/** An administrator's ruleset: one chain for the rules of units, with rules of his own around. */
export const administrators = `flush ruleset
table inet filter {
  set units { type cgroupsv2; }
  chain output { type filter hook output priority 0; policy accept; tcp dport 1 accept; jump vpn; tcp dport 3 accept; }
  chain vpn { tcp dport 2 accept; }
}
`;
export const hisOutput = ['tcp dport 1 accept', 'jump vpn', 'tcp dport 3 accept'];
