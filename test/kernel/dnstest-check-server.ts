/** A DNS server that does what a test says: over UDP, TCP, TLS and HTTPS, each on a port of its own or all where asked. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  createSecureServer as createHttp2,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createHttp1 } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { CertificateAuthority } from '../../src/lab/certificates.ts';

export type Via = 'udp' | 'tcp' | 'tls' | 'https';

/** Messages that go out, in this order; `close`: the connection ends, or nothing over UDP; none: silence. */
export type Behaviour = (query: Buffer, via: Via) => readonly Uint8Array[] | 'close';

export const serverName = 'dns.netsteward.test';

export class ScriptedServer {
  readonly authority = new CertificateAuthority(Date.now());
  behaviour: Behaviour = () => [];
  /** HTTP status and type of answers. */
  http = { status: 200, type: 'application/dns-message' };
  /** Every query that came, oldest first. */
  readonly seen: { readonly via: Via; readonly bytes: Buffer; readonly port: number }[] = [];
  /** HTTP versions of the requests. */
  readonly versions: string[] = [];
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #servers: (Server | Http2SecureServer)[] = [];
  readonly #open = new Set<Socket>();

  /** UDP and TCP on one port of 127.0.0.1; 0: any. */
  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#udp.once('error', reject);
      this.#udp.bind(port, '127.0.0.1', resolve);
    });
    this.#udp.on('message', (bytes, { port: from, address }) => {
      const messages = this.#ask(bytes, 'udp', from);
      if (messages !== 'close') for (const message of messages) this.#udp.send(message, from, address);
    });
    const taken = this.#udp.address().port;
    await this.#serve(
      createTcp((socket) => this.#stream(socket, 'tcp')),
      taken,
    );
    return taken;
  }

  /** `name`: of the certificate. */
  listenTls(name = serverName): Promise<number> {
    return this.#serve(createTls(this.authority.issue(name), (socket) => this.#stream(socket, 'tls')));
  }

  /** HTTP/2, or HTTP/1.1 alone. */
  listenHttps({ http1 = false } = {}): Promise<number> {
    const certificate = this.authority.issue(serverName);
    if (http1) return this.#serve(createHttp1(certificate, (request, response) => this.#request(request, response)));
    return this.#serve(createHttp2(certificate, (request, response) => this.#request(request, response)));
  }

  #request(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('error', () => {});
    request.on('end', () => {
      this.versions.push(`${request.httpVersion} ${request.method} ${request.url}`);
      const messages = this.#ask(Buffer.concat(pieces), 'https', request.socket.remotePort ?? 0);
      if (messages === 'close') return void request.socket.destroy();
      if (messages.length === 0) return;
      response.statusCode = this.http.status;
      response.setHeader('content-type', this.http.type);
      response.end(Buffer.concat(messages));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    for (const server of this.#servers) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #ask(bytes: Buffer, via: Via, port: number): ReturnType<Behaviour> {
    this.seen.push({ via, bytes, port });
    return this.behaviour(bytes, via);
  }

  async #serve(server: Server | Http2SecureServer, port = 0): Promise<number> {
    this.#servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#open.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  #stream(socket: Socket, via: Via): void {
    let came = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (piece: Buffer) => {
      came = Buffer.concat([came, piece]);
      if (came.length < 2 || came.length < 2 + came.readUInt16BE(0)) return;
      const messages = this.#ask(came.subarray(2, 2 + came.readUInt16BE(0)), via, socket.remotePort ?? 0);
      came = Buffer.alloc(0);
      if (messages === 'close') return void socket.end();
      for (const message of messages) {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(message.length);
        // The length by itself: what comes in pieces must be put together.
        socket.write(length);
        socket.write(message);
      }
    });
  }
}
