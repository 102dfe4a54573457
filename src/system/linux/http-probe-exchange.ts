/** Second and third stage of a probe: over one connected socket TLS, one GET and the start of the body, under one deadline. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type net from 'node:net';
import type tls from 'node:tls';
import type { Clock, Timer } from '../../core/clock.ts';
import type { ProbeOutcome, ProbeRequest, ProbeStage } from '../ports.ts';
import type { ProbeFacts } from '../probe-facts.ts';
import { onAbort } from './http-probe-abort.ts';
import { clean, exchangeFailure, failure } from './http-probe-failure.ts';
import { deadline } from './tcp-stage.ts';
import { certificateFault, startTls } from './tls-stage.ts';

/** What the original's checks said they were (contract, section 10). */
export const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0';

const maxHeaderSize = 16_384;
// Of 1xx answers (RFC 9110 §15.2 sets no bound).
const maxInterim = 8;
// Bytes on the wire before the headers have ended, and on top of the body: an endless status line, chunk extensions, one-byte chunks.
const maxOverhead = 65_536;
const locationLength = 2048;

// An `import` reads every property of the module: on Node 24 also those that load fetch and WebSocket, 13 MB and 30 ms.
const http = process.getBuiltinModule('node:http');

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
  readonly #clock: Clock;
  readonly #start: number;
  readonly #resolve: (outcome: ProbeOutcome) => void;
  readonly #reject: (reason: unknown) => void;
  #timer: Timer;
  readonly #forget: () => void;
  #stage: ProbeStage;
  #secure: tls.TLSSocket | undefined;
  #http: ClientRequest | undefined;
  #settled = false;
  #status: number | undefined;
  #location: string | undefined;
  #bytes = 0;
  /** On the wire when half of the time was over, and when the request was sent. */
  #atHalf = 0;
  #atRequest: number | undefined;
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
    this.#clock = options.clock;
    this.#start = this.#clock.monotonic();
    this.#resolve = resolve;
    this.#reject = reject;
    this.#stage = request.scheme === 'https' ? 'tls' : 'http';
    // Between two bytes of a page that trickles in there may be no event: TLS gives whole records of up to 16 kB.
    this.#timer = this.#clock.after(request.timeout / 2, () => {
      this.#atHalf = this.#tcp.bytesRead;
      this.#timer = deadline(this.#clock, request.timeout / 2, () => {
        this.#fail('timeout', `not done within ${request.timeout} ms`, this.#times());
      });
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
    const fault = certificateFault(secure, this.#host);
    if (fault !== undefined) {
      this.#fail('certificate', fault.text, fault.facts === undefined ? {} : { certificate: fault.facts });
    } else {
      this.#stage = 'http';
      this.#get(secure);
    }
  }

  /** Before Node's HTTP client does: it takes a reset for the end of a body without a length. */
  #listen(socket: net.Socket): void {
    socket.on('error', (error) => this.#fault(error));
    socket.once('close', () => this.#fail('closed', 'the connection was closed'));
  }

  #get(socket: net.Socket): void {
    if (socket === this.#tcp) this.#listen(socket);
    try {
      const request = http.request({
        createConnection: () => socket,
        path: this.#request.path,
        headers: [
          'Host',
          this.#host.includes(':') ? `[${this.#host}]` : this.#host,
          'User-Agent',
          userAgent,
          'Accept',
          '*/*',
          'Connection',
          'close',
        ],
        maxHeaderSize,
        insecureHTTPParser: false,
      });
      this.#http = request;
      this.#atRequest = this.#tcp.bytesRead;
      let response: IncomingMessage | undefined;
      request.on('error', (error) => {
        // What comes after the end of a good answer is no part of it; its end has not been told yet.
        if (response?.complete !== true) this.#fault(error);
      });
      request.on('information', () => {
        this.#interim++;
        if (this.#interim > maxInterim) this.#fail('protocol', `more than ${maxInterim} interim answers`);
      });
      request.once('upgrade', () => this.#fail('protocol', 'another protocol, unasked'));
      request.once('response', (message) => {
        response = message;
        message.on('data', (chunk: Buffer) => this.#body(chunk.length));
        message.once('end', () => this.#answer());
        this.#headers(message);
      });
      this.#countBytes(socket);
      request.end();
    } catch (error) {
      this.#end(() => this.#reject(error));
    }
  }

  #countBytes(socket: net.Socket): void {
    const headersLimit = socket.bytesRead + maxOverhead;
    const limit = headersLimit + 8 * this.#request.bodyLimit;
    let parsed = socket.bytesRead;
    // Called before Node's HTTP client, which has parsed what had arrived at the call before this one.
    socket.on('data', () => {
      if (this.#stage === 'http' && parsed > headersLimit) this.#fail('headers-too-large', 'the headers do not end');
      if (parsed > limit) this.#fail('protocol', 'far more bytes than body');
      parsed = socket.bytesRead;
    });
  }

  #headers({ statusCode, headers: { location } }: IncomingMessage): void {
    this.#stage = 'body';
    this.#status = statusCode;
    this.#location = location === undefined ? undefined : clean(location, locationLength);
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

  #fail(reason: Parameters<typeof failure>[1], detail: string, more: ProbeFacts = {}): void {
    this.#settle(failure(this.#stage, reason, detail, this.#status, { ...this.#facts(), ...more }));
  }

  #fault(error: Error): void {
    this.#settle(exchangeFailure(error, this.#stage, this.#status, this.#facts()));
  }

  #facts(): ProbeFacts {
    return {
      wire: this.#tcp.bytesRead,
      ...(this.#atRequest === undefined ? {} : { reply: this.#tcp.bytesRead - this.#atRequest }),
      ...(this.#stage === 'body' ? { body: this.#bytes } : {}),
      ...(this.#location === undefined ? {} : { location: this.#location }),
    };
  }

  #times(): ProbeFacts {
    const took = Math.round(this.#clock.monotonic() - this.#start);
    return { took, late: this.#tcp.bytesRead - this.#atHalf };
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
    this.#http?.destroy();
    tell();
  }
}
