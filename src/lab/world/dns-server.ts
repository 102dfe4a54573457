/** The DNS servers of `world`: UDP and TCP port 53 at the lab's public resolver addresses. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { decode, encode, type Packet, TRUNCATED_RESPONSE } from 'dns-packet';
import { familyOf } from '../address.ts';
import { framed, readMessages } from '../dns-stream.ts';
import type { DnsBehaviour, Service } from '../service.ts';
import { replyTo, udpLimit } from './answers.ts';

export interface Zone {
  service(name: string): Service | undefined;
  behaviour(name: string): DnsBehaviour;
}

export class DnsServer {
  readonly #zone: Zone;
  readonly #turns = new Map<string, number>();

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  async listen(addresses: readonly string[]): Promise<void> {
    await Promise.all(addresses.flatMap((address) => [this.#listenUdp(address), this.#listenTcp(address)]));
  }

  /** Nothing for silence; `stream`: no limit of length. */
  #answer(message: Buffer, stream: boolean, send: (reply: Uint8Array) => void): void {
    let query: Packet;
    try {
      query = decode(message);
    } catch {
      return;
    }
    const asked = query.questions?.[0];
    if (query.type !== 'query' || asked === undefined) return;
    const name = asked.name.toLowerCase().replace(/\.$/, '');
    const behaviour = this.#zone.behaviour(name);
    const key = `${asked.type} ${name}`;
    const turn = this.#turns.get(key) ?? 0;
    // Only names of the zone are counted, so that foreign questions fill no memory.
    const service = this.#zone.service(name);
    if (service !== undefined) this.#turns.set(key, turn + 1);
    const reply = replyTo(query, service, behaviour, turn);
    if (reply.kind === 'silence') return;
    const bytes =
      reply.kind === 'garbage' ? garbageFor(message) : encoded(reply.packet, stream ? 65_535 : udpLimit(query));
    if (behaviour.delay === undefined) send(bytes);
    else setTimeout(() => send(bytes), behaviour.delay);
  }

  #listenUdp(address: string): Promise<void> {
    const socket = createSocket({ type: familyOf(address) === 4 ? 'udp4' : 'udp6', recvBufferSize: 4 * 1024 * 1024 });
    socket.on('message', (message, { address: to, port }) => {
      this.#answer(message, false, (reply) => socket.send(reply, port, to, () => {}));
    });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(53, address, resolve);
    });
  }

  #listenTcp(address: string): Promise<void> {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.setTimeout(10_000, () => socket.destroy());
      readMessages(socket, (message) => {
        this.#answer(message, true, (reply) => {
          if (socket.writable) socket.write(framed(reply));
        });
      });
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(53, address, resolve);
    });
  }
}

/** The question's id, so that it is looked at, then bytes that are no answer. */
function garbageFor(message: Buffer): Buffer {
  return Buffer.concat([
    message.subarray(0, 2),
    Buffer.from([0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0]),
    randomBytes(40),
  ]);
}

function encoded(packet: Packet, limit: number): Uint8Array {
  const whole = encode(packet);
  if (whole.length <= limit) return whole;
  // RFC 2181 §9: the client asks again over TCP.
  return encode({ ...packet, flags: (packet.flags ?? 0) | TRUNCATED_RESPONSE, answers: [] });
}
