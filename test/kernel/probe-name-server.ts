/** A name server on loopback that answers well, late, wrongly or not at all, by the name that is asked. */
import dgram, { type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import packet, { type Answer, type DecodedPacket, type Question } from 'dns-packet';

const nxdomain = 3;
const servfail = 2;
const refused = 5;
const authoritative = packet.AUTHORITATIVE_ANSWER;

type Script = (question: Question) => { answers?: Answer[]; rcode?: number; flags?: number } | undefined;

const v4 = (name: string, ...addresses: string[]): Answer[] =>
  addresses.map((data) => ({ type: 'A', name, ttl: 60, data }) as const);
const v6 = (name: string, ...addresses: string[]): Answer[] =>
  addresses.map((data) => ({ type: 'AAAA', name, ttl: 60, data }) as const);

/** By the first label. Undefined: no answer. */
const scripts: Readonly<Record<string, Script>> = {
  both: ({ name, type }) => ({
    answers: type === 'A' ? v4(name, '192.0.2.1', '192.0.2.2') : v6(name, '2001:db8:0:0::1'),
  }),
  empty: () => ({}),
  missing: () => ({ rcode: nxdomain }),
  servfail: () => ({ rcode: servfail }),
  refused: () => ({ rcode: refused }),
  silent: () => undefined,
  'only-v4': ({ name, type }) => (type === 'A' ? { answers: v4(name, '192.0.2.4') } : { rcode: servfail }),
  'v6-silent': ({ name, type }) => (type === 'A' ? { answers: v4(name, '192.0.2.4') } : undefined),
  'v6-nxdomain': ({ name, type }) => (type === 'A' ? { answers: v4(name, '192.0.2.4') } : { rcode: nxdomain }),
  'v4-empty-v6-fails': ({ type }) => (type === 'A' ? {} : { rcode: servfail }),
  truncated: () => ({ flags: packet.TRUNCATED_RESPONSE }),
  'cname-loop': ({ name }) => ({
    answers: [
      { type: 'CNAME', name, ttl: 60, data: 'b.example.test' },
      { type: 'CNAME', name: 'b.example.test', ttl: 60, data: name },
    ],
  }),
  thousand: ({ name, type }) => ({
    answers: type === 'A' ? v4(name, ...Array.from({ length: 1000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`)) : [],
  }),
  'same-twice': ({ name, type }) => ({ answers: type === 'A' ? v4(name, '192.0.2.9', '192.0.2.9') : [] }),
};

export class HostileNameServer {
  readonly #socket = dgram.createSocket('udp4');
  readonly #delay: number;
  /** Questions that came, `type name`. */
  readonly questions: string[] = [];

  /** `delay`: milliseconds before each answer. */
  constructor(delay = 0) {
    this.#delay = delay;
  }

  async listen(port = 0): Promise<number> {
    this.#socket.on('message', (message, peer) => {
      if (this.#delay === 0) this.#answer(message, peer);
      else setTimeout(() => this.#answer(message, peer), this.#delay);
    });
    this.#socket.bind({ port, address: '127.0.0.1' });
    await once(this.#socket, 'listening');
    this.#socket.setRecvBufferSize(1 << 20);
    return this.#socket.address().port;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #answer(message: Buffer, peer: RemoteInfo): void {
    const query = packet.decode(message);
    const question = query.questions?.[0];
    if (question === undefined) return;
    this.questions.push(`${question.type} ${question.name}`);
    const label = question.name.split('.')[0] ?? '';
    if (label === 'garbage') return this.#send(Buffer.alloc(60, 0xff), peer);
    if (label === 'garbage-with-id')
      return this.#send(Buffer.concat([message.subarray(0, 2), Buffer.alloc(60, 0xff)]), peer);
    if (label === 'cut') return this.#send(this.#encode(query, question, scripts.both).subarray(0, 40), peer);
    if (label === 'wrong-id') {
      const forged = this.#encode(query, question, scripts.both);
      forged.writeUInt16BE((query.id ?? 0) ^ 0x5555, 0);
      return this.#send(forged, peer);
    }
    if (label === 'other-name') {
      return this.#send(this.#encode(query, { ...question, name: 'both.example.org' }, scripts.both), peer);
    }
    const script = scripts[label] ?? (label.startsWith('h') ? scripts.both : scripts.missing);
    if (script?.(question) !== undefined) this.#send(this.#encode(query, question, script), peer);
  }

  #encode(query: DecodedPacket, question: Question, script: Script | undefined): Buffer {
    const { answers = [], rcode = 0, flags = 0 } = script?.(question) ?? {};
    return packet.encode({
      type: 'response',
      ...(query.id === undefined ? {} : { id: query.id }),
      flags: authoritative | packet.RECURSION_AVAILABLE | flags | rcode,
      questions: [question],
      answers,
    });
  }

  #send(message: Buffer, peer: RemoteInfo): void {
    this.#socket.send(message, peer.port, peer.address);
  }
}
