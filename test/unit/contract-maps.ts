/** Looks into maps from a contract's sentences to tests: whether each test is there, and each test file of the module is named. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../checkout.ts';
import { namedTests, problemOf } from '../system/named-tests.ts';

const testFolder = join(checkout, 'test');

/** A line for each test that is named and not there. `calls`: as of problemOf(). */
export function problemsOf(map: string, calls: readonly string[]): readonly string[] {
  return namedTests(map).flatMap((test) => {
    const problem = problemOf(test, calls);
    if (problem === undefined || hasLongName(test, calls)) return [];
    return [`${test.path} ${problem} (${test.line})`];
  });
}

/** Names that do not fit beside their call stand in a line of their own. */
function hasLongName({ path, name }: { readonly path: string; readonly name: string }, calls: readonly string[]) {
  if (name === '' || !existing(path)) return false;
  const text = readFileSync(join(testFolder, path), 'utf8').replaceAll(/\(\n\s*/g, '(');
  return ["'", '"', '`'].some((quote) => calls.some((call) => text.includes(`${call}(${quote}${name}${quote}`)));
}

function existing(path: string): boolean {
  return testFiles().includes(path);
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
