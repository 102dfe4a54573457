/** Maps from sentences of a specification to the tests that hold them: `- SENTENCE → FILE: NAME | FILE: NAME`, a sentence a line. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../checkout.ts';

export interface NamedTest {
  readonly line: string;
  /** Below test/, or `bench/…`. */
  readonly path: string;
  /** Of a test, of a group of them, or of a case of a table, as its source has it; empty for a file of bench/. */
  readonly name: string;
}

/** The tests that a map names, in its order. Throws where a sentence names none. */
export function namedTests(map: string): readonly NamedTest[] {
  return map
    .split('\n')
    .filter((line) => line.startsWith('- '))
    .flatMap((line) => {
      const [, tests] = line.split(' → ');
      assert.ok(tests !== undefined, `${line} names no test`);
      return tests.split(' | ').map((test) => {
        const [path = '', ...name] = test.split(': ');
        return { line, path, name: name.join(': ') };
      });
    });
}

/** Why it cannot be held by that test; undefined where it can. `calls`: what is called with a name as its first argument. */
export function problemOf({ path, name }: NamedTest, calls: readonly string[]): string | undefined {
  const bench = path.startsWith('bench/');
  const at = join(checkout, bench ? '' : 'test', path);
  if (!existsSync(at)) return 'does not exist';
  if (bench) return undefined;
  // A name that does not fit beside its call stands in a line of its own.
  const text = readFileSync(at, 'utf8').replaceAll(/\(\n\s*/g, '(');
  const literals = [`'${name}'`, `"${name}"`, `\`${name}\``];
  const there = literals.some((literal) => calls.some((call) => text.includes(`${call}(${literal}`)));
  return there ? undefined : `has no test "${name}"`;
}
