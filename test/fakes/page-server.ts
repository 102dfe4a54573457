/** A server that answers the status page by src/supervisor/page/shapes.ts with what a test or a bench puts into it. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import type { EventRow, Latency, PageState, StatePatch, Strips } from '../../src/supervisor/page/shapes.ts';

/** As strict as the true server's (src/supervisor/page). */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Answers {
  state: PageState;
  strips: (days: number) => Strips;
  latency: (resolver: string, hours: number) => Latency;
  events: readonly EventRow[];
}

export class PageServer {
  readonly answers: Answers;
  /** Hosts of the checks that were asked for. */
  readonly checks: string[] = [];
  /** For "check now". */
  readonly token = 'a-token-of-the-test';
  readonly #files = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
  readonly #live = new Set<ServerResponse>();
  #server: Server | undefined;
  #port = 0;

  /** `folder`: the built page, such as dist/web. */
  constructor(folder: string, answers: Answers) {
    this.answers = answers;
    for (const file of readdirSync(folder)) {
      const type = types[extname(file)] ?? 'text/plain; charset=utf-8';
      this.#files.set(file === 'index.html' ? '/' : `/${file}`, { type, bytes: readFileSync(join(folder, file)) });
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** How many pages follow it live. */
  get followers(): number {
    return this.#live.size;
  }

  /** On the same port as before, if it was started before. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    this.#live.clear();
  }

  /** One message for all who follow. */
  send(name: 'state' | 'event' | 'problem', data: unknown): void {
    for (const response of this.#live) response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    response.setHeader('content-security-policy', policy);
    response.setHeader('x-content-type-options', 'nosniff');
    const file = this.#files.get(pathname);
    if (file !== undefined) response.setHeader('content-type', file.type).end(file.bytes);
    else if (pathname === '/api/state') json(response, 200, this.answers.state);
    else if (pathname === '/api/strips')
      json(response, 200, this.answers.strips(Number(searchParams.get('days') ?? 30)));
    else if (pathname === '/api/events') json(response, 200, { events: this.answers.events });
    else if (pathname === '/api/latency')
      json(response, 200, this.answers.latency(searchParams.get('resolver') ?? '', Number(searchParams.get('hours'))));
    else if (pathname === '/api/live') this.#follow(response);
    else if (pathname === '/api/check') await this.#check(request, response);
    else json(response, 404, { error: 'there is no such page', remedy: '' });
  }

  #follow(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(`event: state\ndata: ${JSON.stringify(whole(this.answers.state))}\n\n`);
    this.#live.add(response);
    response.once('close', () => this.#live.delete(response));
  }

  async #check(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.headers.authorization !== `Bearer ${this.token}`)
      return json(response, 403, { error: 'The token is wrong.', remedy: 'Enter that of page.token_file.' });
    const { host } = JSON.parse(body) as { host: string };
    this.checks.push(host);
    json(response, 202, { text: `${host} is being checked` });
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The first message of a connection. */
export function whole(state: PageState): StatePatch {
  const { modules, warnings, services, units, names, resolvers, ...rest } = state;
  const all = <Row extends { readonly id: string }>(rows: readonly Row[]) => ({
    put: rows,
    gone: [],
    order: rows.map(({ id }) => id),
  });
  return {
    ...rest,
    full: true,
    modules: all(modules),
    warnings: all(warnings),
    services: all(services),
    units: all(units),
    names: all(names),
    resolvers: all(resolvers),
  };
}
