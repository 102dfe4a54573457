/** The status page's HTTP: every request is looked at by guard.ts first, then led to its route; a failure ends with its answer. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { oneAtATime } from '../one-at-a-time.ts';
import { sendProblem } from './answers.ts';
import { type Binding, isLocal } from './binding.ts';
import { type Asked, type Refusal, refuseHost, refuseOrigin, refuseToken } from './guard.ts';
import { problemOf } from './present.ts';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Works only with the token, wherever it is asked from. */
  readonly guarded?: true;
  /** Parameters that it knows. */
  readonly parameters: readonly string[];
  answer(request: IncomingMessage, response: ServerResponse, parameters: URLSearchParams): Promise<void> | void;
}

export interface Site {
  /** By path. */
  readonly routes: ReadonlyMap<string, Route>;
  /** A file of the page; undefined: there is none of this path. */
  asset(path: string): ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  token(): string | undefined;
  /** What is kept of earlier answers goes, and what is open for them. */
  close(): void;
}

/** A problem with its status, for a route to throw. */
export class Refused extends Error {
  readonly refusal: Pick<Refusal, 'error' | 'remedy'> & { readonly status: number };

  constructor(status: number, error: string, remedy = '') {
    super(error);
    this.refusal = { status, error, remedy };
  }
}

// Nothing that a reader of the page sends has to be large or slow.
const bounds = {
  maxHeaderSize: 8192,
  requestTimeout: 10_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 5000,
  // How often Node looks whether these are over: 30 s by default.
  connectionsCheckingInterval: 1000,
};
export const mostConnections = 64;
/** Milliseconds without a byte, in whatever direction: three heartbeats of those who watch. */
const silence = 65_000;

export function makeServer(site: Site, binding: Binding): Server {
  const handle = oneAtATime((request, response) => {
    answer(site, binding, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else void sendProblem(request, response, 503, problemOf(error)).catch(() => response.destroy());
    });
  });
  const server = createServer(bounds, handle);
  server.maxConnections = mostConnections;
  server.timeout = silence;
  return server;
}

async function answer(site: Site, binding: Binding, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { headers, headersDistinct, method = '', url = '' } = request;
  const asked: Asked = {
    // Two of them are none (RFC 9112 §3.2).
    host: headersDistinct.host?.length === 1 ? headers.host : undefined,
    origin: headers.origin,
    fetchSite: headers['sec-fetch-site']?.toString(),
    authorization: headers.authorization,
  };
  const [path, query] = split(url);
  const api = path.startsWith('/api/');
  const route = site.routes.get(path);
  const open = api && isLocal(binding) && route?.guarded === undefined;
  const refusal =
    refuseHost(binding, asked) ??
    (api ? refuseOrigin(asked) : undefined) ??
    (api && !open ? refuseToken(site.token(), asked) : undefined);
  if (refusal !== undefined) return sendProblem(request, response, refusal.status, refusal);
  const asset = route === undefined ? site.asset(path) : undefined;
  if (route === undefined && asset === undefined) {
    return sendProblem(request, response, 404, { error: 'there is no such page', remedy: 'Begin at /.' });
  }
  const allowed = route?.method ?? 'GET';
  if (method !== allowed && !(allowed === 'GET' && method === 'HEAD')) {
    response.setHeader('allow', allowed === 'GET' ? 'GET, HEAD' : allowed);
    return sendProblem(request, response, 405, { error: `this takes ${allowed}`, remedy: `Use ${allowed}.` });
  }
  if (route === undefined) return asset?.(request, response);
  try {
    return await route.answer(request, response, parametersOf(query, route.parameters));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return sendProblem(request, response, error.refusal.status, error.refusal);
  }
}

function split(url: string): readonly [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

/** Throws Refused for what is not known, and for what comes twice. */
function parametersOf(query: string, known: readonly string[]): URLSearchParams {
  const parameters = new URLSearchParams(query);
  const names = [...parameters.keys()];
  const odd = names.find((name, index) => !known.includes(name) || names.indexOf(name) !== index);
  if (odd === undefined) return parameters;
  const remedy = known.length === 0 ? 'Leave it out.' : `There are ${known.join(', ')}, each once.`;
  throw new Refused(400, `the parameter "${odd}" is wrong here`, remedy);
}

/** Throws Refused. */
export function wholeNumber(parameters: URLSearchParams, name: string, most: number, fallback: number): number {
  const text = parameters.get(name);
  if (text === null) return fallback;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new Refused(400, `${name} must be a whole number from 1 to ${most}`, `Leave it out for ${fallback}.`);
}
