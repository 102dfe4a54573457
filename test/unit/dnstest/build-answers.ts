/** What the tests of answers share: a server of a zone, queries, and a second reader of what it says (dns-packet). */
import { type DecodedPacket, decode, encode, type Question } from 'dns-packet';
import { Answerer, type ServedZone, type Transport } from '../../../src/dnstest/answer.ts';
import { NameHash } from '../../../src/dnstest/name-hash.ts';

export const key = 'hash-key';
export const hash = new NameHash(key);

/** 2001:db8::1 */
const documentation6 = '20010db8000000000000000000000001';

export const testZone: ServedZone = {
  name: 'test.example',
  servers: [
    {
      name: 'ns.test.example',
      addresses: [Uint8Array.of(192, 0, 2, 1), Uint8Array.from(Buffer.from(documentation6, 'hex'))],
    },
    { name: 'ns.elsewhere.example', addresses: [] },
  ],
};

export function answererOf(...zones: readonly ServedZone[]): Answerer {
  return new Answerer({ hash, ttl: 300, zones });
}

export interface Edns {
  readonly size?: number;
  readonly version?: number;
  readonly dnssecOk?: boolean;
}

/** A query as dns-packet writes it. */
export function query(name: string, type: string, edns?: Edns, id = 0x1234): Buffer {
  return encode({
    type: 'query',
    id,
    questions: [{ name, type: type as Question['type'] }],
    ...(edns === undefined
      ? {}
      : {
          additionals: [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: edns.size ?? 1232,
              extendedRcode: 0,
              ednsVersion: edns.version ?? 0,
              flags: edns.dnssecOk === true ? 0x8000 : 0,
              flag_do: edns.dnssecOk === true,
              options: [],
            },
          ],
        }),
  });
}

/** Four bits, from the header alone. */
export function codeOf(answer: Uint8Array): number {
  return (answer[3] ?? 0) & 15;
}

export interface Said extends DecodedPacket {
  readonly rcode: string;
}

/** As dns-packet reads it. */
export function read(answer: Uint8Array | undefined): Said {
  if (answer === undefined) throw new Error('no answer');
  return decode(Buffer.from(answer)) as unknown as Said;
}

export function ask(answerer: Answerer, name: string, type: string, edns?: Edns, transport: Transport = 'udp'): Said {
  return read(answerer.answer(query(name, type, edns), transport));
}
