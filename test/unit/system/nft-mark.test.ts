/** Where nft's caret points: from its message to a column of the script, and from there to an operation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nftErrorFrom } from '../../../src/system/nft-error.ts';
import { filePathProblem, type NftOperation, nftScript } from '../../../src/system/nft-script.ts';

const table = { family: 'inet', name: 'filter' } as const;

test('the caret of a message is a stretch of the line above it', () => {
  const { mark, refusal } = nftErrorFrom(
    'Error: syntax error, unexpected string\nadd rule inet f c tcp dprt 25\n                      ^^^^\n',
  );
  assert.deepEqual([mark, refusal], [{ from: 22, to: 26 }, 'syntax']);
});

test('carets on several words are one stretch, and tildes are carets', () => {
  const { mark } = nftErrorFrom('Error: no\nadd rule inet f c ip saddr @x accept\n                  ~~~~~~~~ ^^\n');
  assert.deepEqual(mark, { from: 18, to: 29 });
});

test('a line of any length keeps its caret, although the message shows only its beginning', () => {
  const line = `${'x'.repeat(100_000)} bad`;
  const error = nftErrorFrom(`Error: no\n${line}\n${' '.repeat(100_001)}^^^\n`);
  assert.deepEqual(error.mark, { from: 100_001, to: 100_004 });
  assert.ok(error.message.length < 1000);
});

test('of several complaints the first one counts', () => {
  assert.deepEqual(nftErrorFrom('Error: a\nfoo bar\n    ^^^\nError: b\nfoo bar\n^^^\n').mark, { from: 4, to: 7 });
});

test('a complaint of an included file, or without a caret, points at no word of the script', () => {
  for (const output of [
    'In file included from <cmdline>:1:1-26:\n/f.nft:3:3-6: Error: syntax error\n  rule oops\n  ^^^^\n',
    '/f.nft:3:3-6: Error: syntax error\n  rule oops\n  ^^^^\n',
    'Error: Could not process rule: Operation not supported\n',
    'netlink: Error: cache initialization failed: Operation not permitted\n',
    '',
  ]) {
    assert.equal(nftErrorFrom(output).mark, undefined, output);
  }
});

test('each column of a script belongs to an operation, and what stands between two to none', () => {
  const script = nftScript(
    { op: 'add-table', table },
    { op: 'add-elements', table, set: 'none', addresses: [] },
    { op: 'add-statement', table, chain: 'c', statement: 'accept' },
  );
  assert.equal(script.line, 'add table inet filter; add rule inet filter c accept');
  assert.deepEqual(script.at(0), { operation: 0, text: 'add table inet filter', column: 0 });
  assert.deepEqual(script.at(20), { operation: 0, text: 'add table inet filter', column: 20 });
  assert.equal(script.at(21), undefined);
  assert.deepEqual(script.at(23), { operation: 2, text: 'add rule inet filter c accept', column: 0 });
  assert.deepEqual(script.at(51)?.column, 28);
  for (const column of [52, 1000, -1]) assert.equal(script.at(column), undefined);
});

test('the text at a column is what the line has there', () => {
  const operation: fc.Arbitrary<NftOperation> = fc.constantFrom<NftOperation>(
    { op: 'add-table', table },
    { op: 'flush-chain', table, chain: 'c' },
    { op: 'add-elements', table, set: 's', addresses: [] },
    { op: 'include', path: '/etc/nftables.conf' },
  );
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 10 }), fc.nat(400), (operations, column) => {
      const script = nftScript(...operations);
      const found = script.at(column);
      if (found === undefined) return;
      assert.equal(found.text[found.column], script.line[column]);
      assert.equal(nftScript(...operations.slice(found.operation, found.operation + 1)).line, found.text);
    }),
  );
});

test('a file is included by its absolute path, in letters that nft takes as they are', () => {
  assert.equal(nftScript({ op: 'include', path: '/etc/my rules/nft.conf' }).line, 'include "/etc/my rules/nft.conf"');
  for (const path of [
    'relative',
    '',
    '/a"; flush ruleset',
    '/a\nb',
    '/a*',
    '/a?',
    '/a[b]',
    '/a\\b',
    '/é',
    '/~x',
    '/{a,b}',
  ]) {
    assert.equal(typeof filePathProblem(path), 'string', path);
    assert.throws(() => nftScript({ op: 'include', path }), { code: 'nft-script-invalid' }, path);
  }
});
