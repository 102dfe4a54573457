/** The folder of one lab: how others find it, and what a crash leaves to be cleaned up. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError, errnoOf } from '../core/errors.ts';
import { labError } from './lab-error.ts';
import { isAlive, type ProcessId } from './process-id.ts';

/** What `lab.json` says. */
export interface LabRecord {
  /** Who brings or brought it up. */
  readonly starter: ProcessId;
  /** The first process of the lab's pid namespace: with it everything ends. Undefined while it is being started. */
  readonly init?: ProcessId;
  /** Whether the lab has a user namespace of its own. */
  readonly userNamespace?: boolean;
}

// As of sockaddr_un.sun_path (unix(7)), without the final zero byte.
const longestSocketPath = 107;

export function defaultStateDir(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const runtime = environment.XDG_RUNTIME_DIR;
  if (runtime?.startsWith('/') && existsSync(runtime)) return join(runtime, 'netsteward-lab');
  return `/tmp/netsteward-lab-${process.getuid?.() ?? 0}`;
}

export class StateFolder {
  /** Without symbolic links. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder (mode 0700) where it is missing. Throws LabError `lab-state-folder` when it belongs to others. */
  static create(path: string): StateFolder {
    const absolute = resolve(path);
    try {
      mkdirSync(absolute, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw labError('lab-state-folder', `${absolute} cannot be made: ${describeError(error)}`, undefined, error);
    }
    return StateFolder.open(absolute);
  }

  /** Throws LabError `lab-not-running` when there is no such folder. */
  static open(path: string): StateFolder {
    const absolute = resolve(path);
    const stat = lstatSync(absolute, { throwIfNoEntry: false });
    if (stat === undefined) {
      throw labError('lab-not-running', `no lab at ${absolute}`, 'Bring one up with: netsteward lab up');
    }
    if (!stat.isDirectory()) throw labError('lab-state-folder', `${absolute} is not a directory`);
    if (stat.uid !== process.geteuid?.()) {
      throw labError(
        'lab-state-folder',
        `${absolute} belongs to user ${stat.uid}`,
        'Name a folder of your own with --state.',
      );
    }
    if ((stat.mode & 0o022) !== 0) {
      throw labError('lab-state-folder', `${absolute} can be written by others`, `Run: chmod 700 ${absolute}`);
    }
    const real = realpathSync(absolute);
    if (Buffer.byteLength(join(real, 'control.sock')) > longestSocketPath) {
      throw labError(
        'lab-state-folder',
        `${real}: too long a path for a unix socket`,
        'Name a shorter one with --state.',
      );
    }
    return new StateFolder(real);
  }

  get control(): string {
    return join(this.path, 'control.sock');
  }
  get authority(): string {
    return join(this.path, 'ca.pem');
  }
  get routerRuleset(): string {
    return join(this.path, 'router.nft');
  }
  get resolvConf(): string {
    return join(this.path, 'resolv.conf');
  }
  get log(): string {
    return join(this.path, 'lab.log');
  }
  /** Where the lab's /run is made before it is moved there. */
  get scaffold(): string {
    return join(this.path, 'run');
  }
  get #record(): string {
    return join(this.path, 'lab.json');
  }

  /** Undefined when there is none, or when it is not readable as one. */
  record(): LabRecord | undefined {
    try {
      return JSON.parse(readFileSync(this.#record, 'utf8')) as LabRecord;
    } catch {
      return undefined;
    }
  }

  /** True for one caller only, until `sweep`. */
  claim(record: LabRecord): boolean {
    try {
      writeFileSync(this.#record, JSON.stringify(record), { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw labError('lab-state-folder', `${this.path} cannot be written: ${describeError(error)}`, undefined, error);
    }
  }

  /** After a sweep, for the next lab. */
  recreate(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }

  update(record: LabRecord): void {
    const draft = `${this.#record}.new`;
    writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
    renameSync(draft, this.#record);
  }

  /** Whether the lab of this folder, or its start, is under way. */
  inUse(): boolean {
    const record = this.record();
    return record !== undefined && isAlive(record.init ?? record.starter);
  }

  /** Removes what a lab made here, and the folder itself if nothing else is in it. */
  sweep(): void {
    for (const file of [
      this.control,
      this.authority,
      this.routerRuleset,
      this.resolvConf,
      this.log,
      this.#record,
      `${this.#record}.new`,
    ]) {
      rmSync(file, { force: true });
    }
    for (const folder of [this.scaffold, this.path]) {
      try {
        rmdirSync(folder);
      } catch (error) {
        if (!['ENOENT', 'ENOTEMPTY', 'EBUSY', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
      }
    }
  }
}
