/** What the DNS servers of `world` answer (pure). */
import type { Answer as DnsAnswer, Packet, Question } from 'dns-packet';
import { AUTHORITATIVE_ANSWER, RECURSION_AVAILABLE } from 'dns-packet';
import { familyOf } from '../address.ts';
import type { DnsBehaviour, Service } from '../service.ts';

const responseCode = { noerror: 0, servfail: 2, nxdomain: 3, refused: 5 } as const;

/** Seconds; short, so that a changed answer is soon seen even behind a cache. */
const ttl = 2;

const junkAddresses = ['10.1.2.3', '127.0.0.1', '0.0.0.0', 'fe80::1', 'fd00::1', '::1'];

export type Reply =
  | { readonly kind: 'packet'; readonly packet: Packet }
  | { readonly kind: 'silence' }
  | { readonly kind: 'garbage' };

/** `turn`: how often this name was asked before, for rotation. `service` undefined: no such name. */
export function replyTo(query: Packet, service: Service | undefined, behaviour: DnsBehaviour, turn: number): Reply {
  const question = query.questions?.[0];
  if (question === undefined) return { kind: 'silence' };
  if (behaviour.kind === 'silence' || behaviour.kind === 'garbage') return { kind: behaviour.kind };
  if (behaviour.kind === 'nxdomain' || behaviour.kind === 'servfail' || behaviour.kind === 'refused') {
    return { kind: 'packet', packet: packetOf(query, question, responseCode[behaviour.kind], []) };
  }
  if (service === undefined && behaviour.kind !== 'addresses') {
    return { kind: 'packet', packet: packetOf(query, question, responseCode.nxdomain, []) };
  }
  const addresses =
    question.class === undefined || question.class === 'IN' || question.class === 'ANY'
      ? answered(service, behaviour, turn)
      : [];
  return { kind: 'packet', packet: packetOf(query, question, responseCode.noerror, addresses) };
}

function answered(service: Service | undefined, behaviour: DnsBehaviour, turn: number): readonly string[] {
  const own = service?.addresses ?? [];
  switch (behaviour.kind) {
    case 'addresses':
      return behaviour.addresses;
    case 'junk':
      return [...own, ...junkAddresses];
    case 'empty':
      return [];
    case 'shrink':
      return byFamily(own, (list) => list.slice(0, behaviour.count));
    case 'rotate':
      return byFamily(own, (list) =>
        Array.from({ length: Math.min(behaviour.count, list.length) }, (_, i) => list[(turn + i) % list.length] ?? ''),
      );
    default:
      return own;
  }
}

function byFamily(
  addresses: readonly string[],
  pick: (list: readonly string[]) => readonly string[],
): readonly string[] {
  return ([4, 6] as const).flatMap((family) => pick(addresses.filter((address) => familyOf(address) === family)));
}

/** The reply packet with those of `addresses` that the question asks for. */
export function packetOf(query: Packet, question: Question, rcode: number, addresses: readonly string[]): Packet {
  const answers = addresses.flatMap((data): DnsAnswer[] => {
    const type = familyOf(data) === 4 ? 'A' : 'AAAA';
    return question.type === type || (question.type as string) === 'ANY'
      ? [{ type, name: question.name, ttl, class: 'IN', data }]
      : [];
  });
  const recursion = (query.flags ?? 0) & 0x100;
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | recursion | rcode,
    questions: [question],
    answers,
    additionals: query.additionals?.some(({ type }) => type === 'OPT') ? [edns] : [],
  };
}

const edns = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
} as const satisfies DnsAnswer;

/** Bytes that a reply over UDP may have (RFC 6891 §6.2.3, RFC 1035 §4.2.1). */
export function udpLimit(query: Packet): number {
  for (const record of query.additionals ?? []) {
    if (record.type === 'OPT') return Math.max(512, Math.min(record.udpPayloadSize, 1232));
  }
  return 512;
}
