/** What is wrong in a file that a person wrote, with its place: `netsteward.toml:9:8: nbrpc.check.0.port: must be …`. */
import { NetstewardError } from './errors.ts';

/** A problem inside one parsed value; `path` leads to it from the root of the value. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** A problem with its place in a file. Lines and columns count from 1. */
export interface Diagnostic {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  /** Dotted path of the key, where the file has keys. */
  readonly path?: string;
  readonly message: string;
}

export function formatDiagnostic(d: Diagnostic): string {
  const place = [d.file, d.line, d.line === undefined ? undefined : d.column].filter((part) => part !== undefined);
  const path = d.path === undefined || d.path === '' ? '' : `${d.path}: `;
  return `${place.join(':')}: ${path}${d.message}`;
}

/** Every problem of a file (or of several) at once. */
export class DiagnosticError extends NetstewardError {
  override name = 'DiagnosticError';
  readonly diagnostics: readonly Diagnostic[];

  constructor(code: string, diagnostics: readonly Diagnostic[], remedy?: string) {
    super(code, diagnostics.map(formatDiagnostic).join('\n'), remedy === undefined ? {} : { remedy });
    this.diagnostics = diagnostics;
  }
}
