/** contract-map.md names only tests that there are, and every test file of dnstest. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkout } from '../../checkout.ts';
import { namedTests } from '../../system/named-tests.ts';
import { problemsOf, sectionsOf, unnamedFiles } from '../contract-maps.ts';

const map = readFileSync(join(checkout, 'test', 'unit', 'dnstest', 'contract-map.md'), 'utf8');

/** `named`, `kresd`: settings of other resolvers, each of which is a test. */
const calls = ['it', 'test', 'describe', 'named', 'kresd'];

describe('the map of the dnstest contract', () => {
  it('names only tests that there are', () => {
    assert.deepEqual(problemsOf(map, calls), []);
    assert.ok(namedTests(map).length > 120, `${namedTests(map).length} tests are named`);
  });

  it('has every section, and every test file', () => {
    assert.deepEqual(sectionsOf(map), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(unnamedFiles(map, 'dnstest'), []);
  });

  it('would not pass with a test or a file that is not there', () => {
    const problem = (line: string): string | undefined => problemsOf(line, calls)[0];
    assert.match(problem('- x → unit/dnstest/none.test.ts: y') ?? '', /^unit\/dnstest\/none\.test\.ts does not exist/);
    assert.match(problem('- x → unit/dnstest/draw.test.ts: no such test') ?? '', /has no test "no such test"/);
    assert.equal(problem('- x → kernel/dnstest-serve-resolvers.test.ts: Knot Resolver with STUB'), undefined);
    assert.ok(unnamedFiles('', 'dnstest').includes('unit/dnstest/draw.test.ts'));
  });
});
