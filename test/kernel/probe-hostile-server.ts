/** Servers that misbehave in every way at hand, on loopback: by address before TLS, by name in the certificate, by path in HTTP. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { CertificateAuthority, type KeyAndCertificate, selfSigned } from '../../src/lab/certificates.ts';

type Script = (socket: net.Socket) => void;

const head = (...lines: string[]): string => `HTTP/1.1 ${lines.join('\r\n')}\r\n\r\n`;

/** Writes for as long as the peer reads. */
function endless(socket: net.Socket, chunk: Buffer | string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

function drip(socket: net.Socket, bytes: string): void {
  const timer = setInterval(() => socket.write(bytes), 20);
  socket.on('close', () => clearInterval(timer));
}

// A TLS socket cannot reset: the one below it can.
const below = new WeakMap<net.Socket, net.Socket>();
const reset = (socket: net.Socket): void => void (below.get(socket) ?? socket).resetAndDestroy();

/** What happens once the request was read, by path. */
const scripts: Readonly<Record<string, Script>> = {
  '/ok': (s) => s.end(`${head('200 OK', 'Content-Length: 5')}hello`),
  '/close-delimited': (s) => s.end(`${head('200 OK')}hello`),
  '/keep-open': (s) => s.write(`${head('200 OK', 'Content-Length: 5')}hello`),
  '/no-body': (s) => s.end(head('204 No Content')),
  '/chunked': (s) => s.end(`${head('200 OK', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`),
  '/redirect': (s) => s.end(head('302 Found', 'Location: /redirect', 'Content-Length: 0')),
  '/evil-location': (s) => s.end(head('302 Found', 'Location: /\u009b31mred', 'Content-Length: 0')),
  '/early-hints': (s) => s.end(`${head('103 Early Hints')}${head('200 OK', 'Content-Length: 5')}hello`),
  '/big': (s) => {
    s.write(head('200 OK', 'Content-Length: 1073741824'));
    endless(s, Buffer.alloc(65_536, 'x'));
  },
  '/gzip': (s) => {
    s.write(head('200 OK', 'Content-Encoding: gzip', 'Content-Length: 4'));
    s.end(Buffer.from([0x1f, 0x8b, 0x08, 0x00]));
  },
  '/one-byte-chunks': (s) =>
    s.end(`${head('200 OK', 'Transfer-Encoding: chunked')}${'1\r\nx\r\n'.repeat(9000)}0\r\n\r\n`),
  '/too-long': (s) => s.end(`${head('200 OK', 'Content-Length: 5')}hello and more`),
  '/endless-headers': (s) => {
    s.write('HTTP/1.1 200 OK\r\n');
    endless(s, `X-Fill: ${'x'.repeat(500)}\r\n`.repeat(64));
  },
  '/endless-status': (s) => {
    s.write('HTTP/1.1 200 ');
    endless(s, 'x'.repeat(65_536));
  },
  '/endless-header-name': (s) => {
    s.write('HTTP/1.1 200 OK\r\n');
    endless(s, 'x'.repeat(65_536));
  },
  '/endless-chunk-extension': (s) => {
    s.write(`${head('200 OK', 'Transfer-Encoding: chunked')}5;`);
    endless(s, 'x'.repeat(65_536));
  },
  '/endless-trailers': (s) => {
    s.write(`${head('200 OK', 'Transfer-Encoding: chunked')}0\r\n`);
    endless(s, `X-Fill: ${'x'.repeat(500)}\r\n`.repeat(64));
  },
  '/drip-headers': (s) => {
    s.write('HTTP/1.1 200 OK\r\n');
    drip(s, 'X-A: b\r\n');
  },
  '/drip-body': (s) => {
    s.write(head('200 OK', 'Content-Length: 100000'));
    drip(s, 'x');
  },
  '/silence': () => {},
  '/stall': (s) => s.write(`${head('200 OK', 'Content-Length: 100000')}some`),
  '/reset': reset,
  '/reset-mid-body': (s) => {
    s.write(`${head('200 OK')}some`);
    setTimeout(() => reset(s), 100);
  },
  '/close': (s) => s.end(),
  '/short': (s) => s.end(`${head('200 OK', 'Content-Length: 100')}hello`),
  '/short-chunks': (s) => s.end(`${head('200 OK', 'Transfer-Encoding: chunked')}64\r\nhello`),
  '/junk': (s) => s.end('hello, I am a very old server\n'),
  '/continue-flood': (s) => endless(s, head('100 Continue').repeat(500)),
  '/hints-flood': (s) => endless(s, head('103 Early Hints', 'Link: </a>').repeat(500)),
  '/upgrade': (s) => s.write(head('101 Switching Protocols', 'Upgrade: websocket', 'Connection: upgrade')),
  '/two-lengths': (s) => s.end(`${head('200 OK', 'Content-Length: 5', 'Content-Length: 6')}hello`),
  '/negative-length': (s) => s.end(`${head('200 OK', 'Content-Length: -5')}hello`),
  '/bad-chunk': (s) => s.end(`${head('200 OK', 'Transfer-Encoding: chunked')}zz\r\nhello\r\n`),
};

/** What happens before TLS, by the address that was connected to; all others speak TLS. */
export const rawAddresses = {
  '127.0.0.11': 'reset on hello',
  '127.0.0.12': 'silence',
  '127.0.0.13': 'garbage',
  '127.0.0.14': 'close on hello',
  '127.0.0.15': 'reset on accept',
  '127.0.0.16': 'plain HTTP',
  '127.0.0.17': 'half a record, then silence',
  '127.0.0.18': 'alert',
} as const;

const raw: Readonly<Record<(typeof rawAddresses)[keyof typeof rawAddresses], Script>> = {
  'reset on hello': (s) => void s.once('data', () => s.resetAndDestroy()),
  silence: (s) => void s.resume(),
  garbage: (s) => s.end(Buffer.alloc(3000, 0xa5)),
  'close on hello': (s) => void s.once('data', () => s.end()),
  'reset on accept': (s) => s.resetAndDestroy(),
  'plain HTTP': (s) => s.end(head('400 Bad Request', 'Content-Length: 0')),
  // Fatal, unrecognized_name (RFC 8446 §6).
  alert: (s) => void s.once('data', () => s.end(Buffer.from([0x15, 0x03, 0x03, 0, 2, 2, 112]))),
  'half a record, then silence': (s) => s.write(Buffer.from([0x16, 0x03, 0x03, 0x40, 0x00, 0x02])),
};

export class HostileServer {
  readonly authority = new CertificateAuthority(Date.now());
  /** Requests that were read, `host path`. */
  readonly requests: string[] = [];
  readonly #certificates = new Map<string, tls.SecureContext>();
  readonly #sockets = new Set<net.Socket>();
  readonly #plain = net.createServer((socket) => this.#speak(this.#keep(socket)));
  readonly #tls: tls.Server;
  readonly #front = net.createServer((socket) => this.#accept(this.#keep(socket)));

  constructor() {
    this.#tls = tls.createServer({
      SNICallback: (name, done) => done(null, this.#contextFor(name)),
      ...this.authority.issue('*.example.test'),
    });
    this.#tls.on('secureConnection', (socket) => {
      const tcp = [...this.#sockets].find((each) => each.remotePort === socket.remotePort);
      if (tcp !== undefined) below.set(socket, tcp);
      this.#speak(this.#keep(socket));
    });
    this.#tls.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  async listen(): Promise<{ http: number; https: number }> {
    for (const server of [this.#plain, this.#front]) {
      server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 });
      await once(server, 'listening');
    }
    const port = (server: net.Server): number => (server.address() as net.AddressInfo).port;
    return { http: port(this.#plain), https: port(this.#front) };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of [this.#plain, this.#front]) {
      server.close();
      await once(server, 'close');
    }
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  #keep<Socket extends net.Socket>(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    return socket;
  }

  #accept(socket: net.Socket): void {
    const address = socket.localAddress ?? '';
    const behaviour = address in rawAddresses ? rawAddresses[address as keyof typeof rawAddresses] : undefined;
    if (behaviour === undefined) this.#tls.emit('connection', socket);
    else raw[behaviour](socket);
  }

  #speak(socket: net.Socket): void {
    let text = '';
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      socket.off('data', onData).resume();
      const path = text.split(' ')[1] ?? '';
      const host = /^host: (.*)$/im.exec(text)?.[1]?.trim() ?? '';
      this.requests.push(`${host} ${path}`);
      scripts[path]?.(socket);
    };
    socket.on('data', onData);
  }

  #contextFor(name: string): tls.SecureContext {
    let context = this.#certificates.get(name);
    if (context === undefined) {
      context = tls.createSecureContext(this.#certificateFor(name));
      this.#certificates.set(name, context);
    }
    return context;
  }

  #certificateFor(name: string): KeyAndCertificate {
    const now = Date.now();
    if (name === 'expired.example.test') return this.authority.issue(name, 'expired');
    if (name === 'wrong-name.example.test') return this.authority.issue('other.example.test');
    if (name === 'self-signed.example.test') return selfSigned('\u001b[31mred\nline', now);
    if (name === 'stranger.example.test') return new CertificateAuthority(now).issue(name);
    const good = this.authority.issue('*.example.test');
    if (name !== 'long-chain.example.test') return good;
    return { key: good.key, cert: good.cert + this.authority.certificate.repeat(400) };
  }
}
