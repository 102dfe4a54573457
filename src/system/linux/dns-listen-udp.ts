/** DNS over UDP: one socket, and one answer for each datagram that deserves one. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { DnsBinding, DnsListener } from '../dns-listen-ports.ts';
import { closeDatagram } from './datagram-close.ts';
import { notBound } from './dns-not-bound.ts';

/** Bytes; two seconds of 10 000 queries a second. The kernel gives no more than net.core.rmem_max (socket(7)). */
const wantedBuffer = 4 * 1024 * 1024;

export interface UdpListening {
  readonly port: number;
  close(): Promise<void>;
}

export function listenUdp(binding: DnsBinding, listener: DnsListener): Promise<UdpListening> {
  return new Promise((resolve, reject) => {
    const six = isIPv6(binding.address);
    const socket = createSocket({
      type: six ? 'udp6' : 'udp4',
      // Addresses of senders are numeric: Node would ask its resolver code for each answer, and wait a turn.
      lookup: (address, _options, done) => done(null, address, six ? 6 : 4),
    });
    const refused = (error: Error): void => {
      void closeDatagram(socket);
      reject(notBound(binding, 'UDP', error));
    };
    socket.once('error', refused);
    socket.on('message', (message, { address, port }) => {
      // Port 0 is nobody's (RFC 768), and Node throws at it.
      if (port === 0) return;
      const answer = listener.answer(message, 'udp');
      // Without a callback, which would cost a turn for each: an answer that cannot be sent is one that was lost.
      if (answer !== undefined) socket.send(answer, port, address);
    });
    socket.bind({ address: binding.address, port: binding.port }, () => {
      socket.removeListener('error', refused);
      socket.on('error', (error) => {
        void closeDatagram(socket);
        listener.failed(error);
      });
      raiseBuffer(socket);
      resolve({ port: socket.address().port, close: () => closeDatagram(socket) });
    });
  });
}

function raiseBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(wantedBuffer);
  } catch {
    // A smaller buffer loses queries sooner in a flood, and nothing else.
  }
}
