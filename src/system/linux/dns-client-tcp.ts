/** Asks a DNS server over a stream, TCP or TLS: a connection for each question, messages behind their length (RFC 7766 section 8). */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { DnsOutcome, DnsQuestion, DnsServer } from '../dns-client-ports.ts';
import { failed, placeOf, runExchange, socketFailure } from './dns-client-exchange.ts';

export function exchangeTcp(
  clock: Clock,
  server: DnsServer,
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<DnsOutcome> {
  return runExchange(clock, question, signal, (settle) => {
    const socket = connect({ host: server.address ?? server.name ?? '', port: server.port });
    socket.on('connect', () => askOverStream(socket, server, question, settle));
    socket.on('error', (error) => settle(socketFailure(error, server)));
    return {
      close: () => void socket.destroy(),
      late: () =>
        socket.connecting
          ? failed('timeout', `no connection to ${placeOf(server)} within ${Math.round(question.timeout)} ms`)
          : undefined,
    };
  });
}

/** Over a stream that is open; errors of the stream are the caller's. */
export function askOverStream(
  socket: Socket,
  server: DnsServer,
  question: DnsQuestion,
  settle: (outcome: DnsOutcome) => void,
): void {
  let came = Buffer.alloc(0);
  socket.on('data', (piece: Buffer) => {
    came = Buffer.concat([came, piece]);
    if (came.length < 2) return;
    const length = came.readUInt16BE(0);
    if (came.length < 2 + length) return;
    const bytes = came.subarray(2, 2 + length);
    // Nobody else can write into the connection: what is no answer is the server's own fault.
    const refused = question.refuses(bytes);
    settle(refused === undefined ? { ok: true, bytes } : failed('malformed', refused));
  });
  socket.on('end', () => {
    const what = came.length === 0 ? 'without an answer' : `after ${came.length} bytes of an answer`;
    settle(failed(came.length === 0 ? 'unreachable' : 'malformed', `${placeOf(server)} closed the connection ${what}`));
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(question.bytes.length);
  // In one piece: some servers read the length alone and give up (RFC 7766 section 8).
  socket.write(Buffer.concat([length, question.bytes]));
}
