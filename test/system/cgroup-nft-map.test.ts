/** cgroup-nft-map.md names only tests that there are, and every test of its subject. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkout } from '../checkout.ts';
import { namedTests, problemOf } from './named-tests.ts';

const folder = join(checkout, 'test', 'system');
const map = readFileSync(join(folder, 'cgroup-nft-map.md'), 'utf8');

/** `kind`: a row of the table of cgroup-nft-units.test.ts. */
const calls = ['it', 'test', 'describe', 'kind'];

describe('the map of cgroup-nft’s tests with systemd', () => {
  it('names only tests that there are', () => {
    const named = namedTests(map);
    const problems = named.flatMap((test) => {
      const problem = problemOf(test, calls);
      return problem === undefined ? [] : [`${test.path} ${problem} (${test.line})`];
    });
    assert.deepEqual(problems, []);
    assert.ok(named.length > 60, `${named.length} tests are named`);
  });

  it('has every test of kinds of units and of what others do', () => {
    const files = ['units', 'user-units', 'others', 'chains', 'no-journal'].map((name) => `cgroup-nft-${name}.test.ts`);
    const there = readdirSync(folder);
    assert.deepEqual(
      files.filter((file) => !there.includes(file)),
      [],
    );
    const named = new Set(namedTests(map).map(({ path, name }) => `${path}: ${name}`));
    const tests = files.flatMap((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return [...text.matchAll(/\b(?:test|kind)\((['`])(.+?)\1,/g)].map(([, , name]) => `system/${file}: ${name}`);
    });
    assert.ok(tests.length > 45, `${tests.length} tests were found`);
    assert.deepEqual(
      tests.filter((test) => !named.has(test)),
      [],
    );
  });

  it('would not pass with a test that is not there', () => {
    const problem = (line: string): string | undefined => namedTests(line).map((test) => problemOf(test, calls))[0];
    assert.equal(problem('- x → system/none.test.ts: y'), 'does not exist');
    assert.equal(problem('- x → bench/none.ts'), 'does not exist');
    assert.match(problem('- x → system/journal.test.ts: no such test') ?? '', /has no test "no such test"/);
    assert.match(problem('- x → system/cgroup-nft-units.test.ts: again.service') ?? '', /has no test/);
    assert.equal(problem('- x → system/cgroup-nft-units.test.ts: a service of Type=exec'), undefined);
    assert.throws(() => namedTests('- a sentence without a test'), /names no test/);
  });
});
