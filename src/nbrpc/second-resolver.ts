/** Asks the second resolvers for the addresses of a name: DNS messages over the DnsTransport port, as the Resolver port. */
import { decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';
import { addressRecords } from '../system/dns-addresses.ts';
import type { DnsOutcome, DnsQuestion, DnsServer, DnsTransport } from '../system/dns-client-ports.ts';
import type { ResolveOutcome, ResolveRequest, Resolver } from '../system/ports.ts';
import type { SecondResolver } from './reason-config.ts';

const types = ['A', 'AAAA'] as const;

export interface SecondResolverPorts {
  readonly transport: DnsTransport;
  /** A number from 0 to 65535 that nobody can foretell (RFC 5452 §9.2). */
  readonly id: () => number;
}

/** One server. Both families are asked at once; what one of them answers is enough. */
export class SecondOpinion implements Resolver {
  readonly label: string;
  readonly #server: SecondResolver;
  readonly #ports: SecondResolverPorts;

  constructor(server: SecondResolver, ports: SecondResolverPorts) {
    this.label = server.label;
    this.#server = server;
    this.#ports = ports;
  }

  async resolve({ name, timeout }: ResolveRequest, signal: AbortSignal): Promise<ResolveOutcome> {
    const replies = await Promise.all(types.map((type) => this.#ask(name, type, timeout, signal)));
    const addresses = replies.flatMap((reply) => (reply.ok ? reply.addresses : []));
    const failure = replies.find((reply) => !reply.ok);
    return addresses.length > 0 || failure === undefined ? { ok: true, addresses } : failure;
  }

  async #ask(
    name: string,
    type: (typeof types)[number],
    timeout: number,
    signal: AbortSignal,
  ): Promise<ResolveOutcome> {
    // Caches of HTTP want the same bytes each time (RFC 8484 §4.1).
    const id = this.#server.protocol === 'https' ? 0 : this.#ports.id();
    const questions = [{ type, name: name.replace(/\.$/, ''), class: 'IN' as const }];
    const bytes = encode({ type: 'query', id, flags: RECURSION_DESIRED, questions });
    const question: DnsQuestion = { bytes, timeout, refuses: (answer) => whyForeign(bytes, answer) };
    const first = await this.#ports.transport.exchange(this.#server, question, signal);
    // A truncated answer may lack what was asked for (RFC 2181 §9).
    const truncated = first.ok && this.#server.protocol === 'udp' && ((first.bytes[2] ?? 0) & 0x02) !== 0;
    const overTcp: DnsServer = { ...this.#server, protocol: 'tcp' };
    return read(truncated ? await this.#ports.transport.exchange(overTcp, question, signal) : first, type);
  }
}

function read(outcome: DnsOutcome, type: (typeof types)[number]): ResolveOutcome {
  if (!outcome.ok) return { ok: false, kind: outcome.kind, detail: outcome.detail };
  let packet: Packet;
  try {
    packet = decode(Buffer.from(outcome.bytes));
  } catch {
    return { ok: false, kind: 'malformed', detail: 'an answer that cannot be read' };
  }
  const rcode = (outcome.bytes[3] ?? 0) & 15;
  if (rcode === 3) return { ok: false, kind: 'nxdomain', detail: '' };
  if (rcode !== 0) return { ok: false, kind: rcode === 5 ? 'refused' : 'servfail', detail: `response code ${rcode}` };
  const records = addressRecords(packet.answers ?? [], type);
  if (records === undefined) return { ok: false, kind: 'malformed', detail: 'an answer with a record that is cut off' };
  return { ok: true, addresses: records.map(({ address }) => address) };
}

/** Why these bytes do not answer the query (RFC 5452 §9.1), or undefined. */
function whyForeign(query: Uint8Array, answer: Uint8Array): string | undefined {
  if (answer.length < 12) return 'less than a header';
  if (answer[0] !== query[0] || answer[1] !== query[1]) return 'an answer with another id';
  if (((answer[2] ?? 0) & 0x80) === 0) return 'a question, no answer';
  // Who refuses may leave the question out.
  if (((answer[4] ?? 0) << 8) + (answer[5] ?? 0) === 0)
    return ((answer[3] ?? 0) & 15) === 0 ? 'no question' : undefined;
  const asked = Buffer.from(query.subarray(12));
  const told = Buffer.from(answer.subarray(12, 12 + asked.length));
  return told.toString('latin1').toLowerCase() === asked.toString('latin1').toLowerCase()
    ? undefined
    : 'an answer to another question';
}

/** Addresses that must never be rerouted because the second resolvers are there: those that are known. */
export function secondResolverAddresses(servers: readonly SecondResolver[]): readonly string[] {
  return servers.flatMap(({ address }) => (address === undefined ? [] : [address]));
}
