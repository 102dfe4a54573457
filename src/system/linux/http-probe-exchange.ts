/** Second and third stage of a probe: over one connected socket TLS, one GET and the start of the body, under one deadline. */
import { createRequire } from 'node:module';
import type net from 'node:net';
import type tls from 'node:tls';
import type { Client, Dispatcher } from 'undici';
import type { Clock, Timer } from '../../core/clock.ts';
import type { ProbeOutcome, ProbeRequest, ProbeStage } from '../ports.ts';
import { onAbort } from './http-probe-abort.ts';
import { clean, exchangeFailure, failure } from './http-probe-failure.ts';
import { deadline } from './tcp-stage.ts';
import { certificateProblem, startTls } from './tls-stage.ts';

/** What the original's checks said they were (contract, section 10). */
export const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0';

const maxHeaderSize = 16_384;
// Of 1xx answers (RFC 9110 §15.2 sets no bound).
const maxInterim = 8;
// Bytes on the wire before the headers have ended, and on top of the body: an endless status line, chunk extensions, one-byte chunks.
const maxOverhead = 65_536;
const locationLength = 2048;

// The rest of undici (fetch, HTTP/2 pools, caches, WebSocket) costs every thread 9 MB and 50 ms at its start.
const HttpClient: typeof Client = createRequire(import.meta.url)('undici/lib/dispatcher/client.js');

// The socket is connected already; undici only parses this.
const origins = { http: new URL('http://probe.invalid'), https: new URL('https://probe.invalid') } as const;

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly context: tls.SecureContext;
}

/** Rejects only with the signal's reason, or when the request itself cannot be written (a path with blanks). The socket is destroyed at the end. */
export function exchange(
  tcp: net.Socket,
  request: ProbeRequest,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      tcp.destroy();
      return reject(signal.reason);
    }
    new Exchange(tcp, request, options, signal, resolve, reject).start();
  });
}

class Exchange {
  readonly #tcp: net.Socket;
  readonly #request: ProbeRequest;
  readonly #host: string;
  readonly #context: tls.SecureContext;
  readonly #resolve: (outcome: ProbeOutcome) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: Timer;
  readonly #forget: () => void;
  #stage: ProbeStage;
  #secure: tls.TLSSocket | undefined;
  #client: Client | undefined;
  #settled = false;
  #status: number | undefined;
  #location: string | undefined;
  #bytes = 0;
  #interim = 0;

  constructor(
    tcp: net.Socket,
    request: ProbeRequest,
    options: ExchangeOptions,
    signal: AbortSignal,
    resolve: (outcome: ProbeOutcome) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#tcp = tcp;
    this.#request = request;
    this.#host = request.host.replace(/\.$/, '');
    this.#context = options.context;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#stage = request.scheme === 'https' ? 'tls' : 'http';
    this.#timer = deadline(options.clock, request.timeout, () => {
      this.#fail('timeout', `not done within ${request.timeout} ms`);
    });
    this.#forget = onAbort(signal, () => this.#end(() => this.#reject(signal.reason)));
  }

  start(): void {
    try {
      if (this.#request.scheme === 'http') {
        this.#get(this.#tcp);
        return;
      }
      const secure = startTls(this.#tcp, this.#host, this.#context);
      this.#secure = secure;
      this.#listen(secure);
      secure.once('secureConnect', () => this.#secured(secure));
    } catch (error) {
      this.#end(() => this.#reject(error));
    }
  }

  #secured(secure: tls.TLSSocket): void {
    if (this.#settled) return;
    const problem = certificateProblem(secure, this.#host);
    if (problem !== undefined) {
      this.#fail('certificate', problem);
    } else {
      this.#stage = 'http';
      this.#get(secure);
    }
  }

  /** Before undici does: it takes a reset for the end of a body without a length. */
  #listen(socket: net.Socket): void {
    socket.on('error', (error) => this.#settle(exchangeFailure(error, this.#stage, this.#status)));
    socket.once('close', () => this.#fail('closed', 'the connection was closed'));
  }

  #get(socket: net.Socket): void {
    if (socket === this.#tcp) this.#listen(socket);
    const limit = socket.bytesRead + maxOverhead + 8 * this.#request.bodyLimit;
    const headersLimit = socket.bytesRead + maxOverhead;
    let parsed = socket.bytesRead;
    // undici has parsed what had arrived at the call before this one.
    socket.on('readable', () => {
      if (this.#stage === 'http' && parsed > headersLimit) this.#fail('headers-too-large', 'the headers do not end');
      if (parsed > limit) this.#fail('protocol', 'far more bytes than body');
      parsed = socket.bytesRead;
    });
    try {
      this.#client = new HttpClient(origins[this.#request.scheme], {
        // Not at once: undici does not look again after a connector that was done before it returned.
        connect: (_options, connected) => queueMicrotask(() => connected(null, socket as tls.TLSSocket)),
        pipelining: 0,
        maxHeaderSize,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      this.#client.dispatch(
        {
          method: 'GET',
          path: this.#request.path,
          headers: [
            'host',
            this.#host.includes(':') ? `[${this.#host}]` : this.#host,
            'user-agent',
            userAgent,
            'accept',
            '*/*',
          ],
        },
        this.#handler(),
      );
    } catch (error) {
      this.#end(() => this.#reject(error));
    }
  }

  #handler(): Dispatcher.DispatchHandler {
    return {
      onRequestStart: () => {},
      onResponseStart: (_controller, status, headers) => this.#headers(status, headers.location),
      onResponseData: (_controller, chunk) => this.#body(chunk.length),
      onResponseEnd: () => this.#answer(),
      onResponseError: (_controller, error) => this.#settle(exchangeFailure(error, this.#stage, this.#status)),
    };
  }

  #headers(status: number, location: string | string[] | undefined): void {
    if (status < 200) {
      this.#interim++;
      if (this.#interim > maxInterim) this.#fail('protocol', `more than ${maxInterim} interim answers`);
      return;
    }
    this.#stage = 'body';
    this.#status = status;
    const first = Array.isArray(location) ? location[0] : location;
    this.#location = first === undefined ? undefined : clean(first, locationLength);
    this.#body(0);
  }

  #body(length: number): void {
    this.#bytes += length;
    if (this.#bytes >= this.#request.bodyLimit) this.#answer();
  }

  #answer(): void {
    const bytes = Math.min(this.#bytes, this.#request.bodyLimit);
    this.#settle({ kind: 'answer', status: this.#status ?? 0, bytes, location: this.#location });
  }

  #fail(reason: Parameters<typeof failure>[1], detail: string): void {
    this.#settle(failure(this.#stage, reason, detail, this.#status));
  }

  #settle(outcome: ProbeOutcome): void {
    this.#end(() => this.#resolve(outcome));
  }

  #end(tell: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer.cancel();
    this.#forget();
    this.#secure?.destroy();
    this.#tcp.destroy();
    this.#client?.destroy(() => {});
    tell();
  }
}
