/** Which rules and elements have a living cgroup, as nft has to be told of them now (pure). */
import type { LivingRule } from './chains-sink.ts';
import { compilePattern, matchesPath, type PathPattern } from './glob.ts';
import type { UnitRule, UnitStatement } from './rule.ts';
import { expandStatement } from './statement.ts';

/** Path to id. */
export type Members = ReadonlyMap<string, bigint>;

/** With what all paths that match begin and end with: of 10 000 cgroups most are passed over by that alone. */
interface Sought {
  readonly pattern: PathPattern;
  readonly begin: string;
  readonly end: string;
}

const compiled = new WeakMap<UnitStatement, readonly Sought[]>();

function patternsOf(statement: UnitStatement): readonly Sought[] {
  const known = compiled.get(statement);
  if (known !== undefined) return known;
  const patterns = statement.cgroups.map(({ path }): Sought => {
    const [begin = ''] = path.split(/[*?[\]]/, 1);
    return { pattern: compilePattern(path), begin, end: path.split(/[*?[\]]/).at(-1) ?? '' };
  });
  compiled.set(statement, patterns);
  return patterns;
}

/** Living paths that the statement's references stand for, one list a reference. */
export function livingReferences(statement: UnitStatement, members: Members): readonly (readonly string[])[] {
  return patternsOf(statement).map(({ pattern, begin, end }) => {
    if (pattern.literal) return members.has(pattern.text) ? [pattern.text] : [];
    const found: string[] = [];
    for (const path of members.keys()) {
      if (path.startsWith(begin) && path.endsWith(end) && matchesPath(pattern, path)) found.push(path);
    }
    return found.sort();
  });
}

/** For messages: the rule's place. */
export function originOf({ place }: UnitRule): string {
  return `${place.file}:${place.line}`;
}

/** In the order of the file; a rule with globs becomes one for each match. */
export function livingRules(rules: readonly UnitRule[], members: Members): readonly LivingRule[] {
  return rules.flatMap((rule) => {
    const origin = originOf(rule);
    return expandStatement(rule, livingReferences(rule, members)).map((statement) => {
      return { statement, origin, written: rule.statement };
    });
  });
}
