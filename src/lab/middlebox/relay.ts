/** What the middlebox does with one diverted connection: looks at its first bytes, then censors it or passes it on. */
import { connect, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Diversion, MiddleboxRule } from '../censor.ts';
import { selfSigned } from '../certificates.ts';
import { type Hello, readClientHello, readRequestHost } from './client-hello.ts';

const blockPage = `<!doctype html><title>Blocked</title><h1>This page is blocked</h1>
<p>By order of the rehearsal internet's censor.</p>
`;

/** Milliseconds in which the first flight must come before it is passed on unseen. */
const patience = 5000;

export class Relay {
  #bogus: TlsServer | undefined;

  /** `socket` was meant for `diversion.address` and `diversion.port`. */
  take(socket: Socket, diversion: Diversion): void {
    const look = diversion.port === 443 ? readClientHello : readRequestHost;
    let seen = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    const decide = (hello: Hello): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('close', onClose).pause();
      if (seen.length > 0) socket.unshift(seen);
      const name = hello.kind === 'hello' ? hello.serverName : undefined;
      const rule = diversion.rules.find((candidate) => candidate.name === undefined || candidate.name === name);
      this.#act(socket, diversion, rule, name);
    };
    const onData = (data: Buffer): void => {
      seen = Buffer.concat([seen, data]);
      const hello = look(seen);
      if (hello.kind !== 'incomplete') decide(hello);
    };
    const onEnd = (): void => decide({ kind: 'foreign' });
    const onClose = (): void => clearTimeout(timer);
    const timer = setTimeout(onEnd, patience);
    socket.on('data', onData).on('end', onEnd).on('close', onClose);
  }

  #act(socket: Socket, diversion: Diversion, rule: MiddleboxRule | undefined, name: string | undefined): void {
    switch (rule?.kind) {
      case undefined:
        pass(socket, diversion);
        return;
      case 'stall':
        pass(socket, diversion, rule.after, 'silence');
        return;
      case 'cut':
        pass(socket, diversion, rule.after, 'reset');
        return;
      case 'throttle':
        trickle(socket, diversion, rule.rate);
        return;
      case 'sni':
        socket.resetAndDestroy();
        return;
      case 'sni-drop':
        // What the client still sends is taken and not answered.
        socket.on('end', () => socket.destroy()).resume();
        return;
      case 'hijack':
        if (diversion.port === 443) this.#impersonate(socket, name);
        else finish(socket, `${'\u0001'.repeat(64)} this is not HTTP\r\n\r\n`);
        return;
      case 'blockpage':
        finish(socket, response('403 Forbidden', blockPage));
        return;
      case 'legal':
        finish(socket, response('451 Unavailable For Legal Reasons', blockPage));
        return;
      case 'redirect':
        finish(socket, response('302 Found', blockPage, `location: ${rule.location}\r\n`));
        return;
    }
  }

  /** Answers the TLS handshake with a certificate that nobody vouches for. */
  #impersonate(socket: Socket, name = 'blocked.example'): void {
    this.#bogus ??= createTlsServer(selfSigned('blocked.example', Date.now()), (tls) => {
      tls.on('error', () => tls.destroy());
      tls.end(response('200 OK', blockPage, `x-lab-hijacked: ${name.replace(/[^\w.-]/g, '')}\r\n`));
    }).on('tlsClientError', (_error, tls) => tls.destroy());
    this.#bogus.emit('connection', socket);
  }
}

function response(status: string, body: string, headers = ''): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: text/html\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n${headers}\r\n${body}`;
}

function finish(socket: Socket, text: string): void {
  socket.resume();
  socket.end(text);
}

/** Milliseconds until what was written has left, so that a reset does not overtake it. */
const drained = 50;

/** Both ways, byte for byte; of the server's bytes only the first `limit`, then silence with both ends left open, or a reset. */
function pass(
  client: Socket,
  diversion: Diversion,
  limit = Number.POSITIVE_INFINITY,
  then: 'silence' | 'reset' = 'silence',
): void {
  const { server, abort } = upstream(client, diversion);
  let left = limit;
  let over = false;
  server.on('close', () => {
    // After the silence began, what the server does is not told to the client.
    if (left > 0) client.destroySoon();
  });
  server.on('data', (data: Buffer) => {
    const part = data.length <= left ? data : data.subarray(0, left);
    if (part.length === left && then === 'reset' && !over) {
      over = true;
      setTimeout(abort, drained);
    }
    left -= part.length;
    if (part.length > 0 && !client.write(part)) {
      server.pause();
      client.once('drain', () => server.resume());
    }
  });
  server.on('end', () => {
    if (left > 0) client.end();
  });
}

/** Connected to the server that was meant, with the client's bytes on their way there. */
function upstream(
  client: Socket,
  { address, port }: Diversion,
): { readonly server: Socket; readonly abort: () => void } {
  const server = connect({ host: address, port, noDelay: true, allowHalfOpen: true });
  const abort = (): void => {
    client.resetAndDestroy();
    server.resetAndDestroy();
  };
  server.on('error', abort);
  client.on('error', abort).on('close', () => server.destroy());
  client.pipe(server);
  return { server, abort };
}

/** Milliseconds between two pieces of a throttled answer. */
const beat = 100;

/** Both ways; the server's bytes come no faster than `rate` a second. */
function trickle(client: Socket, diversion: Diversion, rate: number): void {
  const { server } = upstream(client, diversion);
  let waiting = Buffer.alloc(0);
  let ended = false;
  // Bytes that may go: fractions add up.
  let allowed = 0;
  const timer = setInterval(() => {
    allowed = Math.min(allowed + (rate * beat) / 1000, rate);
    const part = waiting.subarray(0, Math.floor(allowed));
    if (part.length > 0) client.write(part);
    allowed -= part.length;
    waiting = waiting.subarray(part.length);
    if (waiting.length === 0 && ended) client.end();
    else if (waiting.length < rate) server.resume();
  }, beat);
  client.on('close', () => clearInterval(timer));
  server.on('data', (data: Buffer) => {
    waiting = Buffer.concat([waiting, data]);
    if (waiting.length >= rate) server.pause();
  });
  server.on('end', () => {
    ended = true;
  });
}
