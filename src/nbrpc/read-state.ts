/** The state out of its file without changing it, beside whoever writes to it. */
import { NetstewardError } from '../core/errors.ts';
import type { Database, SqlRow } from '../system/ports.ts';
import { loadState } from './rows.ts';
import { headerProblem, schemaVersion } from './schema.ts';
import type { State } from './state.ts';

export interface SqlReader {
  /** Throws SQLite's errors. */
  all(text: string, parameters: readonly (string | number)[]): readonly SqlRow[];
}

/** Throws NetstewardError: `state-file-foreign`, `-newer`, `-older`, `-damaged`; and SQLite's errors. */
export function readState(reader: SqlReader, path: string): State {
  const number = (name: string): number => Number(reader.all(`PRAGMA ${name}`, [])[0]?.[name] ?? 0);
  const version = number('user_version');
  const problem = headerProblem(number('application_id'), version, path);
  if (problem !== undefined) throw problem;
  if (version < schemaVersion) {
    throw new NetstewardError('state-file-older', `${path} was written by an older netsteward, of version ${version}`, {
      remedy: 'Start netsteward once: it brings the file up to date.',
    });
  }
  return loadState(readOnly(reader), path);
}

function readOnly(reader: SqlReader): Database {
  const refuse = (): never => {
    throw new Error('this connection only reads');
  };
  return {
    mark: undefined,
    inPlace: () => true,
    exec: refuse,
    transaction: refuse,
    close: refuse,
    prepare: (text) => ({
      all: (...parameters) => [...reader.all(text, parameters as (string | number)[])],
      get: (...parameters) => reader.all(text, parameters as (string | number)[])[0],
      run: refuse,
    }),
  };
}
