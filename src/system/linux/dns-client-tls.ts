/** Asks a DNS server over TLS (RFC 7858), and opens the checked connections that HTTPS needs, too. */
import { isIP } from 'node:net';
import tls from 'node:tls';
import { errnoOf } from '../../core/errors.ts';
import type { DnsOutcome, DnsQuestion, DnsServer } from '../dns-client-ports.ts';
import { failed, placeOf, runExchange, socketFailure } from './dns-client-exchange.ts';
import type { SecurePorts } from './dns-client-handshakes.ts';
import { askOverStream } from './dns-client-tcp.ts';
import { certificateProblem } from './tls-stage.ts';
import type { TrustStore } from './trust-store.ts';

export interface TlsListener {
  /** The handshake is done, and the certificate is the server's. */
  ready(socket: tls.TLSSocket): void;
  failed(outcome: DnsOutcome): void;
}

/** `protocols`: for ALPN. Without session tickets: a resumed session would hide a certificate that was swapped. */
export function connectTls(
  server: DnsServer,
  trust: TrustStore,
  protocols: readonly string[],
  listener: TlsListener,
): tls.TLSSocket {
  const host = server.name ?? server.address ?? '';
  const socket = tls.connect({
    host: server.address ?? host,
    port: server.port,
    secureContext: trust.context(),
    // RFC 6066 section 3: no addresses.
    servername: isIP(host) === 0 ? host : '',
    ALPNProtocols: [...protocols],
    // certificateProblem decides below, and says whose it was.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  let connected = false;
  let done = false;
  socket.on('connect', () => {
    connected = true;
  });
  socket.on('secureConnect', () => {
    done = true;
    const problem = certificateProblem(socket, host);
    if (problem === undefined) listener.ready(socket);
    else listener.failed(failed('tls', `${placeOf(server)}: ${problem}`));
  });
  socket.on('error', (error) => {
    const code = errnoOf(error) ?? '';
    // Before TCP stands, and after TLS does, it is the socket's error; in between the handshake's.
    const plain = !connected || (done && !code.startsWith('ERR_SSL'));
    listener.failed(plain ? socketFailure(error, server) : failed('tls', `${placeOf(server)}: ${words(error)}`));
  });
  return socket;
}

/** OpenSSL's messages hold addresses of memory and paths of its sources; its reason alone says it. */
function words(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}

export function exchangeTls(
  { clock, trust, handshakes }: SecurePorts,
  server: DnsServer,
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<DnsOutcome> {
  return handshakes.run(question, signal, (done) =>
    runExchange(clock, question, signal, (settle) => {
      const socket = connectTls(server, trust, ['dot'], {
        ready(open) {
          done();
          askOverStream(open, server, question, settle);
        },
        failed: settle,
      });
      return { close: () => void socket.destroy(), late: () => lateTls(socket, server, question) };
    }),
  );
}

/** How far it came. */
export function lateTls(socket: tls.TLSSocket, server: DnsServer, { timeout }: DnsQuestion): DnsOutcome | undefined {
  const limit = `within ${Math.round(timeout)} ms`;
  if (socket.connecting) return failed('timeout', `no connection to ${placeOf(server)} ${limit}`);
  if (socket.getProtocol() === null || socket.getPeerX509Certificate() === undefined) {
    return failed('timeout', `no TLS handshake with ${placeOf(server)} ${limit}`);
  }
  return undefined;
}
