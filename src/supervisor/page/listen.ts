/** Where the status page listens: a unix socket with the mode and group that are configured, or an address of this machine. */
import { chmod, chown, lstat, mkdtemp, rename, rmdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import { someoneListens } from '../control-socket.ts';
import { fileFailure, makeFolder } from '../make-folder.ts';
import { type Binding, bindingText } from './binding.ts';

export interface SocketRights {
  readonly mode: number;
  /** Number of the group; undefined: the process's own. */
  readonly group: number | undefined;
}

export interface Listening {
  /** With the port that it got. */
  readonly binding: Binding;
  /** Of a unix socket; an address has none. Rejects as listenAt() does. */
  setRights(rights: SocketRights): Promise<void>;
  /** No new connections; ends those there are. Removes the socket, if it is ours still. */
  close(): Promise<void>;
}

/** Rejects with NetstewardError `page-not-listening`; nothing is left behind then. */
export async function listenAt(server: Server, binding: Binding, rights: SocketRights): Promise<Listening> {
  try {
    if (binding.kind === 'unix') return await listenUnix(server, binding, rights);
    const { address, port } = binding;
    await listening(server, { host: address, port, exclusive: true });
    const { port: given } = server.address() as AddressInfo;
    return { binding: { ...binding, port: given }, setRights: async () => {}, close: () => close(server) };
  } catch (error) {
    await close(server);
    if (error instanceof NetstewardError) throw error;
    throw notListening(binding, reasonOf(error), error);
  }
}

async function listenUnix(
  server: Server,
  binding: Extract<Binding, { kind: 'unix' }>,
  rights: SocketRights,
): Promise<Listening> {
  const { path } = binding;
  makeFolder(dirname(path), 0o755);
  await clearStale(binding);
  // In a folder that nobody else may enter until its mode is right: a thread cannot set the umask (Node's documentation of
  // process.umask()), and bind(2) goes by it.
  const folder = await mkdtemp(join(dirname(path), '.p'));
  const made = join(folder, 's');
  try {
    await listening(server, { path: made });
    await grant(made, rights);
    const { ino, dev } = await lstat(made);
    await rename(made, path);
    return {
      binding,
      setRights: (next) =>
        grant(path, next).catch((error: unknown) => {
          if (error instanceof NetstewardError) throw error;
          throw notListening(binding, `its mode or group cannot be set: ${reasonOf(error)}`, error);
        }),
      async close() {
        const found = await lstat(path).catch(() => undefined);
        if (found?.ino === ino && found.dev === dev) await unlink(path).catch(() => undefined);
        await close(server);
      },
    };
  } finally {
    await unlink(made).catch(() => undefined);
    await rmdir(folder).catch(() => undefined);
  }
}

async function grant(path: string, { mode, group }: SocketRights): Promise<void> {
  // The group first: the mode may let it in.
  if (group !== undefined) {
    await chown(path, -1, group).catch((cause: unknown) => {
      const text = `the page's socket cannot be given to group ${group}: ${fileFailure(cause)}`;
      const remedy = 'Let netsteward be in that group (SupplementaryGroups= of its unit), or name another page.group.';
      throw new NetstewardError('page-not-listening', text, { remedy, cause });
    });
  }
  await chmod(path, mode);
}

async function clearStale(binding: Extract<Binding, { kind: 'unix' }>): Promise<void> {
  const { path } = binding;
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw notListening(binding, 'a file that is no socket stands there');
  if (await someoneListens(path)) throw notListening(binding, 'somebody listens there already');
}

function listening(server: Server, where: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export function notListening(binding: Binding, why: string, cause?: unknown): NetstewardError {
  return new NetstewardError('page-not-listening', `the page cannot listen on ${bindingText(binding)}: ${why}`, {
    remedy: 'Name another place in page.listen, or free this one.',
    cause,
  });
}

const words: Readonly<Record<string, string>> = {
  EADDRINUSE: 'somebody listens there already',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'permission denied',
};

function reasonOf(error: unknown): string {
  return words[errnoOf(error) ?? ''] ?? fileFailure(error);
}
