/** How the status page's server answers: headers that let nothing but its own files work, bodies packed once. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { visibleJson } from '../../core/printable.ts';
import type { PageProblem } from './shapes.ts';

const pack = promisify(gzip);

/** Content Security Policy Level 3: what is not named here does not load, run, or frame the page. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const always: Readonly<Record<string, string>> = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

const jsonType = 'application/json; charset=utf-8';

export interface Body {
  readonly type: string;
  readonly bytes: Buffer;
  /** Undefined: it is not worth it. */
  readonly packed: Buffer | undefined;
  readonly etag: string;
}

/** A value as JSON. */
export function jsonBody(value: unknown): Promise<Body> {
  return bodyOf(jsonType, visibleJson(JSON.stringify(value)));
}

/** Bytes below which packing saves no packet. */
const leastPacked = 1400;

export async function bodyOf(type: string, content: string | Buffer): Promise<Body> {
  const bytes = Buffer.from(content);
  const packed = bytes.length < leastPacked ? undefined : await pack(bytes);
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  return { type, bytes, packed, etag };
}

/** Those of every answer; `kept`: the browser may keep it, and asks each time whether it is still the same. */
export function writeHeads(response: ServerResponse, kept: boolean): void {
  for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
  response.setHeader('cache-control', kept ? 'no-cache' : 'no-store');
}

/** RFC 9110 §13.1.2 (If-None-Match) and §12.5.3 (Accept-Encoding). */
export function sendBody(request: IncomingMessage, response: ServerResponse, body: Body, kept: boolean): void {
  writeHeads(response, kept);
  const { type, bytes, packed, etag } = body;
  response.setHeader('etag', etag);
  response.setHeader('vary', 'accept-encoding');
  const known = (request.headers['if-none-match'] ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
  if (known.includes(etag)) {
    response.writeHead(304).end();
    return;
  }
  response.setHeader('content-type', type);
  const takesPacked = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(
    String(request.headers['accept-encoding'] ?? ''),
  );
  const content = packed !== undefined && takesPacked ? packed : bytes;
  if (content === packed) response.setHeader('content-encoding', 'gzip');
  response.setHeader('content-length', content.length);
  response.writeHead(200);
  response.end(request.method === 'HEAD' ? undefined : content);
}

export async function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: unknown,
): Promise<void> {
  if (status === 200) return sendBody(request, response, await jsonBody(value), false);
  const text = visibleJson(JSON.stringify(value));
  writeHeads(response, false);
  response.setHeader('content-type', jsonType);
  response.setHeader('content-length', Buffer.byteLength(text));
  response.writeHead(status);
  response.end(request.method === 'HEAD' ? undefined : text);
}

export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  problem: PageProblem,
): Promise<void> {
  // What was not read of the request is not to be taken for the next one.
  response.setHeader('connection', 'close');
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  return sendJson(request, response, status, { error: problem.error, remedy: problem.remedy });
}
