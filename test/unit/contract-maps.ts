/** Looks into maps from a contract's sentences to tests: whether each test is there, and each test file of the module is named. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../checkout.ts';
import { namedTests, problemOf } from '../system/named-tests.ts';

const testFolder = join(checkout, 'test');

/** A line for each test that is named and not there. `calls`: as of problemOf(). */
export function problemsOf(map: string, calls: readonly string[]): readonly string[] {
  return namedTests(map).flatMap((test) => {
    const problem = problemOf(test, calls);
    return problem === undefined ? [] : [`${test.path} ${problem} (${test.line})`];
  });
}

/** Below test/, with `/`. */
function testFiles(): readonly string[] {
  return readdirSync(testFolder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'));
}

/** Test files of a module, by the word that is in their path, that a map does not name. */
export function unnamedFiles(map: string, word: string): readonly string[] {
  const named = new Set(namedTests(map).map(({ path }) => path));
  return testFiles().filter(
    (path) => path.includes(word) && !path.endsWith('contract-map.test.ts') && !named.has(path),
  );
}

/** Numbers of the sections that a map has, in their order. */
export function sectionsOf(map: string): readonly number[] {
  return [...map.matchAll(/^## (\d+)\. /gm)].map(([, number]) => Number(number));
}
