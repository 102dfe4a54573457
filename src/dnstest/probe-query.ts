/** The question of a check as bytes, and whether a message answers it (pure). */
import { CHECKING_DISABLED, encode, RECURSION_DESIRED } from 'dns-packet';
import type { RandomBytes } from './draw.ts';

export interface QueryShape {
  readonly name: string;
  readonly family: 4 | 6;
  /** 0 to 65535; 0 over HTTPS, so that caches of HTTP can work (RFC 8484 section 4.1). */
  readonly id: number;
  /** False for an authoritative server, which is asked for what is its own. */
  readonly recursion: boolean;
  /** CD=1: the resolver is to answer even what it holds to be forged (RFC 4035 section 3.2.2). */
  readonly unchecked: boolean;
  /** An OPT record: resolvers then tell why they fail (RFC 8914), and some old ones answer FORMERR. */
  readonly edns: boolean;
}

const headerBytes = 12;
/** What every link carries without fragments (dnsflagday.net/2020). */
const udpPayloadSize = 1232;

export function encodeQuery(shape: QueryShape): Buffer {
  return encode({
    type: 'query',
    id: shape.id,
    flags: (shape.recursion ? RECURSION_DESIRED : 0) | (shape.unchecked ? CHECKING_DISABLED : 0),
    questions: [{ type: shape.family === 4 ? 'A' : 'AAAA', class: 'IN', name: shape.name }],
    ...(shape.edns
      ? {
          additionals: [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
        }
      : {}),
  });
}

/** The same query with each letter of its name in upper or lower case by chance: a forger has to guess them (draft-vixie-dnsext-dns0x20). */
export function mixCase(query: Uint8Array, random: RandomBytes): Buffer {
  const mixed = Buffer.from(query);
  const end = questionEnd(query) - 4;
  const coins = random(end - headerBytes);
  for (let at = headerBytes; at < end; at++) {
    // Length bytes are below 64, so never letters.
    const byte = mixed[at] ?? 0;
    if (byte >= 97 && byte <= 122 && ((coins[at - headerBytes] ?? 0) & 1) === 1) mixed[at] = byte - 32;
  }
  return mixed;
}

/** Where the one question ends: name, type, class. */
function questionEnd(query: Uint8Array): number {
  let at = headerBytes;
  for (let length = query[at] ?? 0; length !== 0; length = query[at] ?? 0) at += length + 1;
  return at + 5;
}

/**
 * Why `answer` is no answer to `query`, or undefined. The id, QR and the question are compared (RFC 5452 section 9.1); its case
 * too where `exactCase` (0x20). Servers that refuse may leave the question out (unbound's access-control did until 1.18).
 */
export function whyNoAnswer(query: Uint8Array, answer: Uint8Array, exactCase: boolean): string | undefined {
  if (answer.length < headerBytes) return `${answer.length} bytes, less than a header`;
  const [asked, came] = [Buffer.from(query), Buffer.from(answer)];
  if (came.readUInt16BE(0) !== asked.readUInt16BE(0)) return 'an answer with another id';
  const flags = came.readUInt16BE(2);
  if ((flags & 0x8000) === 0) return 'a question, no answer';
  const questions = came.readUInt16BE(4);
  if (questions === 0 && (flags & 15) !== 0) return undefined;
  const end = questionEnd(query);
  const [ours, theirs] = [asked.subarray(headerBytes, end), came.subarray(headerBytes, end)];
  if (questions !== 1 || !lower(ours).equals(lower(theirs))) return 'an answer to another question';
  return exactCase && !ours.equals(theirs) ? 'an answer with the name in other case than asked (0x20)' : undefined;
}

/** With the letters of a name in lower case; type and class of ours have no byte that this changes. */
function lower(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte)));
}
