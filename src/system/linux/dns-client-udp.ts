/** Asks a DNS server over UDP: from a port by chance, again while no answer comes, and deaf to what is no answer. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock, Timer } from '../../core/clock.ts';
import type { DnsOutcome, DnsQuestion, DnsServer } from '../dns-client-ports.ts';
import { failed, runExchange, socketFailure } from './dns-client-exchange.ts';

/** Milliseconds until the question is sent a second time, at most; each further wait is twice as long. */
const longestFirstWait = 1000;

export function exchangeUdp(
  clock: Clock,
  server: DnsServer,
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<DnsOutcome> {
  const { address = '', port } = server;
  return runExchange(clock, question, signal, (settle) => {
    // The kernel draws the local port, as it does for every socket that binds none (RFC 5452 section 9.2 asks for that).
    const socket = createSocket(isIPv6(address.replace(/%.*/, '')) ? 'udp6' : 'udp4');
    let again: Timer | undefined;
    let refused: string | undefined;
    const send = (wait: number): void => {
      // Errors reach the listener below.
      socket.send(question.bytes);
      again = clock.after(wait, () => send(2 * wait));
    };
    socket.on('error', (error) => settle(socketFailure(error, server)));
    socket.on('message', (bytes) => {
      // What is no answer may be forged: the true one may still come (RFC 5452 section 9.1).
      refused = question.refuses(bytes);
      if (refused === undefined) settle({ ok: true, bytes });
    });
    // With a listener and no callback: errors of connect(2), such as no route, would go to the callback alone.
    socket.on('connect', () => send(Math.min(longestFirstWait, question.timeout / 4)));
    // Connected, so that the kernel drops what others send, and tells of ICMP errors (udp(7)).
    socket.connect(port, address);
    return {
      close() {
        again?.cancel();
        // It may be on its way already.
        socket.removeAllListeners('connect');
        socket.close();
      },
      late: () => (refused === undefined ? undefined : failed('malformed', refused)),
    };
  });
}
