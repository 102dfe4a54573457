/** DNS over TCP: several queries a connection, a limit of connections, and none that stays for nothing (RFC 7766). */
import { createServer, type Server, type Socket } from 'node:net';
import type { DnsBinding, DnsListener, TcpLimits } from '../dns-listen-ports.ts';
import { DnsFrames, framed } from './dns-frames.ts';
import { notBound } from './dns-not-bound.ts';

/** Bytes of answers that a peer has not taken yet, and over which no more of its queries are read. */
const mostUnsent = 65_536;

export interface TcpListening {
  readonly port: number;
  close(): Promise<void>;
}

export function listenTcp(binding: DnsBinding, listener: DnsListener, limits: TcpLimits): Promise<TcpListening> {
  return new Promise((resolve, reject) => {
    const connections = new Connections(listener, limits);
    const server = createServer({ noDelay: true }, (socket) => connections.take(socket));
    const refused = (error: Error): void => reject(notBound(binding, 'TCP', error));
    server.once('error', refused);
    server.listen({ host: binding.address, port: binding.port }, () => {
      server.removeListener('error', refused);
      server.on('error', (error) => {
        void closed(server, connections);
        listener.failed(error);
      });
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : binding.port;
      resolve({ port, close: () => closed(server, connections) });
    });
  });
}

class Connections {
  readonly #listener: DnsListener;
  readonly #limits: TcpLimits;
  /** The one that has been idle for longest comes first, with the timer that ends it. */
  readonly #open = new Map<Socket, NodeJS.Timeout>();

  constructor(listener: DnsListener, limits: TcpLimits) {
    this.#listener = listener;
    this.#limits = limits;
  }

  take(socket: Socket): void {
    if (this.#open.size >= this.#limits.connections) {
      // Not the newcomer: somebody who holds connections for nothing would lock everybody out (RFC 7766 §6.2.3).
      for (const idlest of this.#open.keys()) {
        this.#end(idlest);
        break;
      }
    }
    this.#open.set(
      socket,
      setTimeout(() => this.#end(socket), this.#limits.idle),
    );
    const frames = new DnsFrames();
    socket.on('error', () => this.#end(socket));
    socket.on('close', () => this.#end(socket));
    socket.on('drain', () => socket.resume());
    socket.on('data', (chunk: Buffer) => frames.push(chunk, (message) => this.#message(socket, message)));
  }

  endAll(): void {
    for (const socket of this.#open.keys()) this.#end(socket);
  }

  #message(socket: Socket, message: Buffer): void {
    const timer = this.#open.get(socket);
    if (timer === undefined) return;
    const answer = this.#listener.answer(message, 'tcp');
    // Who sends what deserves no answer is no resolver.
    if (answer === undefined) {
      this.#end(socket);
      return;
    }
    const taken = socket.write(framed(answer));
    if (taken || socket.writableLength < mostUnsent) {
      timer.refresh();
      this.#open.delete(socket);
      this.#open.set(socket, timer);
    } else socket.pause();
  }

  #end(socket: Socket): void {
    const timer = this.#open.get(socket);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#open.delete(socket);
    socket.destroy();
  }
}

function closed(server: Server, connections: Connections): Promise<void> {
  return new Promise((resolve) => {
    // Closed already: ERR_SERVER_NOT_RUNNING, which is as good.
    server.close(() => resolve());
    connections.endAll();
  });
}
