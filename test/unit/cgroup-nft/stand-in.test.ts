/** A rule with cgroups that exist in the places of its own: the text nft reads, and the way back to what the user wrote. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { UnitStatement } from '../../../src/cgroup-nft/rule.ts';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';
import { standIn } from '../../../src/cgroup-nft/stand-in.ts';

function ruleOf(words: string): UnitStatement {
  const parsed = parseRuleFile(`# a.service :: add rule inet f c ${words}\n`, 'f');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.statements[0] ?? assert.fail();
}

/** The characters of the user's statement that `needle` of the stand-in's text stands for. */
function originalOf(statement: UnitStatement, existing: readonly string[], needle: string): string {
  const { text, spanOf } = standIn(statement, existing);
  const from = text.indexOf(needle);
  assert.notEqual(from, -1, text);
  const span = spanOf({ from, to: from + needle.length });
  return statement.statement.slice(span.from, span.to);
}

test('a path that exists stays, others are replaced by some that exist, each by one of its own', () => {
  const rule = ruleOf(
    'socket cgroupv2 level 2 { "system.slice/a.service", "b", "system.slice/c.service", "d*" } accept',
  );
  assert.equal(
    standIn(rule, ['init.scope', 'b', 'system.slice']).text,
    'socket cgroupv2 level 2 { "init.scope", "b", "system.slice", "init.scope" } accept',
  );
});

test('where there are fewer cgroups than names they are used again', () => {
  const rule = ruleOf('socket cgroupv2 level 1 { "x", "y", "z" } accept');
  assert.equal(standIn(rule, ['.']).text, 'socket cgroupv2 level 1 { ".", ".", "." } accept');
  const both = ruleOf('socket cgroupv2 level 1 "b" socket cgroupv2 level 1 "c" accept');
  assert.equal(standIn(both, ['b']).text, 'socket cgroupv2 level 1 "b" socket cgroupv2 level 1 "b" accept');
});

test('the same path is replaced by the same one, quoted or not', () => {
  const rule = ruleOf('socket cgroupv2 level 1 "x" socket cgroupv2 level 1 x accept');
  assert.equal(standIn(rule, ['p', 'q']).text, 'socket cgroupv2 level 1 "p" socket cgroupv2 level 1 "p" accept');
});

test('a word after a replaced path is found where the user wrote it', () => {
  const rule = ruleOf('socket cgroupv2 level 2 "system.slice/some-very-long.service" tcp dprt 25 accept');
  assert.equal(originalOf(rule, ['s'], 'dprt'), 'dprt');
  assert.equal(
    originalOf(rule, ['a/much/longer/path/than/the/one/that/it/stands/for/in/this/rule'], 'dprt 25'),
    'dprt 25',
  );
  assert.equal(originalOf(rule, ['s'], 'socket cgroupv2'), 'socket cgroupv2');
});

test('what is said of a replaced path, or a part of it, is said of the whole path that the user wrote', () => {
  const rule = ruleOf('socket cgroupv2 level 2 "system.slice/a.service" accept');
  assert.equal(originalOf(rule, ['init.scope'], 'init'), '"system.slice/a.service"');
  assert.equal(originalOf(rule, ['init.scope'], '2 "init'), '2 "system.slice/a.service"');
  assert.equal(originalOf(rule, ['init.scope'], 'scope" acc'), '"system.slice/a.service" acc');
});

test('any stretch of any text leads back to a stretch of the statement that is not empty', () => {
  const path = fc.stringMatching(/^[a-z]{1,12}(\/[a-z*]{1,12}){0,3}$/);
  fc.assert(
    fc.property(
      fc.array(path, { minLength: 1, maxLength: 5 }),
      fc.array(path, { minLength: 1 }),
      fc.nat(),
      fc.nat(),
      (paths, existing, a, b) => {
        const rule = ruleOf(`${paths.map((each) => `socket cgroupv2 level 1 "${each}"`).join(' ')} accept`);
        const { text, spanOf } = standIn(rule, existing);
        const from = a % text.length;
        const span = spanOf({ from, to: Math.min(text.length, from + 1 + (b % 20)) });
        assert.ok(span.from >= 0 && span.from < span.to && span.to <= rule.statement.length, JSON.stringify(span));
      },
    ),
  );
});
