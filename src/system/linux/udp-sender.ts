/** DatagramSender: a socket for each datagram, so that none keeps the source address of a line that is gone. */
import { createSocket } from 'node:dgram';
import type { Datagram, DatagramSender } from '../address-ports.ts';

export const udpSender: DatagramSender = {
  send({ bytes, family, address, port, from }: Datagram): Promise<void> {
    // Packets to several destinations may leave from one port at a time (SO_REUSEADDR, socket(7)).
    const reuseAddr = from !== undefined && from.port !== 0;
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', reuseAddr });
    return new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      const send = (): void => {
        socket.send(bytes, port, address, (error) => (error === null ? resolve() : reject(error)));
      };
      if (from === undefined) send();
      else socket.bind(from.port, from.address, send);
    }).finally(() => socket.close());
  },
};
