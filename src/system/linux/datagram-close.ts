/** The end of a UDP socket, however often it is ended. */
import type { Socket } from 'node:dgram';

/** Resolves when it is closed; never rejects. */
export function closeDatagram(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(resolve);
    } catch {
      // Closed already (ERR_SOCKET_DGRAM_NOT_RUNNING).
      resolve();
    }
  });
}
