/** Asks a DNS server over HTTPS (RFC 8484): a POST over HTTP/2, or HTTP/1.1 where the server knows no other. */
import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Client } from 'undici';
import { describeError } from '../../core/errors.ts';
import type { DnsOutcome, DnsQuestion, DnsServer } from '../dns-client-ports.ts';
import { failed, placeOf, type RunningExchange, runExchange } from './dns-client-exchange.ts';
import type { SecurePorts } from './dns-client-handshakes.ts';
import { connectTls, lateTls } from './dns-client-tls.ts';
import type { TrustStore } from './trust-store.ts';

/** No DNS message is longer (RFC 1035 section 4.2.2). */
const longestMessage = 65_535;
const contentType = 'application/dns-message';

export function exchangeHttps(
  { clock, trust, handshakes }: SecurePorts,
  server: DnsServer,
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<DnsOutcome> {
  return handshakes.run(question, signal, (done) =>
    runExchange(clock, question, signal, (settle) => askOverHttps(server, trust, question, settle, done)),
  );
}

/** `shaken`: called when the handshake is done. */
function askOverHttps(
  server: DnsServer,
  trust: TrustStore,
  question: DnsQuestion,
  settle: (outcome: DnsOutcome) => void,
  shaken: () => void,
): RunningExchange {
  let socket: TLSSocket | undefined;
  // From then on it is undici's to close.
  let given = false;
  const client = new Client(originOf(server), {
    allowH2: true,
    // runExchange ends it all; a second limit would only say less.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect(_options, done) {
      socket = connectTls(server, trust, ['h2', 'http/1.1'], {
        ready(open) {
          shaken();
          given = true;
          done(null, open);
        },
        failed(outcome) {
          settle(outcome);
          done(new Error('no connection'), null);
        },
      });
    },
  });
  // What comes after the first outcome no longer counts.
  post(client, server, question).then(settle, (error: unknown) =>
    settle(failed('http', `${placeOf(server)}: ${describeError(error)}`)),
  );
  return {
    close() {
      if (!given) socket?.destroy();
      // Rejects for the request that is under way, which nobody waits for any more.
      client.destroy().catch(() => {});
    },
    late: () => (socket === undefined ? undefined : lateTls(socket, server, question)),
  };
}

function originOf({ name, address, port }: DnsServer): string {
  const host = name ?? address ?? '';
  return `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

async function post(client: Client, { path }: DnsServer, question: DnsQuestion): Promise<DnsOutcome> {
  const { statusCode, headers, body } = await client.request({
    method: 'POST',
    path,
    headers: { accept: contentType, 'content-type': contentType },
    body: Buffer.from(question.bytes),
  });
  // Its end is no error that anybody has to hear of.
  body.on('error', () => {});
  if (statusCode !== 200) return failed('http', `status ${statusCode} from ${path}`);
  const type = String(headers['content-type'] ?? 'no type').toLowerCase();
  if (!type.startsWith(contentType)) return failed('http', `${path} gave ${type}, not ${contentType}`);
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body) {
    pieces.push(Buffer.from(piece as Uint8Array));
    length += (piece as Uint8Array).length;
    if (length > longestMessage) return failed('malformed', `${path} gave more than ${longestMessage} bytes`);
  }
  const bytes = Buffer.concat(pieces);
  const refused = question.refuses(bytes);
  return refused === undefined ? { ok: true, bytes } : failed('malformed', refused);
}
