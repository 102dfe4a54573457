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
    const reply = this.#reply(label, message, query, question);
    if (reply !== undefined) this.#socket.send(reply, peer.port, peer.address);
  }

  #reply(label: string, message: Buffer, query: DecodedPacket, question: Question): Buffer | undefined {
    const junk = Buffer.alloc(60, 0xff);
    if (label === 'garbage') return junk;
    if (label === 'garbage-with-id') return Buffer.concat([message.subarray(0, 2), junk]);
    const good = this.#encode(query, question, scripts.both);
    if (label === 'cut') return good.subarray(0, 40);
    if (label === 'other-name') return this.#encode(query, { ...question, name: 'both.example.org' }, scripts.both);
    if (label === 'wrong-id') {
      good.writeUInt16BE((query.id ?? 0) ^ 0x5555, 0);
      return good;
    }
    const script = scripts[label] ?? (label.startsWith('h') ? scripts.both : scripts.missing);
    return script?.(question) === undefined ? undefined : this.#encode(query, question, script);
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
}
