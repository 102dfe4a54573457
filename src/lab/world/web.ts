/** The web servers of `world`: every service, over http and https, at its own addresses only. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Server } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { canonicalAddress } from '../address.ts';
import { type CertificateAuthority, type KeyAndCertificate, selfSigned } from '../certificates.ts';
import { linkEnd } from '../plan.ts';
import { answerFor, type Service } from '../service.ts';

const viaHost = new Map(
  (['isp', 'exit', 'exit2'] as const).flatMap((host) => {
    const { ipv4, ipv6 } = linkEnd(host, 'world');
    return [
      [ipv4, host],
      [ipv6, host],
    ];
  }),
);

const chunk = Buffer.alloc(64 * 1024, 'lab body ');

export class WebServers {
  readonly #authority: CertificateAuthority;
  readonly #find: (name: string) => Service | undefined;
  readonly #contexts = new Map<string, SecureContext>();

  constructor(authority: CertificateAuthority, find: (name: string) => Service | undefined) {
    this.#authority = authority;
    this.#find = find;
  }

  /** Listens at ports 80 and 443 of every address of this host. */
  async listen(): Promise<void> {
    const handler: RequestListener = (request, response) => this.#serve(request, response);
    const byDefault = selfSigned('nobody.invalid', Date.now());
    const https = createHttpsServer(
      {
        ...byDefault,
        SNICallback: (name, done) => {
          try {
            done(null, this.#context(name.toLowerCase()));
          } catch (error) {
            done(error as Error);
          }
        },
      },
      handler,
    );
    const http = createHttpServer(handler);
    for (const server of [http, https]) {
      server.keepAliveTimeout = 5000;
      server.on('clientError', (_error, socket) => socket.destroy());
    }
    await Promise.all([listening(http, 80), listening(https, 443)]);
  }

  /** The certificate for a server name; none for names that nobody serves. */
  #context(name: string): SecureContext | undefined {
    const service = this.#find(name);
    if (service === undefined) return undefined;
    const key = `${service.certificate} ${name}`;
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const context = createSecureContext({
      ...this.#certificate(service),
      // Without it each context would take in all of Node's root certificates.
      ca: this.#authority.certificate,
    });
    this.#contexts.set(key, context);
    return context;
  }

  #certificate({ name, certificate }: Service): KeyAndCertificate {
    switch (certificate) {
      case 'self-signed':
        return selfSigned(name, Date.now());
      case 'wrong-name':
        return this.#authority.issue(`not-${name}`);
      case 'expired':
      case 'valid':
        return this.#authority.issue(name, certificate);
    }
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const name = (request.headers.host ?? '').replace(/:\d*$/, '').toLowerCase();
    const service = this.#find(name);
    const { localAddress = '', remoteAddress = '' } = request.socket;
    response.setHeader('x-lab-via', viaHost.get(canonicalAddress(remoteAddress) ?? '') ?? 'unknown');
    if (service === undefined || !service.addresses.includes(canonicalAddress(localAddress) ?? '')) {
      // 421 Misdirected Request (RFC 9110 §15.5.20): nobody serves this name at this address.
      response.writeHead(421).end();
      return;
    }
    const { status, bytes, location, stallAfter, delay } = answerFor(service, request.url ?? '/');
    if (status >= 300 && status < 400 && status !== 304) response.setHeader('location', location);
    // RFC 9110 §8.6: no content-length with 204; and 304 has no content.
    const bodyless = status === 204 || status === 304;
    response.statusCode = status;
    if (!bodyless) response.setHeader('content-length', bytes);
    response.setHeader('content-type', 'text/plain');
    const start = (): void => {
      if (bodyless || request.method === 'HEAD') response.end();
      else writeBody(response, bytes, stallAfter);
    };
    if (delay > 0) setTimeout(start, delay);
    else start();
  }
}

/** Writes `bytes` bytes as fast as they are taken; from `stallAfter` on nothing more, without an end. */
function writeBody(response: ServerResponse, bytes: number, stallAfter: number | undefined): void {
  let left = Math.min(bytes, stallAfter ?? bytes);
  const ends = left === bytes;
  response.flushHeaders();
  const more = (): void => {
    while (left > 0) {
      const part = left < chunk.length ? chunk.subarray(0, left) : chunk;
      left -= part.length;
      if (!response.write(part)) {
        response.once('drain', more);
        return;
      }
    }
    if (ends) response.end();
  };
  more();
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '::', ipv6Only: false, backlog: 4096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
