/** The NameServer port: one question over UDP to one server. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { decode, encode } from 'dns-packet';
import type { Clock } from '../../core/clock.ts';
import { addressRecords } from '../dns-addresses.ts';
import type { NameServer, NameServerQuestion } from '../dyndns-ports.ts';

type Outcome = Awaited<ReturnType<NameServer['ask']>>;

export class UdpNameServer implements NameServer {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ask({ server, port, name, type, timeout }: NameServerQuestion): Promise<Outcome> {
    return new Promise((resolve) => {
      const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
      const id = randomInt(65_536);
      let done = false;
      const settle = (outcome: Outcome): void => {
        if (done) return;
        done = true;
        timer.cancel();
        socket.close();
        resolve(outcome);
      };
      const timer = this.#clock.after(timeout, () => settle({ ok: false, reason: `no answer within ${timeout} ms` }));
      socket.on('error', (error) => settle({ ok: false, reason: error.message }));
      socket.on('message', (bytes) => {
        const outcome = outcomeOf(bytes, id, name, type);
        if (outcome !== undefined) settle(outcome);
      });
      // Only what the server itself sends is heard.
      socket.connect(port, server, () => {
        if (done) return;
        socket.send(encode({ type: 'query', id, flags: 0, questions: [{ name, type, class: 'IN' }] }));
      });
    });
  }
}

/** Undefined for what is no answer to this question. */
function outcomeOf(bytes: Buffer, id: number, name: string, type: 'A' | 'AAAA'): Outcome | undefined {
  let packet: ReturnType<typeof decode>;
  try {
    packet = decode(bytes);
  } catch {
    return undefined;
  }
  if (packet.id !== id || packet.type !== 'response') return undefined;
  const asked = name.toLowerCase();
  const records = addressRecords(packet.answers ?? [], type);
  if (records === undefined) return undefined;
  const addresses = records.filter((record) => record.name.toLowerCase() === asked).map(({ address }) => address);
  const rcode = (packet.flags ?? 0) & 0xf;
  if (addresses.length === 0 && rcode !== 0 && rcode !== 3)
    return { ok: false, reason: `it answers with code ${rcode}` };
  return { ok: true, addresses };
}
