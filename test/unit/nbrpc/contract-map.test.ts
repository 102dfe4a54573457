/** contract-map.md names only tests that there are, and every story. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkout } from '../../checkout.ts';
import { type NamedTest, namedTests, problemOf } from '../../system/named-tests.ts';

const root = join(checkout, 'test');
const map = readFileSync(join(root, 'unit', 'nbrpc', 'contract-map.md'), 'utf8');

const calls = ['it', 'test', 'describe'];

/** A name of a test or a group, or `stories/NN-name`, which needs none. */
function problemHere(test: NamedTest): string | undefined {
  if (!test.path.startsWith('stories/')) return problemOf(test, calls);
  if (!existsSync(join(root, test.path))) return 'does not exist';
  return existsSync(join(root, test.path, 'expected')) ? undefined : 'is no story';
}

describe('the map of the contract', () => {
  it('names only tests that there are', () => {
    const named = namedTests(map);
    const problems = named.flatMap((test) => {
      const problem = problemHere(test);
      return problem === undefined ? [] : [`${test.path} ${problem} (${test.line})`];
    });
    assert.deepEqual(problems, []);
    assert.ok(named.length > 150, `${named.length} tests are named`);
  });

  it('has every section, and every story', () => {
    const sections = [...map.matchAll(/^## (\d+)\. /gm)].map(([, number]) => Number(number));
    assert.deepEqual(sections, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const stories = readdirSync(join(root, 'stories')).map((name) => `stories/${name}`);
    const named = new Set(namedTests(map).map(({ path }) => path));
    assert.deepEqual(
      stories.filter((story) => !named.has(story)),
      ['stories/01-blocked-and-back'],
    );
  });

  it('would not pass with a test that is not there', () => {
    const problem = (line: string): string | undefined => namedTests(line).map(problemHere)[0];
    assert.equal(problem('- x → stories/99-nothing'), 'does not exist');
    assert.equal(problem('- x → unit/nbrpc/none.test.ts: y'), 'does not exist');
    assert.match(problem('- x → unit/nbrpc/print.test.ts: no such test') ?? '', /has no test "no such test"/);
    assert.equal(problem('- x → unit/nbrpc/print.test.ts: a zone'), undefined);
    assert.throws(() => namedTests('- a sentence without a test'), /names no test/);
  });
});
