/** TOML text to plain values and the place of each: one parse gives both. */
import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import { type Diagnostic, DiagnosticError } from './diagnostic.ts';
import type { ConfigTable } from './module.ts';

export type TomlPath = readonly (string | number)[];

/** Lines and columns count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a key stands, and its value: `port = 80` has two places. */
export interface Place {
  readonly key: Position;
  readonly value: Position;
}

export interface TomlDocument {
  readonly value: ConfigTable;
  /** The place of the value at this path; of its nearest known ancestor where it has none (a missing key). Undefined: the whole file. */
  readonly placeOf: (path: TomlPath) => Place | undefined;
}

/**
 * Integers are numbers where a double holds them exactly, else bigints; dates are Date objects (times of day stay text).
 * Throws DiagnosticError `config-invalid` with the place of a syntax error. `file` is used in messages only.
 */
export function parseToml(text: string, file: string): TomlDocument {
  let program: AST.TOMLProgram;
  try {
    program = parseTOML(text.startsWith('\ufeff') ? text.slice(1) : text, { tomlVersion: '1.0' });
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new DiagnosticError('config-invalid', [syntaxError(error, file)]);
  }
  const builder = new DocumentBuilder();
  builder.body(program.body[0].body);
  return { value: builder.root, placeOf: (path) => builder.placeOf(path) };
}

function syntaxError(error: ParseError, file: string): Diagnostic {
  // The parser counts columns from 0.
  const message = `not TOML here: ${error.message.slice(0, 1).toLowerCase()}${error.message.slice(1)}`;
  return { file, line: error.lineNumber, column: error.column + 1, message };
}

type Table = Record<string, unknown>;

/** An own property even for `__proto__`, which plain assignment would turn into a prototype. */
function define(table: Table, key: string, value: unknown): void {
  Object.defineProperty(table, key, { value, writable: true, enumerable: true, configurable: true });
}

class DocumentBuilder {
  readonly root: Table = {};
  readonly #places = new Map<string, Place>();

  body(nodes: readonly (AST.TOMLKeyValue | AST.TOMLTable)[]): void {
    for (const node of nodes) {
      if (node.type === 'TOMLKeyValue') this.#keyValue(this.root, [], node);
      else this.#table(node);
    }
  }

  placeOf(path: TomlPath): Place | undefined {
    for (let length = path.length; length > 0; length--) {
      const place = this.#places.get(placeKey(path.slice(0, length)));
      if (place !== undefined) return place;
    }
    return undefined;
  }

  #note(path: TomlPath, key: AST.TOMLNode, value: AST.TOMLNode): void {
    const id = placeKey(path);
    if (!this.#places.has(id)) this.#places.set(id, { key: startOf(key), value: startOf(value) });
  }

  #table(node: AST.TOMLTable): void {
    // resolvedKey also holds the index in each array of tables on the way; `at` counts the written keys.
    let container: Table | unknown[] = this.root;
    let at = 0;
    node.resolvedKey.forEach((key, depth) => {
      const written = node.key.keys[typeof key === 'string' ? at++ : Math.max(0, at - 1)] ?? node.key;
      this.#note(node.resolvedKey.slice(0, depth + 1), written, written);
      container = descend(container, key, typeof node.resolvedKey[depth + 1] === 'number');
    });
    for (const child of node.body) this.#keyValue(container as Table, node.resolvedKey, child);
  }

  #keyValue(table: Table, prefix: TomlPath, node: AST.TOMLKeyValue): void {
    const names = node.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));
    let container: Table = table;
    names.forEach((name, depth) => {
      const path = [...prefix, ...names.slice(0, depth + 1)];
      const written = node.key.keys[depth] ?? node.key;
      if (depth < names.length - 1) {
        this.#note(path, written, written);
        container = descend(container, name, false) as Table;
      } else {
        this.#note(path, written, node.value);
        define(container, name, this.#content(path, node.value));
      }
    });
  }

  #content(path: TomlPath, node: AST.TOMLContentNode): unknown {
    switch (node.type) {
      case 'TOMLArray':
        return node.elements.map((element, index) => {
          const inner = [...path, index];
          this.#note(inner, element, element);
          return this.#content(inner, element);
        });
      case 'TOMLInlineTable': {
        const table: Table = {};
        for (const child of node.body) this.#keyValue(table, path, child);
        return table;
      }
      case 'TOMLValue':
        if (node.kind === 'integer')
          return Number.isSafeInteger(Number(node.bigint)) ? Number(node.bigint) : node.bigint;
        return node.kind === 'local-time' ? node.datetime : node.value;
    }
  }
}

function descend(container: Table | unknown[], key: string | number, array: boolean): Table | unknown[] {
  if (Array.isArray(container)) {
    const index = key as number;
    container[index] ??= {};
    return container[index] as Table;
  }
  const name = String(key);
  if (!Object.hasOwn(container, name)) define(container, name, array ? [] : {});
  return container[name] as Table | unknown[];
}

function startOf(node: AST.TOMLNode): Position {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}

function placeKey(path: TomlPath): string {
  return JSON.stringify(path);
}
