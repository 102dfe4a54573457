/** beyond-map.md names only tests that there are, and every test file that came with what it maps. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkout } from '../../checkout.ts';
import { namedTests } from '../../system/named-tests.ts';
import { problemsOf, sectionsOf, unnamedFiles } from '../contract-maps.ts';

const map = readFileSync(join(checkout, 'test', 'unit', 'nbrpc', 'beyond-map.md'), 'utf8');
const calls = ['it', 'test', 'describe'];

/** A file that is named without a test is held as a whole. */
const problems = (text: string): readonly string[] =>
  problemsOf(text, calls).filter((problem) => !problem.includes('has no test ""'));

describe('the map of what nbrpc does beyond its contract', () => {
  it('names only tests that there are', () => {
    assert.deepEqual(problems(map), []);
    assert.ok(namedTests(map).length > 100, `${namedTests(map).length} tests are named`);
  });

  it('has every section, and every test file of these parts', () => {
    assert.deepEqual(sectionsOf(map), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const word of [
      'nbrpc/prompt-',
      'exit',
      'claims',
      'in-use',
      'nbrpc/reason',
      'reactions',
      'what-if',
      'replay-compare',
    ]) {
      assert.deepEqual(
        unnamedFiles(map, word).filter((path) => !path.startsWith('unit/supervisor/')),
        [],
        word,
      );
    }
  });

  it('would not pass with a test that is not there', () => {
    assert.match(problems('- x → unit/none.test.ts: y')[0] ?? '', /does not exist/);
    assert.match(problems('- x → unit/nbrpc/claims.test.ts: no such test')[0] ?? '', /has no test "no such test"/);
  });
});
