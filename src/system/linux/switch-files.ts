/** The SwitchFiles port: a file replaced for a while, with its original beside it under a second name. */
import { link, lstat, readFile, rename, rm, unlink } from 'node:fs/promises';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import type { SwitchFiles, SwitchState } from '../dns-watch-ports.ts';
import type { OutputFiles } from '../ports.ts';

const original = (path: string): string => `${path}.netsteward-original`;
const copy = (path: string): string => `${path}.netsteward-fallback`;

export class LinuxSwitchFiles implements SwitchFiles {
  readonly #files: OutputFiles;

  constructor(files: OutputFiles) {
    this.#files = files;
  }

  async state(path: string): Promise<SwitchState> {
    try {
      if (!(await exists(original(path)))) return 'original';
      return (await textOf(path)) === (await textOf(copy(path))) ? 'switched' : 'changed';
    } catch (error) {
      throw unusable(path, 'cannot be read', error);
    }
  }

  async switchTo(path: string, content: string): Promise<void> {
    // What others have written since an earlier switch is the original from now on.
    if ((await this.state(path)) === 'changed') await this.putBack(path);
    try {
      if (!(await exists(path))) throw new Error('it does not exist');
      await this.#files.replace(copy(path), content);
    } catch (error) {
      throw unusable(path, 'cannot be replaced', error);
    }
    try {
      // link(2) takes a symbolic link itself, not what it leads to.
      await link(path, original(path));
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw unusable(path, 'cannot be given a second name', error);
    }
    try {
      await this.#files.replace(path, content);
    } catch (error) {
      throw unusable(path, 'cannot be replaced', error);
    }
  }

  async putBack(path: string): Promise<SwitchState> {
    const state = await this.state(path);
    if (state === 'original') return state;
    try {
      if (state === 'switched') await rename(original(path), path);
      else await unlink(original(path));
      await rm(copy(path), { force: true });
    } catch (error) {
      throw unusable(path, 'cannot be put back', error);
    }
    return state === 'switched' ? 'original' : state;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function unusable(path: string, what: string, cause: unknown): NetstewardError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new NetstewardError('fallback-file-unusable', `${path} ${what}: ${reason}`, {
    remedy: 'Name a file that is there, in a folder that netsteward may write (a mount of its own cannot be replaced).',
    cause,
  });
}
