/** `netsteward cgroup-nft explain`: where a unit's cgroup is, what matches it, and what the kernel has of that. */
import { resolve } from 'node:path';
import { parseCgroupNft } from '../cgroup-nft/config.ts';
import { type Covering, coveringOf, nearMisses, wouldBePath } from '../cgroup-nft/explain.ts';
import type { CgroupNftConfig, CgroupNftDetail } from '../cgroup-nft/index.ts';
import type { Members } from '../cgroup-nft/living.ts';
import { readRuleFiles } from '../cgroup-nft/rule-files.ts';
import { Selection } from '../cgroup-nft/selection.ts';
import { pathDepth, unitNameProblem, unitOfDirectory } from '../cgroup-nft/unit-name.ts';
import { cgroupsOf, placesOf, type UnitPlace } from '../cgroup-nft/unit-places.ts';
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { Files } from '../system/ports.ts';
import type { CgroupTree } from '../system/unit-ports.ts';
import type { UnitFacts, UnitProperties } from '../system/unit-properties.ts';
import { KernelView, type ReadableKernel } from './cgroup-nft-kernel-view.ts';
import { ageText, marginText } from './cgroup-nft-view.ts';
import { print } from './output.ts';

// `netsteward cgroup-nft` by itself has no control socket: whether one runs cannot be told.
const nobody =
  '  no netsteward run with cgroup-nft was found: unless a netsteward cgroup-nft runs, nothing keeps this up to date';

export interface ExplainFlags {
  readonly config: string;
  readonly file: readonly string[];
  readonly socket: string;
}

export interface ExplainPorts {
  readonly files: Files;
  readonly tree: CgroupTree;
  readonly units: UnitProperties;
  /** Rejects with NetstewardError where nftables may not be read. */
  openKernelSets(): Promise<ReadableKernel>;
  /** What the running netsteward says of cgroup-nft, and its clock; undefined where none runs. */
  status(): Promise<{ readonly detail: CgroupNftDetail; readonly now: number } | undefined>;
}

/** Rejects with what the configuration or the files reject with. Exit code 1 where nothing matches. */
export async function explainUnit(unit: string, flags: ExplainFlags): Promise<ExitCode> {
  const compose = await import('./compose-cgroup-nft.ts');
  const config = flags.file.length > 0 ? configOfFiles(flags.file) : await compose.configuredCgroupNft(flags.config);
  const { text, matches } = await explain(unit, config, await compose.composeExplain(flags.socket));
  print(text);
  return matches ? exitCodes.ok : exitCodes.failure;
}

function configOfFiles(files: readonly string[]): CgroupNftConfig {
  const parsed = parseCgroupNft({ files: files.map((file) => resolve(file)) });
  if (parsed.ok) return parsed.config;
  throw new NetstewardError('usage', parsed.problems.map(({ message }) => message).join('; '));
}

/** Throws NetstewardError `usage` for what is no name of a unit. */
export async function explain(
  unit: string,
  config: CgroupNftConfig,
  ports: ExplainPorts,
): Promise<{ readonly text: string; readonly matches: boolean }> {
  const isPath = unit.includes('/');
  const problem = isPath ? undefined : unitNameProblem(unit);
  if (problem !== undefined) {
    throw new NetstewardError('usage', `${JSON.stringify(unit)} is not the name of a unit: ${problem}`, {
      remedy: 'Name it with its ending, as in postfix.service, or give the path of a cgroup.',
    });
  }
  const selection = new Selection(config.group, await readRuleFiles(ports.files, config.files));
  const places = placesOf(ports.tree, unit);
  const facts = isPath ? undefined : (await ports.units.of([unit]))?.get(unit);
  const lines = [`${unit}${stateText(facts)}`];
  const expected = isPath || places.length > 0 ? undefined : wouldBePath(unit, facts?.slice);
  const kernel = await KernelView.open(
    () => ports.openKernelSets(),
    config.table.name,
    membersOf(ports.tree, selection),
    selection,
  );
  let matches = false;
  try {
    const status = await ports.status();
    for (const place of places) {
      lines.push(`  cgroup ${place.path}: level ${pathDepth(place.path)}, id ${place.id}`);
      const covering = coveringOf(place.path, selection);
      matches ||= covering.some(isEffective);
      lines.push(...covering.flatMap((each) => coveringLines(each, place, kernel)));
      if (covering.length === 0) lines.push('    nothing names it');
      lines.push(...daemonLines(place, status, covering));
    }
    if (places.length === 0) {
      lines.push(isPath ? '  there is no such cgroup' : '  it has no cgroup now');
      if (expected !== undefined) {
        const covering = coveringOf(expected, selection);
        matches ||= covering.some(isEffective);
        lines.push(`  when it starts, unless its settings say otherwise: ${expected}, level ${pathDepth(expected)}`);
        lines.push(...covering.map((each) => `    ${coveringText(each)}`));
        if (covering.length === 0) lines.push('    nothing names that');
      }
    }
    if (kernel.trouble !== undefined) lines.push(`  the kernel's rules were not looked at: ${kernel.trouble}`);
    if (status === undefined) lines.push(nobody);
  } finally {
    kernel.close();
  }
  const name = isPath ? unitOfDirectory(unit.split('/').filter(Boolean).at(-1) ?? '') : unit;
  const paths = places.length > 0 ? places.map(({ path }) => path) : expected === undefined ? [] : [expected];
  lines.push(...nearMisses(name, paths, selection).map(({ what, why }) => `  ${what} does not match: ${why}`));
  for (const socket of facts?.sockets ?? []) {
    lines.push(`  what comes in through ${socket} has that unit's cgroup: netsteward cgroup-nft explain ${socket}`);
  }
  return { text: `${lines.join('\n')}\n`, matches };
}

function stateText(facts: UnitFacts | undefined): string {
  if (facts === undefined) return '';
  return facts.load === 'loaded' ? `: ${facts.active}` : `: ${facts.load}`;
}

/** What the rules stand for at the moment. */
function membersOf(tree: CgroupTree, selection: Selection): Members {
  const members = new Map<string, bigint>();
  for (const { path, id } of cgroupsOf(tree)) if (selection.interest(path).match) members.set(path, id);
  return members;
}

function isEffective(covering: Covering): boolean {
  return covering.kind === 'group' || covering.fits;
}

function coveringText(covering: Covering): string {
  if (covering.kind === 'group') return `group ${covering.group}, which names "${covering.pattern}"`;
  const { statement, reference, fits, path } = covering;
  const level = reference.level === undefined ? '' : `level ${reference.level} `;
  const what = `${statement.kind} ${statement.place.file}:${statement.place.line}, which names ${level}"${reference.path}"`;
  return fits ? what : `${what}, never matches: that cgroup is at level ${pathDepth(path)}`;
}

function coveringLines(covering: Covering, place: UnitPlace, kernel: KernelView): readonly string[] {
  const above = covering.path === place.path ? '' : ` (the cgroup above, with all that is in it)`;
  const found = isEffective(covering) ? kernel.lines(covering) : [];
  return [`    ${coveringText(covering)}${above}`, ...found.map((line) => `      ${line}`)];
}

function daemonLines(
  { path, id }: UnitPlace,
  status: Awaited<ReturnType<ExplainPorts['status']>>,
  covering: readonly Covering[],
): readonly string[] {
  if (status === undefined || covering.length === 0) return [];
  const entry = status.detail.entries.find((each) => each.path === path && each.id === String(id));
  if (entry === undefined) {
    const own = covering.some((each) => each.path === path);
    return own ? ['    the running netsteward does not know this cgroup: is its configuration another one?'] : [];
  }
  return [`    ${ageText(entry, status.now)}${marginText(entry.margin)}`];
}
