/** The way from a browser on this machine to the status page in the lab's router: a port of loopback, led to the page's unix socket. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { parseBinding } from '../supervisor/page/binding.ts';

/** Where `ssh -L` as `netsteward page` prints it leads, too; any other that is free where it is taken. */
const usualPort = 8053;

export interface LabPage {
  /** The page's unix socket. It is reached from outside: network namespaces part addresses and ports, not files. */
  readonly socket: string;
  readonly tokenFile: string;
  /** For netsteward's command line. */
  readonly overrides: readonly string[];
}

/** Settings of a page in this folder, with a fresh token; undefined where the folder's name is too long for a socket. */
export function labPage(folder: string): LabPage | undefined {
  const socket = join(folder, 'page.sock');
  const tokenFile = join(folder, 'page.token');
  if (parseBinding(`unix:${socket}`) === undefined) return undefined;
  writeFileSync(tokenFile, `${randomBytes(16).toString('hex')}\n`, { mode: 0o600 });
  const settings = [`page.listen=${JSON.stringify(`unix:${socket}`)}`, `page.token_file=${JSON.stringify(tokenFile)}`];
  return { socket, tokenFile, overrides: settings.flatMap((setting) => ['--set', setting]) };
}

export class PageWay {
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(socket: string): Promise<PageWay> {
    const server = createServer();
    await listen(server, usualPort).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      return listen(server, 0);
    });
    const way = new PageWay(server);
    server.on('connection', (near) => way.#lead(near, connect(socket)));
    return way;
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const each of this.#open) each.destroy();
    await closed;
  }

  /** What the browser says goes as it is: the page looks at the name in Host, and not at its port. */
  #lead(near: Socket, far: Socket): void {
    for (const each of [near, far]) {
      this.#open.add(each);
      each.once('close', () => this.#open.delete(each));
    }
    // Either side may go at any time; pipeline ends the other one with it.
    pipeline(near, far, () => {});
    pipeline(far, near, () => {});
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
