/** Counters of the kernel's rules, given to the rules and cgroups that they are of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UnitRule } from '../../../src/cgroup-nft/rule.ts';
import { counts, ruleCounters } from '../../../src/cgroup-nft/rule-counters.ts';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';
import type { KernelRule } from '../../../src/system/unit-ports.ts';

function rulesOf(...statements: readonly string[]): readonly UnitRule[] {
  const parsed = parseRuleFile(statements.map((words) => `# a.service :: inet f c ${words}\n`).join(''), 'f');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.statements.filter((statement) => statement.kind === 'rule');
}

/** One rule for each number of packets; null: one without a counter. */
const kernel = (...packets: readonly (number | null)[]): readonly KernelRule[] =>
  packets.map((number, index) => ({
    handle: index + 10,
    counter: number === null ? undefined : { packets: number, bytes: number * 60 },
    jump: undefined,
  }));

const members = new Map([
  ['x/a', 1n],
  ['x/b', 2n],
  ['y', 3n],
]);

const [first, glob, two, dead] = rulesOf(
  'socket cgroupv2 level 1 "y" counter accept',
  'socket cgroupv2 level 2 "x/*" counter accept',
  'socket cgroupv2 level 2 { "x/a", "x/b" } accept',
  'socket cgroupv2 level 1 "gone" counter accept',
) as readonly [UnitRule, UnitRule, UnitRule, UnitRule];

test('each rule has its own, in the order of the file, and one with a glob has one for each cgroup', () => {
  const counter = ruleCounters([first, glob, two], members, kernel(1, 20, 30, 4));
  assert.deepEqual(counter(first, 'y'), { packets: 1, bytes: 60 });
  assert.deepEqual(counter(glob, 'x/a'), { packets: 20, bytes: 1200 });
  assert.deepEqual(counter(glob, 'x/b'), { packets: 30, bytes: 1800 });
  assert.deepEqual(counter(two, 'x/a'), { packets: 4, bytes: 240 });
  assert.equal(counter(glob, 'x/other'), undefined);
});

test('a rule whose cgroup does not live takes no place', () => {
  const counter = ruleCounters([dead, first], members, kernel(7));
  assert.deepEqual(counter(first, 'y'), { packets: 7, bytes: 420 });
  assert.equal(counter(dead, 'gone'), undefined);
});

test('where the kernel has another number of rules, none is taken for another', () => {
  for (const found of [kernel(), kernel(1), kernel(1, 2, 3, 4, 5)]) {
    const counter = ruleCounters([first, glob], members, found);
    for (const path of ['y', 'x/a', 'x/b']) assert.equal(counter(first, path) ?? counter(glob, path), undefined);
  }
});

test('a rule without a counter, or of somebody else, has none', () => {
  assert.equal(ruleCounters([first], members, kernel(null))(first, 'y'), undefined);
  assert.equal(ruleCounters([first], members, kernel(1))(glob, 'x/a'), undefined);
});

test('whether a rule counts is told by the word, not by a name that looks like it', () => {
  const [plain, named, inPath, inComment] = rulesOf(
    'socket cgroupv2 level 1 "y" counter accept',
    'socket cgroupv2 level 1 "y" accept',
    'socket cgroupv2 level 1 "counter" accept',
    'socket cgroupv2 level 1 "y" accept comment "no counter here"',
  );
  assert.deepEqual(
    [plain, named, inPath, inComment].map((rule) => counts(rule ?? assert.fail())),
    [true, false, false, false],
  );
});
