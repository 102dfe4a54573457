/** Which cgroups a rule's paths stand for, and the rules that nft gets for them, in order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePattern, matchesPath, patternProblem } from '../../../src/cgroup-nft/glob.ts';
import { livingReferences, livingRules } from '../../../src/cgroup-nft/living.ts';
import type { UnitRule } from '../../../src/cgroup-nft/rule.ts';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';

function rulesOf(...statements: readonly string[]): readonly UnitRule[] {
  const parsed = parseRuleFile(statements.map((text) => `# a.service :: inet f c ${text}\n`).join(''), 'f');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.statements.flatMap((statement) => (statement.kind === 'rule' ? [statement] : []));
}

const living = (...paths: readonly string[]) => new Map(paths.map((path, at) => [path, BigInt(at)]));

test('a path stands for itself while it lives, a glob for all that match, sorted', () => {
  const [rule] = rulesOf('socket cgroupv2 level 2 { "s.slice/a.service", "s.slice/b*.service", "x" } accept');
  assert.ok(rule !== undefined);
  const members = living('s.slice/b2.service', 's.slice/a.service', 's.slice/b.service', 's.slice/b/x.service', 't/x');
  assert.deepEqual(livingReferences(rule, members), [
    ['s.slice/a.service'],
    ['s.slice/b.service', 's.slice/b2.service'],
    [],
  ]);
});

test('rules stay in the order of the file, one for each match, and say where each comes from', () => {
  const rules = rulesOf(
    'socket cgroupv2 level 1 "b*" drop',
    'meta skuid 7 accept',
    'socket cgroupv2 level 1 "gone" accept',
    'socket cgroupv2 level 1 "a" accept',
  );
  assert.deepEqual(
    livingRules(rules, living('b2', 'a', 'b1')).map(({ statement, origin }) => `${origin} ${statement}`),
    [
      'f:1 socket cgroupv2 level 1 "b1" drop',
      'f:1 socket cgroupv2 level 1 "b2" drop',
      'f:2 meta skuid 7 accept',
      'f:4 socket cgroupv2 level 1 "a" accept',
    ],
  );
});

test('whatever the glob, what it stands for is what matches', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '*', '?', '[', ']', '[a-b]', '[!a]', '\\x2d', '/', '.s'), {
    minLength: 1,
    maxLength: 8,
  });
  const pattern = letters.map((all) => all.join('')).filter((text) => patternProblem(text) === undefined);
  const path = fc
    .array(fc.constantFrom('a', 'b', '[', ']', '\\x2d', '/', '.s'), { minLength: 1, maxLength: 6 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(pattern, fc.array(path, { maxLength: 20 }), (text, paths) => {
      fc.pre(!/^\/|\/$|\/\//.test(text));
      const [rule] = rulesOf(`socket cgroupv2 level 1 "${text}" accept`);
      assert.ok(rule !== undefined);
      const members = living(...paths, text);
      const expected = [...members.keys()].filter((each) => matchesPath(compilePattern(text), each)).sort();
      assert.deepEqual(livingReferences(rule, members), [expected]);
    }),
    { numRuns: 3000 },
  );
});
