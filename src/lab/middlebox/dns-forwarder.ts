/** Where `isp` sends questions to DNS while some names are poisoned: forges those, forwards the others. */
import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import type { Forgery, MiddleboxPorts } from '../censor.ts';
import { framed, readMessages } from '../dns-stream.ts';
import { resolvers } from '../plan.ts';
import { packetOf } from '../world/answers.ts';

/** Milliseconds that a forwarded question may take. */
const patience = 10_000;

export class DnsForwarder {
  readonly #poison: (name: string) => Forgery | undefined;

  /** `poison`: the forged answer for a name (lower case), or undefined to ask the real resolver. */
  constructor(poison: (name: string) => Forgery | undefined) {
    this.#poison = poison;
  }

  async listen(): Promise<MiddleboxPorts['dns']> {
    const [udp4, udp6, tcp4, tcp6] = await Promise.all([
      this.#listenUdp('udp4', resolvers[0]),
      this.#listenUdp('udp6', resolvers[1]),
      this.#listenTcp('0.0.0.0', resolvers[0]),
      this.#listenTcp('::', resolvers[1]),
    ]);
    return { udp4, udp6, tcp4, tcp6 };
  }

  #forged(message: Buffer): Uint8Array | undefined {
    let query: Packet;
    try {
      query = decode(message);
    } catch {
      return undefined;
    }
    const question = query.questions?.[0];
    if (query.type !== 'query' || question === undefined) return undefined;
    const forgery = this.#poison(question.name.toLowerCase().replace(/\.$/, ''));
    if (forgery === undefined) return undefined;
    // RCODE 3: Name Error (RFC 1035 §4.1.1).
    return encode(forgery === 'nxdomain' ? packetOf(query, question, 3, []) : packetOf(query, question, 0, forgery));
  }

  #listenUdp(type: 'udp4' | 'udp6', resolver: string): Promise<number> {
    const own = createSocket({ type, ipv6Only: type === 'udp6' });
    own.on('message', (message, { address, port }) => {
      const forged = this.#forged(message);
      if (forged !== undefined) {
        own.send(forged, port, address, () => {});
        return;
      }
      const upstream = createSocket(type);
      const timer = setTimeout(() => upstream.close(), patience);
      upstream.on('close', () => clearTimeout(timer));
      upstream.on('error', () => upstream.close());
      upstream.once('message', (reply) => {
        own.send(reply, port, address, () => {});
        upstream.close();
      });
      upstream.send(message, 53, resolver);
    });
    return new Promise((resolve, reject) => {
      own.once('error', reject);
      own.bind(0, type === 'udp4' ? '0.0.0.0' : '::', () => resolve(own.address().port));
    });
  }

  #listenTcp(host: string, resolver: string): Promise<number> {
    const server = createServer((client) => {
      let upstream: Socket | undefined;
      const end = (): void => {
        client.destroy();
        upstream?.destroy();
      };
      client.setTimeout(patience, end);
      client.on('error', end).on('close', end);
      readMessages(client, (message) => {
        const forged = this.#forged(message);
        if (forged !== undefined) {
          client.write(framed(forged));
          return;
        }
        if (upstream === undefined) {
          upstream = connect(53, resolver);
          upstream.on('error', end).on('close', end);
          upstream.pipe(client);
        }
        upstream.write(framed(message));
      });
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: 0, host, ipv6Only: host === '::' }, () => resolve((server.address() as AddressInfo).port));
    });
  }
}
