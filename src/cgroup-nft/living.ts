/** Which rules and elements have a living cgroup, as nft has to be told of them now (pure). */
import type { LivingRule } from './chains-sink.ts';
import { compilePattern, matchesPath, type PathPattern } from './glob.ts';
import type { UnitRule, UnitStatement } from './rule.ts';
import { expandStatement } from './statement.ts';

/** Path to id. */
export type Members = ReadonlyMap<string, bigint>;

const compiled = new WeakMap<UnitStatement, readonly PathPattern[]>();

function patternsOf(statement: UnitStatement): readonly PathPattern[] {
  const known = compiled.get(statement);
  if (known !== undefined) return known;
  const patterns = statement.cgroups.map(({ path }) => compilePattern(path));
  compiled.set(statement, patterns);
  return patterns;
}

/** Living paths that the statement's references stand for, one list a reference. */
export function livingReferences(statement: UnitStatement, members: Members): readonly (readonly string[])[] {
  return patternsOf(statement).map((pattern) => {
    if (pattern.literal) return members.has(pattern.text) ? [pattern.text] : [];
    return [...members.keys()].filter((path) => matchesPath(pattern, path)).sort();
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
    return expandStatement(rule, livingReferences(rule, members)).map((statement) => ({ statement, origin }));
  });
}
