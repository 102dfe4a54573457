/** netsteward.toml and --set to a typed configuration of every module, or all problems of all of them at once. */
import { dirname, resolve } from 'node:path';
import { type Diagnostic, DiagnosticError, formatDiagnostic, type Problem } from '../core/diagnostic.ts';
import { dottedPath } from '../core/dotted-path.ts';
import { errnoOf, NetstewardError } from '../core/errors.ts';
import { type ConfigTable, type ModuleName, moduleNames } from '../core/module.ts';
import { parseWith } from '../core/schema.ts';
import { parseToml, type TomlDocument } from '../core/toml.ts';
import type { BoundModule, ModuleRegistry } from './bound-module.ts';
import { applyOverride, isTable, type Override, parseOverride } from './config-override.ts';
import { resolvePaths } from './config-paths.ts';
import { type GeneralConfig, generalSchema } from './general-config.ts';
import { withService } from './page/config.ts';

/** Where a configuration comes from: enough to read it again at a reload. */
export interface ConfigSource {
  /** As the user wrote it; messages name it so. */
  readonly file: string;
  /** The values of `--set`, in order; a later one wins. */
  readonly overrides: readonly string[];
  /** The absolute folder at which `file` and the file names inside overrides begin. */
  readonly workingDirectory: string;
}

export interface ConfiguredModule {
  readonly module: BoundModule;
  readonly config: unknown;
}

export interface Configuration extends GeneralConfig {
  /** In the order in which they start. */
  readonly modules: ReadonlyMap<ModuleName, ConfiguredModule>;
}

/** Reads a text file; rejects with a Node system error, or with NetstewardError `file-not-regular` for a folder, a pipe and the like. */
export type ReadText = (path: string) => Promise<string>;

/** Throws DiagnosticError `config-invalid` with every problem, or NetstewardError `config-unreadable`. */
export async function loadConfiguration(
  source: ConfigSource,
  registry: ModuleRegistry,
  readText: ReadText,
): Promise<Configuration> {
  let text: string;
  try {
    text = await readText(resolve(source.workingDirectory, source.file));
  } catch (error) {
    throw new NetstewardError('config-unreadable', `${source.file}: cannot be read: ${reasonOf(error)}`, {
      remedy: 'Name the configuration with --config FILE; netsteward.example.toml is one to start from.',
      cause: error,
    });
  }
  return parseConfiguration(text, source, registry);
}

function reasonOf(error: unknown): string {
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    ELOOP: 'too many symbolic links',
    'file-not-regular': 'it is not a regular file',
  };
  return (
    known[error instanceof NetstewardError ? error.code : (errnoOf(error) ?? '')] ??
    (error instanceof Error ? error.message : String(error))
  );
}

/** The same from text. Loads the code of just the modules that the text names. */
export async function parseConfiguration(
  text: string,
  source: ConfigSource,
  registry: ModuleRegistry,
): Promise<Configuration> {
  const document = parseToml(text, source.file);
  const diagnostics: Diagnostic[] = [];
  const { table, overrides } = withOverrides(document.value, source.overrides, diagnostics);
  const places = new Places(source, document, overrides);
  const report = (problem: Problem): void => void diagnostics.push(places.diagnose(problem));

  for (const path of forbiddenKeys(table, [])) report({ path, message: 'unknown key' });
  const general = parseGeneral(table, places, report);
  const modules = await parseModules(table, registry, places, report);
  const page = modules.get('page');
  if (page !== undefined && general !== undefined) {
    modules.set('page', { ...page, config: withService(page.config, general) });
  }
  for (const [index, name] of (general?.supervisor.must_start ?? []).entries()) {
    if (Object.hasOwn(table, name)) continue;
    report({
      path: ['supervisor', 'must_start', index],
      message: `[${name}] is not on: add its table, or leave it out here`,
    });
  }
  if (diagnostics.length > 0 || general === undefined) {
    throw new DiagnosticError('config-invalid', sortByPlace(diagnostics));
  }
  return { ...general, modules };
}

function withOverrides(table: ConfigTable, texts: readonly string[], diagnostics: Diagnostic[]) {
  const overrides: Override[] = [];
  let result = table;
  for (const text of texts) {
    const parsed = parseOverride(text);
    const applied = parsed.ok ? applyOverride(result, parsed.value) : parsed;
    if (!applied.ok) {
      diagnostics.push(applied.diagnostic);
    } else if (parsed.ok) {
      result = applied.value;
      overrides.push(parsed.value);
    }
  }
  return { table: result, overrides };
}

/** Keys such as `__proto__` and `constructor`: every object has them, so a schema cannot see that they are unknown. */
function* forbiddenKeys(value: unknown, path: readonly (string | number)[]): Generator<readonly (string | number)[]> {
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) yield* forbiddenKeys(element, [...path, index]);
  } else if (isTable(value)) {
    for (const [key, inner] of Object.entries(value)) {
      if (key in Object.prototype) yield [...path, key];
      yield* forbiddenKeys(inner, [...path, key]);
    }
  }
}

const isModuleName = (key: string): key is ModuleName => moduleNames.some((name) => name === key);

function parseGeneral(
  table: ConfigTable,
  places: Places,
  report: (problem: Problem) => void,
): GeneralConfig | undefined {
  const own = Object.fromEntries(Object.entries(table).filter(([key]) => !isModuleName(key)));
  const parsed = parseWith(generalSchema, resolvePaths(own, ['control.socket', 'history.file'], places.folderOf));
  if (parsed.ok) return parsed.config;
  for (const problem of parsed.problems) report(problem);
  return undefined;
}

async function parseModules(
  table: ConfigTable,
  registry: ModuleRegistry,
  places: Places,
  report: (problem: Problem) => void,
): Promise<Map<ModuleName, ConfiguredModule>> {
  const modules = new Map<ModuleName, ConfiguredModule>();
  const on = moduleNames.filter((name) => Object.hasOwn(table, name));
  for (const name of on) {
    const own = table[name];
    const load = registry.get(name);
    if (load === undefined) {
      const known = [...registry.keys()].map((each) => `[${each}]`).join(', ');
      report({ path: [name], message: `this version of netsteward does not have this module (it has ${known})` });
    } else if (!isTable(own)) {
      report({ path: [name], message: `must be a table: [${name}]` });
    } else {
      const module = await load();
      const parsed = await module.parse(resolvePaths(own, module.paths, (path) => places.folderOf([name, ...path])));
      if (parsed.ok) modules.set(name, { module, config: parsed.config });
      else for (const { path, message } of parsed.problems) report({ path: [name, ...path], message });
    }
  }
  // The page alone would have nothing to show.
  if (on.every((name) => name === 'page')) {
    const known = [...registry.keys()]
      .filter((name) => name !== 'page')
      .map((each) => `[${each}]`)
      .join(', ');
    report({ path: [], message: `no module is on: add the table of at least one (${known})` });
  }
  return modules;
}

/** From a key's path to where it was written: a `--set`, or a line and column of the file. */
class Places {
  readonly #source: ConfigSource;
  readonly #document: TomlDocument;
  readonly #overrides: readonly Override[];

  constructor(source: ConfigSource, document: TomlDocument, overrides: readonly Override[]) {
    this.#source = source;
    this.#document = document;
    this.#overrides = overrides;
  }

  #overrideOf(path: readonly (string | number)[]): Override | undefined {
    return this.#overrides.findLast((override) => override.path.every((key, index) => path[index] === key));
  }

  readonly folderOf = (path: readonly string[]): string => {
    const { workingDirectory, file } = this.#source;
    return this.#overrideOf(path) === undefined ? dirname(resolve(workingDirectory, file)) : workingDirectory;
  };

  diagnose({ path, message }: Problem): Diagnostic {
    const override = this.#overrideOf(path);
    if (override !== undefined) {
      const inner = dottedPath(path.slice(override.path.length));
      return { file: override.label, message, ...(inner === '' ? {} : { path: inner }) };
    }
    const place = this.#document.placeOf(path);
    const position = message.startsWith('unknown key') ? place?.key : place?.value;
    return { file: this.#source.file, message, path: dottedPath(path), ...position };
  }
}

/** Each once: a schema sees some of the forbidden keys too. */
function sortByPlace(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const different = new Map(diagnostics.map((each) => [formatDiagnostic(each), each]));
  return [...different.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
