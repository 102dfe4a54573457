/** The UdpSockets port: node:dgram, on a socket of its own or on one that systemd passed. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { describeError, NetstewardError } from '../../core/errors.ts';
import type { DatagramListener, UdpBinding, UdpSocket, UdpSockets } from '../dyndns-ports.ts';
import { closeDatagram } from './datagram-close.ts';

/** Bytes: some seconds of 30 000 packets a second. The kernel gives no more than net.core.rmem_max (socket(7)). */
const wantedBuffer = 4 * 1024 * 1024;

export class LinuxUdpSockets implements UdpSockets {
  open(binding: UdpBinding, listener: DatagramListener): Promise<UdpSocket> {
    return new Promise((resolve, reject) => {
      // A udp6 handle serves an IPv4 socket that was passed, too: nothing is ever sent back.
      const six = 'fd' in binding || isIPv6(binding.address);
      const socket = createSocket({ type: six ? 'udp6' : 'udp4' });
      const refused = (error: Error): void => {
        void closeDatagram(socket);
        reject(notBound(binding, error));
      };
      socket.once('error', refused);
      socket.on('message', (bytes, { address }) => listener.datagram(bytes, address));
      const bound = (): void => {
        socket.removeListener('error', refused);
        socket.on('error', (error) => {
          void closeDatagram(socket);
          listener.failed(error);
        });
        resolve({ local: localOf(socket), receiveBuffer: raiseBuffer(socket), close: () => closeDatagram(socket) });
      };
      try {
        if ('fd' in binding) socket.bind({ fd: binding.fd }, bound);
        else socket.bind({ address: binding.address, port: binding.port }, bound);
      } catch (error) {
        refused(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}

/** The socket unit's ReceiveBuffer= may be larger than what this process may ask for: it is never lowered. */
function raiseBuffer(socket: Socket): number {
  try {
    if (socket.getRecvBufferSize() < 2 * wantedBuffer) socket.setRecvBufferSize(wantedBuffer);
  } catch {
    // A smaller buffer loses packets sooner in a flood, and nothing else.
  }
  try {
    return socket.getRecvBufferSize();
  } catch {
    return 0;
  }
}

function localOf(socket: Socket): string {
  const { address, port } = socket.address();
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function notBound(binding: UdpBinding, error: Error): NetstewardError {
  const where = 'fd' in binding ? `the passed socket (descriptor ${binding.fd})` : `${binding.address}:${binding.port}`;
  return new NetstewardError('udp-not-bound', `cannot listen on ${where}: ${describeError(error)}`, {
    remedy: 'See who has the port with `ss -lunp`, or listen elsewhere.',
    cause: error,
  });
}
