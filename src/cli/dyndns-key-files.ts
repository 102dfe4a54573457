/** Files of secret keys: read whole, with a look at who else may read them; new ones are made for their owner alone. */
import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { describeError, errnoOf, NetstewardError } from '../core/errors.ts';
import { fileFailure } from '../core/file-failure.ts';
import { looksLikeKey } from '../dyndns/client-keys.ts';

export interface KeyFile {
  readonly text: string;
  /** What is wrong with its permissions, for people. */
  readonly exposure: string | undefined;
}

/** Bytes; a thousand keys are 45 000. */
const mostBytes = 64 * 1024;

/** A regular file, or a pipe such as `/dev/fd/63`. Throws NetstewardError `key-file-unusable`. */
export function readKeyFileText(path: string): KeyFile {
  try {
    return readFrom(openSync(path, 'r'), path);
  } catch (error) {
    if (error instanceof NetstewardError) throw error;
    throw unusable(path, error);
  }
}

/** Of standard input, to its end. */
export function readKeyInput(): KeyFile {
  try {
    return { ...readFrom(0, 'standard input'), exposure: undefined };
  } catch (error) {
    throw error instanceof NetstewardError ? error : unusable('standard input', error);
  }
}

function readFrom(fd: number, path: string): KeyFile {
  try {
    // Of the open file: what its name leads to may change between two looks.
    const stat = fstatSync(fd);
    const bytes = Buffer.alloc(mostBytes + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(fd, bytes, length, bytes.length - length, null);
    }
    if (length > mostBytes) throw new NetstewardError('key-file-unusable', `${path}: too long for a file of keys`);
    const open = stat.isFile() && !isCredential(path) ? stat.mode & 0o077 : 0;
    const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
    const exposure = open === 0 ? undefined : `others than its owner have rights to it (mode ${mode})`;
    return { text: bytes.toString('utf8', 0, length), exposure };
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

/** systemd lets the user of a unit read these by an access list, whose mask looks like rights of the group (systemd.exec(5)). */
function isCredential(path: string): boolean {
  const folder = process.env.CREDENTIALS_DIRECTORY;
  return folder !== undefined && folder !== '' && path.startsWith(`${folder}/`);
}

/** Makes it with mode 0600; throws NetstewardError `key-file-unusable`, also where there is a file already. */
export function writeKeyFile(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') {
      throw new NetstewardError(
        'key-file-unusable',
        `${path}: there is such a file already, perhaps with a key in use`,
        {
          remedy: 'Name another file, or remove that one first.',
        },
      );
    }
    const known = fileFailure(error);
    throw new NetstewardError(
      'key-file-unusable',
      `${path}: cannot be written: ${known?.reason ?? describeError(error)}`,
      {
        cause: error,
        ...(known === undefined ? {} : { remedy: sentence(known.remedy) }),
      },
    );
  }
}

function unusable(path: string, error: unknown): NetstewardError {
  const known = fileFailure(error);
  const reason = known?.reason ?? describeError(error);
  if (looksLikeKey(path)) {
    return new NetstewardError(
      'key-file-unusable',
      'a key of the command line begins with "/" and was taken for the path of a key file',
      { remedy: 'Write the key as base64url ("_" instead of "/", "-" instead of "+"), or put it into a file.' },
    );
  }
  return new NetstewardError('key-file-unusable', `${path}: cannot be read: ${reason}`, {
    cause: error,
    ...(known === undefined ? {} : { remedy: sentence(known.remedy) }),
  });
}

const sentence = (remedy: string): string => `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.`;
