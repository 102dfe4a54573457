/** A hash key from a file, where neither a configuration nor the list of processes shows it. */
import { describeError, NetstewardError } from '../core/errors.ts';
import type { Files } from '../system/ports.ts';
import type { DnstestConfig } from './config.ts';
import { NameHash } from './name-hash.ts';

/** Rejects with NetstewardError `dnstest-key`, `dnstest-key-file`. */
export async function readKeyFile(path: string, files: Pick<Files, 'read'>): Promise<string> {
  const refuse = (why: string, cause?: unknown): NetstewardError =>
    new NetstewardError('dnstest-key-file', `${path}, which should have the hash key, ${why}`, {
      remedy: 'Make it a file of one line, the key, that the user netsteward runs as can read.',
      ...(cause === undefined ? {} : { cause }),
    });
  let bytes: Buffer;
  try {
    bytes = await files.read(path);
  } catch (error) {
    throw refuse(`cannot be read: ${describeError(error)}`, error);
  }
  const [key = '', ...more] = bytes.toString('utf8').split(/\r?\n/);
  if (key === '') throw refuse('begins with an empty line');
  if (more.some((line) => line !== '')) throw refuse('has more than one line');
  // Says what is wrong with it.
  void new NameHash(key);
  return key;
}

/** The configuration with its keys in it. Rejects as readKeyFile does. */
export async function withKeys(config: DnstestConfig, files: Pick<Files, 'read'>): Promise<DnstestConfig> {
  const { hash_key_file: file, serve } = config;
  const key = file === undefined ? config.hash_key : await readKeyFile(file, files);
  if (serve?.hash_key_file === undefined) return { ...config, hash_key: key };
  return { ...config, hash_key: key, serve: { ...serve, hash_key: await readKeyFile(serve.hash_key_file, files) } };
}
