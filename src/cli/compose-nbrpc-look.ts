/** Real adapters for what can be asked of nbrpc: its configuration, its state file, the history, and the kernel's sets, all read only. */
import { systemClock } from '../core/clock.ts';
import { describeError, errnoOf, NetstewardError } from '../core/errors.ts';
import { silentLog } from '../core/log.ts';
import type { NbrpcConfig } from '../nbrpc/index.ts';
import type { State } from '../nbrpc/state.ts';
import type { ConfigSource, Configuration } from '../supervisor/config.ts';
import { refusalOf } from '../system/nft-error.ts';
import { nftScript } from '../system/nft-script.ts';
import type { Files } from '../system/ports.ts';

export const clock = systemClock;

export async function openFiles(): Promise<Files> {
  return new (await import('../system/linux/files.ts')).LinuxFiles();
}

export interface Configured {
  readonly nbrpc: NbrpcConfig;
  readonly all: Configuration;
}

/** Rejects with what loadConfiguration() rejects with, and `config-invalid` where there is no [nbrpc]. */
export async function configured(source: ConfigSource): Promise<Configured> {
  const [{ loadConfiguration }, { composeRegistry, readText }] = await Promise.all([
    import('../supervisor/config.ts'),
    import('./compose.ts'),
  ]);
  const all = await loadConfiguration(source, composeRegistry(silentLog), readText);
  const found = all.modules.get('nbrpc');
  if (found !== undefined) return { nbrpc: found.config as NbrpcConfig, all };
  throw new NetstewardError('config-invalid', `${source.file} has no [nbrpc]`, {
    remedy: 'Name another configuration with --config.',
  });
}

/** Rejects with NetstewardError: `state-file-missing`, `-unusable`, and those of readState(). */
export async function stateIn(path: string): Promise<State> {
  const { readState } = await import('../nbrpc/read-state.ts');
  return reading(path, 'state-file', (reader) => readState(reader, path));
}

type Reader = ReturnType<typeof import('../system/linux/sqlite-read.ts')['openReader']>;

/** Codes begin with `kind`. */
export async function reading<Result>(path: string, kind: string, read: (reader: Reader) => Result): Promise<Result> {
  const { openReader } = await import('../system/linux/sqlite-read.ts');
  let reader: Reader | undefined;
  try {
    reader = openReader(path);
    return read(reader);
  } catch (error) {
    if (error instanceof NetstewardError) throw error;
    if (errnoOf(error) === 'ENOENT') {
      throw new NetstewardError(`${kind}-missing`, `there is no file ${path}`, {
        remedy: 'Name the configuration that netsteward runs with by --config; the file comes with its first start.',
        cause: error,
      });
    }
    throw new NetstewardError(`${kind}-unusable`, `${path} cannot be read: ${describeError(error)}`, {
      remedy: 'Run this as root, or as a user that may read the file and its folder.',
      cause: error,
    });
  } finally {
    reader?.close();
  }
}

/** What the kernel has in the sets, `uncountable` where it is too much; a set that is not there is absent. Or why it cannot be read. */
export type KernelContents = ReadonlyMap<string, ReadonlySet<string> | 'uncountable'> | { readonly trouble: string };

/** Never rejects for want of permission. */
export async function kernelSets(
  table: { readonly family: 'inet' | 'ip' | 'ip6'; readonly name: string },
  names: readonly string[],
): Promise<KernelContents> {
  const [{ openNft }, { listedSet }] = await Promise.all([
    import('../system/linux/nft-open.ts'),
    import('../system/linux/nft-listed-set.ts'),
  ]);
  try {
    const nft = await openNft();
    try {
      const found = new Map<string, ReadonlySet<string> | 'uncountable'>();
      for (const set of names) {
        try {
          const listed = await listedSet(await nft.list(nftScript({ op: 'list-set', table, set })));
          if (listed !== undefined) found.set(set, listed.addresses);
        } catch (error) {
          if (refusalOf(error) !== 'missing') throw error;
        }
      }
      return found;
    } finally {
      await nft.close();
    }
  } catch (error) {
    return { trouble: describeError(error) };
  }
}
