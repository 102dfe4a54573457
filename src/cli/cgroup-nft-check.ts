/** `netsteward cgroup-nft check`: the rules of files looked at by the parser, by lint and by nft itself; nothing is changed. */
import { resolve } from 'node:path';
import { lintStatements } from '../cgroup-nft/lint.ts';
import { checkWithNft, existingCgroups, pathFails } from '../cgroup-nft/nft-check.ts';
import type { Place, UnitStatement } from '../cgroup-nft/rule.ts';
import { parseRuleFile, statementPlace } from '../cgroup-nft/rule-file.ts';
import type { Span } from '../cgroup-nft/stand-in.ts';
import { unitOfDirectory } from '../cgroup-nft/unit-name.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { describeFileFailure } from '../core/file-failure.ts';
import { nftScript } from '../system/nft-script.ts';
import type { Files, Nft } from '../system/ports.ts';
import type { CgroupTree } from '../system/unit-ports.ts';
import type { UnitProperties } from '../system/unit-properties.ts';
import { type Remark, renderRemarks, summaryLine } from './cgroup-nft-remarks.ts';
import { print, printError } from './output.ts';

export interface RuleCheckPorts {
  readonly files: Files;
  /** Undefined where no cgroup2 file system is mounted. */
  readonly tree: CgroupTree | undefined;
  readonly units: UnitProperties;
  /** Rejects with NetstewardError where nftables cannot be used. */
  openNft(): Promise<Nft>;
}

/** What was found, and where nft could not be asked, why. */
export interface RuleCheck {
  readonly remarks: readonly Remark[];
  readonly statements: readonly UnitStatement[];
  readonly withoutNft: string | undefined;
}

/** Never rejects for what is in the files. */
export async function checkRuleFiles(paths: readonly string[]): Promise<ExitCode> {
  const { composeRuleCheck } = await import('./compose-cgroup-nft.ts');
  const texts = new Map<string, string>();
  const { remarks, statements, withoutNft } = await checkRules(paths, await composeRuleCheck(), texts);
  printError(renderRemarks(remarks, texts));
  if (withoutNft !== undefined) {
    printError(
      `nft itself was not asked: ${withoutNft}\nChecked without it: the form of the rules, levels and paths.\n`,
    );
  }
  print(paths.map((path) => summaryLine(path, statements, remarks)).join(''));
  return remarks.some(({ severity }) => severity === 'error') ? exitCodes.config : exitCodes.ok;
}

/** `texts`: gets what was read, by path. */
export async function checkRules(
  paths: readonly string[],
  ports: RuleCheckPorts,
  texts: Map<string, string> = new Map(),
): Promise<RuleCheck> {
  const remarks: Remark[] = [];
  const statements: UnitStatement[] = [];
  const readable: string[] = [];
  for (const path of new Set(paths)) {
    try {
      texts.set(path, (await ports.files.read(path)).toString('utf8'));
      readable.push(path);
    } catch (error) {
      remarks.push({ file: path, severity: 'error', message: `cannot be read: ${describeFileFailure(error)}` });
      continue;
    }
    const parsed = parseRuleFile(texts.get(path) ?? '', path);
    if (parsed.ok) {
      statements.push(...parsed.statements);
      remarks.push(...parsed.remarks.map((remark): Remark => ({ ...remark, severity: 'warning' })));
    } else remarks.push(...parsed.problems.map((problem): Remark => ({ ...problem, severity: 'error' })));
  }
  remarks.push(...lintStatements(statements));
  remarks.push(...(await socketRemarks(statements, ports.units)));
  const withoutNft = await nftRemarks(readable, statements, ports, remarks);
  return { remarks, statements, withoutNft };
}

/** Adds to `remarks`; gives why nft could not be asked. */
async function nftRemarks(
  paths: readonly string[],
  statements: readonly UnitStatement[],
  ports: RuleCheckPorts,
  remarks: Remark[],
): Promise<string | undefined> {
  if (statements.length === 0) return undefined;
  const { tree } = ports;
  if (tree === undefined) return 'no cgroup2 file system is mounted here';
  let nft: Nft;
  try {
    nft = await ports.openNft();
  } catch (error) {
    if (error instanceof NetstewardError) return describeError(error);
    throw error;
  }
  try {
    const unknown = await whyCgroupsAreUnknown(nft, tree);
    if (unknown !== undefined) return unknown;
    const byResolved = new Map(paths.map((path) => [resolve(path), path]));
    const verdict = await checkWithNft(nft, tree, [...byResolved.keys()], statements);
    for (const { file, reason } of verdict.fragments) {
      const shown = byResolved.get(file) ?? file;
      if (!statements.some(({ place }) => place.file === shown)) continue;
      const message = `no ruleset that loads by itself, so its rules were held against the kernel's: ${reason.replaceAll('\n', '\n    ')}`;
      remarks.push({ file: shown, severity: 'warning', message });
    }
    for (const { statement, severity, message, span } of verdict.problems) {
      remarks.push({ ...marked(statement, span), severity, message: `rule of ${statement.unit}: ${message}` });
    }
    if (verdict.more)
      remarks.push({ file: paths[0] ?? '', severity: 'error', message: 'nft refuses more rules than these' });
    return undefined;
  } finally {
    await nft.close();
  }
}

/** The words of the statement; the trigger unit where it is about none of them. A mark that goes on in the next line ends with this one. */
function marked(statement: UnitStatement, span: Span | undefined): Place & Pick<Remark, 'width'> {
  if (span === undefined) return { ...statement.place, width: statement.unit.length };
  const first = statementPlace(statement, span.from);
  const last = statementPlace(statement, Math.max(span.from, span.to - 1));
  return { ...first, width: last.line === first.line ? last.column - first.column + 1 : 'line' };
}

/** Tries a throw-away rule: without it every rule would be blamed for what the machine lacks. */
async function whyCgroupsAreUnknown(nft: Nft, tree: CgroupTree): Promise<string | undefined> {
  const table = { family: 'inet', name: 'netsteward-check' } as const;
  const chain = 'output';
  const statement = `socket cgroupv2 level 1 "${existingCgroups(tree, 1)[0]}"`;
  try {
    await nft.check(
      nftScript(
        { op: 'add-table', table },
        { op: 'add-plain-chain', table, chain, comment: 'a check' },
        { op: 'add-statement', table, chain, statement },
      ),
    );
    return undefined;
  } catch (error) {
    const said = describeError(error);
    if (said.includes(pathFails))
      return `nft looks for cgroups in /sys/fs/cgroup, and cgroup2 is mounted at ${tree.root}`;
    return `this kernel or nft does not know "socket cgroupv2": ${said.split('\n', 1)[0]}`;
  }
}

/** Connections that a socket unit has accepted, or that it listens for, have its cgroup, not the service's. */
async function socketRemarks(statements: readonly UnitStatement[], units: UnitProperties): Promise<readonly Remark[]> {
  const named = statements.flatMap((statement) =>
    statement.cgroups.map((reference) => {
      const name = reference.path.split('/').at(-1) ?? '';
      return { statement, reference, unit: unitOfDirectory(name) };
    }),
  );
  const services = named.filter(({ unit }) => unit.endsWith('.service') && !/[*?[]/.test(unit));
  if (services.length === 0) return [];
  const facts = await units.of(services.map(({ unit }) => unit));
  if (facts === undefined) return [];
  return services.flatMap(({ statement, reference, unit }) => {
    const sockets = facts.get(unit)?.sockets ?? [];
    return sockets
      .filter((socket) => !coversSocket(statements, socket))
      .map((socket): Remark => {
        const message =
          `rule of ${statement.unit}: what comes in through ${socket} belongs to that unit's cgroup, not to ${unit}'s: ` +
          'name it in a rule of its own if that traffic is meant too';
        return { ...statementPlace(statement, reference.start), severity: 'note', message };
      });
  });
}

function coversSocket(statements: readonly UnitStatement[], socket: string): boolean {
  return statements.some(({ cgroups }) => cgroups.some(({ path }) => path.split('/').at(-1) === socket));
}
