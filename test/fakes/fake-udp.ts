/** UDP sockets whose datagrams a test sends. */
import type { DatagramListener, UdpBinding, UdpSocket, UdpSockets } from '../../src/system/dyndns-ports.ts';

export class FakeUdp implements UdpSockets {
  readonly opened: UdpBinding[] = [];
  readonly #open = new Set<DatagramListener>();
  failure: Error | undefined;

  /** Sockets that are open at the moment. */
  get size(): number {
    return this.#open.size;
  }

  /** To every open socket. */
  send(bytes: Uint8Array, source: string): void {
    for (const listener of this.#open) listener.datagram(bytes, source);
  }

  break(error: Error): void {
    for (const listener of this.#open) listener.failed(error);
  }

  async open(binding: UdpBinding, listener: DatagramListener): Promise<UdpSocket> {
    if (this.failure !== undefined) throw this.failure;
    this.opened.push(binding);
    this.#open.add(listener);
    return {
      local: 'address' in binding ? `[${binding.address}]:${binding.port}` : `descriptor ${binding.fd}`,
      receiveBuffer: 0,
      close: async () => {
        this.#open.delete(listener);
      },
    };
  }
}
