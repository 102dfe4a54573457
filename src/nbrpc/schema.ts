/** The state file: its tables, and how it is known to be ours and of a version that we understand. */
import { NetstewardError } from '../core/errors.ts';
import type { Database } from '../system/ports.ts';

/** `nsnb`, in the header of the file (SQLite file format §1.3.15). */
export const applicationId = 0x6e736e62;
export const schemaVersion = 3;

const schema = `
  CREATE TABLE lists (
    path TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    mtime REAL
  ) STRICT;
  CREATE TABLE list_entries (
    list TEXT NOT NULL REFERENCES lists (path) ON DELETE CASCADE ON UPDATE CASCADE,
    rank INTEGER NOT NULL,
    host TEXT NOT NULL,
    check_type TEXT NOT NULL,
    check_path TEXT NOT NULL,
    check_result TEXT NOT NULL,
    policy TEXT NOT NULL,
    PRIMARY KEY (list, host)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    check_type TEXT NOT NULL,
    check_path TEXT NOT NULL,
    check_result TEXT NOT NULL,
    policy TEXT NOT NULL,
    state TEXT CHECK (state IN ('ok', 'failing', 'unstable', 'na')),
    checked REAL NOT NULL,
    changed REAL NOT NULL,
    failing_since REAL NOT NULL,
    reason TEXT NOT NULL,
    changed_counted REAL NOT NULL,
    failing_counted REAL NOT NULL,
    exit TEXT,
    cause TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE TABLE timeline (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    counted REAL NOT NULL,
    lost REAL NOT NULL
  ) STRICT;
  CREATE TABLE addresses (
    id INTEGER PRIMARY KEY,
    host INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    state TEXT CHECK (state IN ('ok', 'na', 'skipped')),
    reason TEXT NOT NULL,
    seen REAL NOT NULL,
    checked REAL NOT NULL,
    changed REAL NOT NULL,
    alt_checked REAL NOT NULL,
    alt_reason TEXT NOT NULL,
    down REAL NOT NULL,
    prompt TEXT,
    cause TEXT NOT NULL DEFAULT '',
    UNIQUE (host, address)
  ) STRICT;
`;

/** Each from its version to the next. */
const migrations: ReadonlyMap<number, string> = new Map([
  [
    1,
    `
      ALTER TABLE hosts ADD COLUMN changed_counted REAL NOT NULL DEFAULT 0;
      ALTER TABLE hosts ADD COLUMN failing_counted REAL NOT NULL DEFAULT 0;
      UPDATE hosts SET changed_counted = changed, failing_counted = failing_since;
      CREATE TABLE timeline (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        counted REAL NOT NULL,
        lost REAL NOT NULL
      ) STRICT;
    `,
  ],
  [
    2,
    `
      ALTER TABLE hosts ADD COLUMN exit TEXT;
      ALTER TABLE addresses ADD COLUMN prompt TEXT;
      ALTER TABLE hosts ADD COLUMN cause TEXT NOT NULL DEFAULT '';
      ALTER TABLE addresses ADD COLUMN cause TEXT NOT NULL DEFAULT '';
    `,
  ],
]);

/** Makes the tables in an empty file, and those of this version in a file of an older one; throws NetstewardError for a file of others or of a newer version. */
export function prepareSchema(database: Database, path: string): void {
  if (versionOf(database, path) === schemaVersion) return;
  database.transaction(() => {
    // Another process may have made them meanwhile.
    let version = versionOf(database, path);
    if (version === schemaVersion) return;
    if (version === 0) {
      database.exec(schema);
      database.exec(`PRAGMA application_id = ${applicationId}`);
    } else for (; version < schemaVersion; version++) database.exec(migrations.get(version) ?? '');
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}

/** 0 for an empty database. */
function versionOf(database: Database, path: string): number {
  const id = Number(database.prepare('PRAGMA application_id').get()?.application_id ?? 0);
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  const tables = Number(database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count ?? 0);
  if (id === 0 && version === 0 && tables === 0) return 0;
  const problem = headerProblem(id, version, path);
  if (problem !== undefined) throw problem;
  return version;
}

/** What is wrong with a file whose header says this; undefined for one of ours. */
export function headerProblem(id: number, version: number, path: string): NetstewardError | undefined {
  if (id !== applicationId) {
    return new NetstewardError('state-file-foreign', `${path} is an SQLite database of some other program`, {
      remedy: 'Name another state file, or move that one away.',
    });
  }
  if (version > schemaVersion) {
    const message = `${path} is of version ${version}, this netsteward knows versions up to ${schemaVersion}`;
    return new NetstewardError('state-file-newer', message, {
      remedy: 'Run the newer netsteward, or move the file away to start with an empty state.',
    });
  }
  return undefined;
}
