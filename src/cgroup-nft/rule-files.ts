/** Reads the files that have rules of units in their comments: all of them, or an error that names every problem. */
import { type Diagnostic, DiagnosticError, formatDiagnostic } from '../core/diagnostic.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { Files } from '../system/ports.ts';
import type { UnitStatement } from './rule.ts';
import { parseRuleFile } from './rule-file.ts';

const mostProblems = 20;

export interface RuleFiles {
  /** In the order of the files. */
  readonly statements: readonly UnitStatement[];
  /** Comments that were surely meant as rules but are none, each with its place. */
  readonly remarks: readonly string[];
}

/** Rejects with `rule-file-unreadable` or `rule-file-invalid`; the latter's message has a line for each problem. */
export async function readRuleFiles(files: Files, paths: readonly string[]): Promise<readonly UnitStatement[]> {
  return (await readRules(files, paths)).statements;
}

/** Rejects as readRuleFiles(). */
export async function readRules(files: Files, paths: readonly string[]): Promise<RuleFiles> {
  const statements: UnitStatement[] = [];
  const remarks: Diagnostic[] = [];
  const problems: Diagnostic[] = [];
  for (const path of paths) {
    const parsed = parseRuleFile(await read(files, path), path);
    if (parsed.ok) {
      statements.push(...parsed.statements);
      remarks.push(...parsed.remarks);
    } else problems.push(...parsed.problems);
  }
  if (problems.length === 0) return { statements, remarks: remarks.map(formatDiagnostic) };
  const remedy = 'Mend the named lines; netsteward cgroup-nft check FILE shows them too.';
  const more = problems.length - mostProblems;
  const rest = more > 0 ? [{ file: '…', message: `and ${more} problems more` }] : [];
  throw new DiagnosticError('rule-file-invalid', [...problems.slice(0, mostProblems), ...rest], remedy);
}

async function read(files: Files, path: string): Promise<string> {
  try {
    return (await files.read(path)).toString('utf8');
  } catch (error) {
    throw new NetstewardError('rule-file-unreadable', `${path} cannot be read: ${describeError(error)}`, {
      remedy: 'Name a file that exists and that this process may read.',
      cause: error,
    });
  }
}
