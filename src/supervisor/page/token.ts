/** The token of the status page, from a file that nobody else may read. */
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import { fileFailure } from '../make-folder.ts';
import type { PageFiles } from './ports.ts';

const shortest = 16;
const longest = 512;

/** Undefined without a file. Rejects with NetstewardError `page-token-file`. */
export async function readToken(
  file: string | undefined,
  { readSecret }: Pick<PageFiles, 'readSecret'>,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const refuse = (why: string, remedy: string, cause?: unknown): NetstewardError =>
    new NetstewardError('page-token-file', `${file}, which should have the page's token, ${why}`, { remedy, cause });
  const make = `Make it: (umask 077; openssl rand -hex 32 > ${file}), owned by the user that netsteward runs as.`;
  let secret: Awaited<ReturnType<PageFiles['readSecret']>>;
  try {
    secret = await readSecret(file);
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${fileFailure(error)}`;
    throw refuse(why, make, error);
  }
  // Its group may: that is how a service's user reads what root owns.
  if ((secret.mode & 0o007) !== 0) throw refuse('can be read by everybody', `Run: chmod o= ${file}`);
  const token = secret.text.trim();
  if (token.length < shortest || token.length > longest || !/^[\x21-\x7e]+$/.test(token)) {
    throw refuse(`must be one word of ${shortest} to ${longest} characters of ASCII`, make);
  }
  return token;
}
