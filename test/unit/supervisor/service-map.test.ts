/** service-map.md names only tests that there are, and every test file of the service, its page and its package. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkout } from '../../checkout.ts';
import { namedTests } from '../../system/named-tests.ts';
import { problemsOf, sectionsOf, unnamedFiles } from '../contract-maps.ts';

const map = readFileSync(join(checkout, 'test', 'unit', 'supervisor', 'service-map.md'), 'utf8');
const calls = ['it', 'test', 'describe'];

/** A file that is named without a test is held as a whole. */
const problems = (text: string): readonly string[] =>
  problemsOf(text, calls).filter((problem) => !problem.includes('has no test ""'));

describe('the map of the service', () => {
  it('names only tests that there are', () => {
    assert.deepEqual(problems(map), []);
    assert.ok(namedTests(map).length > 120, `${namedTests(map).length} tests are named`);
  });

  it('has every section, and every test file of the service', () => {
    assert.deepEqual(sectionsOf(map), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const word of ['system/service', 'kernel/page', 'guard.test', 'attacker', 'deb.test', 'packag']) {
      assert.deepEqual(
        unnamedFiles(map, word).filter((path) => !path.startsWith('unit/dnstest/')),
        [],
        word,
      );
    }
  });

  it('would not pass with a test or a file that is not there', () => {
    assert.match(problems('- x → unit/none.test.ts: y')[0] ?? '', /does not exist/);
    assert.match(problems('- x → unit/none.test.ts')[0] ?? '', /does not exist/);
    assert.match(problems('- x → unit/packaging.test.ts: no such test')[0] ?? '', /has no test "no such test"/);
    assert.ok(unnamedFiles('', 'packag').includes('unit/packaging.test.ts'));
  });
});
