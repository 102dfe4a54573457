/** contract-map.md names only tests that there are, and every test file of dyndns. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkout } from '../../checkout.ts';
import { namedTests } from '../../system/named-tests.ts';
import { problemsOf, sectionsOf, unnamedFiles } from '../contract-maps.ts';

const map = readFileSync(join(checkout, 'test', 'unit', 'dyndns', 'contract-map.md'), 'utf8');

/** `outside`: a test of kernel/dyndns-zone-files that needs no namespace. */
const calls = ['it', 'test', 'describe', 'outside'];

describe('the map of the dyndns contract', () => {
  it('names only tests that there are', () => {
    assert.deepEqual(problemsOf(map, calls), []);
    assert.ok(namedTests(map).length > 150, `${namedTests(map).length} tests are named`);
  });

  it('has every section, every defect of the original, and every test file', () => {
    assert.deepEqual(sectionsOf(map), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const defects = [...map.matchAll(/^- (\d+): /gm)].map(([, number]) => Number(number));
    assert.deepEqual(
      defects,
      Array.from({ length: 15 }, (_, index) => index + 1),
    );
    assert.deepEqual(unnamedFiles(map, 'dyndns'), []);
  });

  it('would not pass with a test or a file that is not there', () => {
    const problem = (line: string): string | undefined => problemsOf(line, calls)[0];
    assert.match(problem('- x → unit/dyndns/none.test.ts: y') ?? '', /^unit\/dyndns\/none\.test\.ts does not exist/);
    assert.match(problem('- x → unit/dyndns/keys.test.ts: no such test') ?? '', /has no test "no such test"/);
    assert.match(problem('- x → contract/zone-file-io.test.ts: extended') ?? '', /has no test "extended"/);
    assert.equal(
      problem('- x → contract/zone-file-io.test.ts: extended attributes and access lists are kept'),
      undefined,
    );
    assert.ok(unnamedFiles('', 'dyndns').includes('unit/dyndns/keys.test.ts'));
  });
});
