/** A DnsTransport that answers from a script; and DNS answers made by hand. */
import { type Answer, decode, encode, type Packet } from 'dns-packet';
import type { DnsOutcome, DnsQuestion, DnsServer, DnsTransport } from '../../src/system/dns-client-ports.ts';

/** What a server saw. */
export interface SeenQuery {
  readonly server: DnsServer;
  readonly name: string;
  readonly type: string;
  readonly recursion: boolean;
  readonly unchecked: boolean;
  readonly edns: boolean;
  readonly bytes: Uint8Array;
}

export type Reply = Uint8Array | Extract<DnsOutcome, { ok: false }> | 'silence';

const rcodes: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
};

export interface AnswerShape {
  readonly rcode?: string;
  /** Of the type that was asked for. */
  readonly addresses?: readonly string[];
  readonly alias?: string;
  readonly truncated?: boolean;
  /** INFO-CODE and text (RFC 8914). */
  readonly extended?: readonly [number, string];
}

/** The bytes that answer a query: its id and question, byte for byte. */
export function answerTo(query: Uint8Array, shape: AnswerShape = {}): Buffer {
  const asked = decode(Buffer.from(query));
  const question = asked.questions?.[0];
  if (question === undefined) throw new Error('a query without a question');
  const type = question.type as 'A' | 'AAAA';
  const owner = shape.alias ?? question.name;
  const answers: Answer[] = [
    ...(shape.alias === undefined ? [] : [{ type: 'CNAME' as const, name: question.name, ttl: 60, data: shape.alias }]),
    ...(shape.addresses ?? []).map((data) => ({ type, name: owner, ttl: 60, class: 'IN' as const, data })),
  ];
  const [code, text] = shape.extended ?? [];
  const bytes = encode({
    type: 'response',
    id: asked.id ?? 0,
    // RD, RA.
    flags: 0x0180 | (shape.truncated === true ? 0x0200 : 0) | (rcodes[shape.rcode ?? 'NOERROR'] ?? 0),
    questions: [question],
    answers,
    ...(code === undefined ? {} : { additionals: [extendedError(code, text ?? '')] }),
  } as Packet);
  // dns-packet writes the name as it was, so its case too.
  return bytes;
}

function extendedError(code: number, text: string): Answer {
  const data = Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(text)]);
  const options = [{ code: 15, data }];
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    options,
  } as unknown as Answer;
}

export function readQuery(server: DnsServer, bytes: Uint8Array): SeenQuery {
  const packet = decode(Buffer.from(bytes));
  const question = packet.questions?.[0];
  const flags = packet.flags ?? 0;
  return {
    server,
    name: question?.name ?? '',
    type: question?.type ?? '',
    recursion: (flags & 0x0100) !== 0,
    unchecked: (flags & 0x0010) !== 0,
    edns: (packet.additionals ?? []).some(({ type }) => type === 'OPT'),
    bytes,
  };
}

/** Silence is over at once: time is the clock's, which tests move themselves. */
export class FakeDnsTransport implements DnsTransport {
  readonly seen: SeenQuery[] = [];
  script: (query: SeenQuery) => Reply;

  constructor(script: (query: SeenQuery) => Reply = () => 'silence') {
    this.script = script;
  }

  exchange(server: DnsServer, question: DnsQuestion, signal: AbortSignal): Promise<DnsOutcome> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const query = readQuery(server, question.bytes);
    this.seen.push(query);
    return Promise.resolve(this.#outcome(this.script(query), question));
  }

  #outcome(reply: Reply, question: DnsQuestion): DnsOutcome {
    if (reply === 'silence') return { ok: false, kind: 'timeout', detail: `nothing within ${question.timeout} ms` };
    if (!(reply instanceof Uint8Array)) return reply;
    const refused = question.refuses(reply);
    return refused === undefined ? { ok: true, bytes: reply } : { ok: false, kind: 'malformed', detail: refused };
  }
}

/** No server answers. */
export const silentDns: DnsTransport = {
  exchange: (_server, { timeout }) =>
    Promise.resolve({ ok: false, kind: 'timeout', detail: `nothing within ${timeout} ms` }),
};
