/** Where relative file names of the configuration begin (pure): at the folder of the file, or of the command line for `--set`. */
import { resolve } from 'node:path';
import type { ConfigTable } from '../core/module.ts';
import { isTable } from './config-override.ts';

/**
 * The table with every file name made absolute. `patterns`: dotted paths, `*` for each element of an array.
 * `folderOf` names the absolute folder at which the value at this path begins. Values that are no strings, and empty ones,
 * stay as they are: the module's parse() says what is wrong with them.
 */
export function resolvePaths(
  table: ConfigTable,
  patterns: readonly string[],
  folderOf: (path: readonly string[]) => string,
): ConfigTable {
  return patterns.reduce<ConfigTable>((result, pattern) => {
    const resolved = resolveAt(result, pattern.split('.'), [], folderOf);
    return isTable(resolved) ? resolved : result;
  }, table);
}

function resolveAt(
  value: unknown,
  pattern: readonly string[],
  path: readonly string[],
  folderOf: (path: readonly string[]) => string,
): unknown {
  const [key, ...rest] = pattern;
  if (key === undefined) return typeof value === 'string' && value !== '' ? resolve(folderOf(path), value) : value;
  if (key === '*') {
    if (!Array.isArray(value)) return value;
    return value.map((element, index) => resolveAt(element, rest, [...path, String(index)], folderOf));
  }
  if (!isTable(value) || !Object.hasOwn(value, key)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === key ? resolveAt(inner, rest, [...path, name], folderOf) : inner,
    ]),
  );
}
