/** `--set KEY=TOMLVALUE`: single keys of the configuration, given on the command line (pure). */
import { type Diagnostic, DiagnosticError } from '../core/diagnostic.ts';
import { dottedPath } from '../core/dotted-path.ts';
import type { ConfigTable } from '../core/module.ts';
import { parseToml } from '../core/toml.ts';

export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** Stands where a file name stands in messages: `--set nbrpc.timers.pass`. */
  readonly label: string;
}

export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly diagnostic: Diagnostic };

const refused = (file: string, message: string) => ({ ok: false, diagnostic: { file, message } }) as const;

/** One command line argument, or what is wrong with it. */
export function parseOverride(text: string): Outcome<Override> {
  const equals = text.indexOf('=');
  const written = (equals < 0 ? text : text.slice(0, equals)).trim();
  const file = `--set ${written}`;
  if (equals < 0) return refused(file, 'must be KEY=VALUE, such as nbrpc.timers.pass=\'"4m"\'');
  let inner: unknown;
  try {
    inner = parseToml(text, file).value;
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    const quoted = JSON.stringify(text.slice(equals + 1).trim());
    return refused(file, `is not TOML; a text as value needs quotes: --set '${written}=${quoted}'`);
  }
  const path: string[] = [];
  for (let depth = keyDepth(written); depth > 0; depth--) {
    const [key, ...more] = Object.keys(inner as ConfigTable);
    if (key === undefined || more.length > 0) return refused(file, 'must set one key to one value');
    path.push(key);
    inner = (inner as ConfigTable)[key];
  }
  return { ok: true, value: { path, value: inner, label: `--set ${dottedPath(path)}` } };
}

/** How many keys a dotted key has: dots inside quotes do not count. */
function keyDepth(key: string): number {
  return key.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, 'q').split('.').length;
}

/** The table with the override in it; the given one stays as it is. */
export function applyOverride(table: ConfigTable, { path, value, label }: Override): Outcome<ConfigTable> {
  const [key, ...rest] = path;
  if (key === undefined) return { ok: true, value: table };
  if (rest.length === 0) return { ok: true, value: withKey(table, key, value) };
  const before = Object.hasOwn(table, key) ? table[key] : {};
  if (!isTable(before)) return refused(label, `${dottedPath([key])} is no table, so nothing can be set inside it`);
  const inner = applyOverride(before, { path: rest, value, label });
  return inner.ok ? { ok: true, value: withKey(table, key, inner.value) } : inner;
}

export function isTable(value: unknown): value is ConfigTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function withKey(table: ConfigTable, key: string, value: unknown): ConfigTable {
  return Object.fromEntries([...Object.entries(table).filter(([name]) => name !== key), [key, value]]);
}
