/** How `netsteward cgroup-nft check` shows a place: the line of the file, and a caret under the word. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';
import { type Remark, renderRemarks, summaryLine } from '../../../src/cli/cgroup-nft-remarks.ts';

const remark = (changes: Partial<Remark>): Remark => ({ file: 'f', severity: 'error', message: 'no', ...changes });

const shown = (text: string, ...remarks: readonly Partial<Remark>[]): readonly string[] =>
  renderRemarks(remarks.map(remark), new Map([['f', text]]))
    .split('\n')
    .slice(0, -1);

test('the caret stands below the word, as wide as it', () => {
  assert.deepEqual(shown('first\n# a tcp dprt 25\n', { line: 2, column: 9, width: 4 }), [
    'f:2:9: error: no',
    '    # a tcp dprt 25',
    '            ^^^^',
  ]);
});

test('tabs, carriage returns and characters that no terminal shows as one column do not move it', () => {
  assert.deepEqual(shown('#\ta\x1b\u200bb word\r\n', { line: 1, column: 8, width: 4 }).slice(1), [
    '    # a??b word',
    '           ^^^^',
  ]);
  assert.deepEqual(shown('# \u{1f600} word', { line: 1, column: 6, width: 4 }).slice(1), [
    '    # ?? word',
    '         ^^^^',
  ]);
});

test('a mark that goes on in the next line ends with this one, before its backslash', () => {
  assert.deepEqual(shown('# a tcp dport \\\n# x\n', { line: 1, column: 5, width: 'line' }).slice(1), [
    '    # a tcp dport \\',
    '        ^^^^^^^^^',
  ]);
  assert.deepEqual(shown('# ab', { line: 1, column: 3, width: 'line' })[2], '      ^^');
});

test('of a long line the part around the caret is shown', () => {
  const line = `${'a'.repeat(500)} word ${'b'.repeat(500)}`;
  const [, text = '', carets = ''] = shown(line, { line: 1, column: 502, width: 4 });
  assert.ok(text.length < 150 && text.startsWith('    …a') && text.endsWith('b…'), text);
  assert.equal(text.slice(carets.indexOf('^'), carets.lastIndexOf('^') + 1), 'word');
  const [, start = '', below = ''] = shown(line, { line: 1, column: 1 });
  assert.ok(start.startsWith('    aaa') && start.endsWith('…'));
  assert.equal(below, '    ^');
  const [, end = '', last = ''] = shown(line, { line: 1, column: 1006 });
  assert.equal(end[last.indexOf('^')], 'b');
  assert.ok(!end.endsWith('…'));
});

test('a place that the file does not have is told without a line', () => {
  assert.deepEqual(shown('x', { line: 7, column: 1 }), ['f:7:1: error: no']);
  assert.deepEqual(shown('x', {}), ['f: error: no']);
  assert.equal(shown('x', { line: 1, column: 99 })[2]?.trim(), '^');
});

test('what was found comes in the order of files and places', () => {
  const texts = new Map([
    ['b', '1\n2\n'],
    ['a', '1\n'],
  ]);
  const found = [
    remark({ file: 'a', line: 1, column: 1 }),
    remark({ file: 'b', line: 2, column: 1, severity: 'note' }),
    remark({ file: 'b', line: 1, column: 2, severity: 'warning' }),
    remark({ file: 'b', line: 1, column: 1 }),
  ];
  const heads = renderRemarks(found, texts)
    .split('\n')
    .filter((line) => line.startsWith('a:') || line.startsWith('b:'));
  assert.deepEqual(heads, ['b:1:1: error: no', 'b:1:2: warning: no', 'b:2:1: note: no', 'a:1:1: error: no']);
});

test('a file is summed up: how many rules of how many units, and what was found in it', () => {
  const rule = (unit: string): string => `# ${unit} :: inet f c socket cgroupv2 level 1 "x" accept\n`;
  const parsed = parseRuleFile(rule('a.service') + rule('a.service') + rule('b.service'), 'f');
  assert.ok(parsed.ok);
  const { statements } = parsed;
  assert.equal(summaryLine('f', statements, []), 'f: 3 rules of 2 units, fine\n');
  assert.equal(
    summaryLine('f', statements, [
      remark({ severity: 'note' }),
      remark({ severity: 'warning' }),
      remark({}),
      remark({}),
    ]),
    'f: 3 rules of 2 units, 2 errors, 1 warning, 1 note\n',
  );
  assert.equal(summaryLine('g', statements, [remark({})]), 'g: no rules of units, fine\n');
  assert.equal(summaryLine('g', [], [remark({ file: 'g' })]), 'g: 1 error\n');
});
