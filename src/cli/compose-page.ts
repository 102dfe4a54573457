/** Real adapters for the status page. */
import { constants, open, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../core/clock.ts';
import { errnoOf } from '../core/errors.ts';
import type { NetstewardEvent } from '../core/events.ts';
import type { Logger } from '../core/log.ts';
import { type BoundModule, bindModule } from '../supervisor/bound-module.ts';
import type { Asset, PageControl, PageFiles } from '../supervisor/page/index.ts';
import { askControl } from './control-client.ts';
import { controlCommand } from './control-command.ts';
import { controlEvents } from './events-stream.ts';
import { countingOnFolders } from './state-folder.ts';

export async function bindPage(log: Logger): Promise<BoundModule> {
  const { pageModule, pagePaths } = await import('../supervisor/page/index.ts');
  return bindModule({
    definition: pageModule,
    paths: pagePaths,
    host: async () => {
      const { openReader } = await import('../system/linux/sqlite-read.ts');
      return {
        ...pageFiles,
        clock: systemClock,
        log: log.child({ module: 'page' }),
        openHistory: openReader,
        openControl: pageControl,
      };
    },
    preflightHost: async () => {
      const files = countingOnFolders(new (await import('../system/linux/files.ts')).LinuxFiles());
      return { ...pageFiles, whyNot, writable: (path) => files.writable(path) };
    },
  });
}

/** Milliseconds: each module is asked first. */
const patience = 10_000;

export function pageControl(socket: string): PageControl {
  const collect = async (limit: number): Promise<readonly NetstewardEvent[]> => {
    const found: NetstewardEvent[] = [];
    for await (const event of controlEvents({ socket, limit, follow: false })) found.push(event);
    return found;
  };
  return {
    status: async () => {
      const answer = await askControl({ socket, method: 'GET', path: '/status', limit: patience });
      return (await import('./control-shapes.ts')).statusOf(socket, answer);
    },
    events: collect,
    follow: (signal) => controlEvents({ socket, limit: 0, follow: true, signal }),
    command: (module, name, argument) => controlCommand(socket, module, name, argument),
  };
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
};

/** More than the page has, by far: whatever else lies in that folder must not fill the memory. */
const mostAssets = 200;

/** Every file of the folder that a browser knows the type of, by its path there; `index.html` is `/`. Empty without the folder. */
export async function assetsIn(folder: string): Promise<ReadonlyMap<string, Asset>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const found = new Map<string, Asset>();
  for (const entry of entries) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined || found.size >= mostAssets) continue;
    const file = join(entry.parentPath, entry.name);
    const path = file.slice(folder.length).replace(/^\/?/, '/');
    found.set(path === '/index.html' ? '/' : path, { type, bytes: await readFile(file) });
  }
  return found;
}

/** Of this build: dist/web beside dist/src. */
const assetFolder = fileURLToPath(new URL('../../web', import.meta.url));

/** Characters of a token's file: longer ones are something else. */
const mostSecret = 4096;

export const pageFiles: PageFiles = {
  assets: () => assetsIn(assetFolder),
  async readSecret(path) {
    // A FIFO is not waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { mode } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(mostSecret), 0, mostSecret, 0);
      return { text: buffer.toString('utf8', 0, bytesRead), mode };
    } finally {
      await file.close();
    }
  },
  // group(5). Groups of a directory service are not in it: they have a number too.
  async groupId(name) {
    if (/^\d+$/.test(name)) return Number(name);
    const line = (await readFile('/etc/group', 'utf8')).split('\n').find((each) => each.startsWith(`${name}:`));
    return line === undefined ? undefined : Number(line.split(':')[2]);
  },
};

/** Listens there for a moment, on a port that is free. */
function whyNot(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => {
      const missing = errnoOf(error) === 'EADDRNOTAVAIL';
      resolve(missing ? 'this machine does not have that address' : error.message);
    });
    server.listen({ host: address, port: 0, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
