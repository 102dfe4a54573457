/** The control socket: HTTP over a unix socket, for `netsteward status`, `reload`, `events`, `watch` and `metrics`. */
import { chmod, lstat, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { errnoOf, NetstewardError } from '../core/errors.ts';
import { commandUnknown } from './command-unknown.ts';
import { type EventsTarget, sendEvents } from './events-route.ts';
import { fileFailure, makeFolder } from './make-folder.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { ReloadRecord, StatusReport } from './status-report.ts';

export interface ControlTarget extends EventsTarget {
  status(): StatusReport | Promise<StatusReport>;
  reload(): Promise<ReloadRecord>;
  /** As Supervisor.command(); absent: no module has any. */
  command?(module: string, name: string, argument: string): Promise<string>;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
}

export interface ControlSocket {
  /** Closes all connections and removes the socket file. */
  close(): Promise<void>;
}

// Nothing that a client of this socket sends has to be large or slow.
const bounds = {
  maxHeaderSize: 8192,
  requestTimeout: 5000,
  headersTimeout: 5000,
  keepAliveTimeout: 1000,
  // How often Node looks whether these are over: 30 s by default.
  connectionsCheckingInterval: 1000,
};
const mostConnections = 32;
const mostBody = 4096;

/**
 * Listens with mode 0660. A socket file that nobody listens on is replaced. Rejects with NetstewardError
 * `already-running` when somebody does, `control-socket-unusable` when the place cannot be used.
 */
export async function openControlSocket(path: string, target: ControlTarget): Promise<ControlSocket> {
  try {
    makeFolder(dirname(path), 0o755);
    await removeStale(path);
    const handle = oneAtATime((request, response) => {
      // A failure of one answer must end with that connection.
      answer(target, request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    const server = createServer(bounds, handle);
    server.maxConnections = mostConnections;
    await listen(server, path);
    return { close: () => close(server) };
  } catch (error) {
    if (error instanceof NetstewardError) throw error;
    throw new NetstewardError(
      'control-socket-unusable',
      `the control socket ${path} cannot be opened: ${fileFailure(error)}`,
      {
        remedy: 'Run as a user that may write there, or name another place in control.socket.',
        cause: error,
      },
    );
  }
}

async function removeStale(path: string): Promise<void> {
  const stat = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new NetstewardError('control-socket-unusable', `${path} is there already and is no socket`, {
      remedy: 'Name another place in control.socket, or remove the file.',
    });
  }
  if (await someoneListens(path)) {
    throw new NetstewardError('already-running', `another netsteward is running: it listens on ${path}`, {
      remedy: 'Stop it first (systemctl stop netsteward), or give this one a control.socket of its own.',
    });
  }
  await unlink(path);
}

/** Whether the socket file `path` is one that somebody listens on. Rejects with a Node system error. */
export function someoneListens(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      // ECONNREFUSED: bound by nobody (unix(7)). EAGAIN: somebody whose queue is full.
      const code = errnoOf(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else if (code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The file is made inside listen(): with this mask nobody else can connect before the chmod.
    const mask = process.umask(0o177);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(mask);
    }
  });
  await chmod(path, 0o660);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Each path with the one method that it takes. */
const routes: Readonly<Record<string, 'GET' | 'POST'>> = {
  '/status': 'GET',
  '/reload': 'POST',
  '/command': 'POST',
  '/events': 'GET',
  '/metrics': 'GET',
};

async function answer(target: ControlTarget, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = '', method } = request;
  const [path = '', ...query] = url.split('?');
  const known = Object.hasOwn(routes, path) && (query.length === 0 || path === '/events');
  if (!known) return send(response, 404, { error: `there are ${Object.keys(routes).join(', ')}` });
  const allowed = routes[path] ?? 'GET';
  if (method !== allowed) {
    response.setHeader('allow', allowed);
    return send(response, 405, { error: `use ${allowed}` });
  }
  const body = await bodyOf(request);
  if (body === undefined) return send(response, 413, { error: `at most ${mostBody} bytes` });
  if (path === '/events') {
    const problem = sendEvents(target, query.join('?'), response);
    return problem === undefined ? undefined : send(response, problem.status, { error: problem.text });
  }
  if (path === '/metrics') return sendText(response, 200, metricsType, await target.metrics());
  if (path === '/status') return send(response, 200, await target.status());
  if (path === '/command') return command(target, body, response);
  const record = await target.reload();
  return send(response, record.ok ? 200 : 409, record);
}

/** prometheus.io/docs/instrumenting/exposition_formats, "Text-based format". */
const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** Undefined when it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > mostBody) return undefined;
  }
  return Buffer.concat(chunks).toString();
}

/** `{"module", "name", "argument"}`, texts all; the answer is `{"text"}`, or `{"error", "code", "remedy"}`. */
async function command(target: ControlTarget, body: string, response: ServerResponse): Promise<void> {
  const { module, name, argument } = recordOf(body);
  if (typeof module !== 'string' || typeof name !== 'string' || typeof argument !== 'string') {
    return send(response, 400, { error: 'the body must be {"module", "name", "argument"}, texts all' });
  }
  try {
    if (target.command === undefined) throw commandUnknown(module, name);
    return send(response, 200, { text: await target.command(module, name, argument) });
  } catch (error) {
    if (!(error instanceof NetstewardError)) throw error;
    return send(response, 409, { error: error.message, code: error.code, remedy: error.remedy });
  }
}

/** Nothing where it is no object in JSON. */
function recordOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  sendText(response, status, 'application/json; charset=utf-8', JSON.stringify(body));
}

function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(text);
}
