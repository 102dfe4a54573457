/** What came back to a question, in the words that a judgement needs: from a DNS message, a failed transport, or libc (pure). */
import { type Answer, decode, type Packet } from 'dns-packet';
import { Address6 } from 'ip-address';
import { printable } from '../core/printable.ts';
import { addressRecords } from '../system/dns-addresses.ts';
import type { DnsOutcome, LookupOutcome } from '../system/dns-client-ports.ts';

export type ProbeAnswer =
  /** NOERROR. `addresses` of the family asked, in canonical text; may be empty. `alias`: the name that a CNAME led to. */
  | {
      readonly kind: 'addresses';
      readonly addresses: readonly string[];
      readonly alias?: string | undefined;
      readonly note?: string | undefined;
    }
  /** Another response code, by its IANA name. `note`: what the resolver says of it (RFC 8914), or libc. */
  | { readonly kind: 'code'; readonly code: string; readonly note?: string | undefined }
  /** TC=1 over UDP, and then no answer over TCP. */
  | { readonly kind: 'truncated'; readonly detail: string }
  | {
      readonly kind: 'failed';
      readonly how: Extract<DnsOutcome, { ok: false }>['kind'];
      readonly detail: string;
    };

/** TC (RFC 1035 section 4.1.1): the rest has to be asked for over TCP. */
export function isTruncated(message: Uint8Array): boolean {
  return ((message[2] ?? 0) & 2) !== 0;
}

/** `message`: one that answers the question (probe-query.ts). */
export function readAnswer(message: Uint8Array, family: 4 | 6): ProbeAnswer {
  let packet: Packet;
  try {
    packet = decode(Buffer.from(message));
  } catch (error) {
    return { kind: 'failed', how: 'malformed', detail: printable(`${message.length} bytes: ${String(error)}`) };
  }
  const note = extendedErrors(packet);
  const code = ('rcode' in packet ? String(packet.rcode) : 'NOERROR').replace(/^RCODE_/, 'RCODE ');
  if (code !== 'NOERROR') return { kind: 'code', code, note };
  const answers = packet.answers ?? [];
  const records = addressRecords(answers, family === 4 ? 'A' : 'AAAA');
  if (records === undefined) {
    return { kind: 'failed', how: 'malformed', detail: `${message.length} bytes: an address record is cut off` };
  }
  return {
    kind: 'addresses',
    addresses: distinct(records.map(({ address }) => address)),
    alias: lastAlias(answers),
    note,
  };
}

/** Each once, as name-hash.ts writes them (RFC 5952). */
function distinct(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.map((text) => (text.includes(':') ? new Address6(text).correctForm() : text)))];
}

function lastAlias(answers: readonly Answer[]): string | undefined {
  const alias = answers.flatMap((answer) => (answer.type === 'CNAME' ? [answer.data] : [])).at(-1);
  return alias === undefined ? undefined : printable(alias);
}

// RFC 8914 section 4, those that a resolver tells of names that it cannot or will not answer.
const extendedErrorNames: Readonly<Record<number, string>> = {
  3: 'stale answer',
  4: 'forged answer',
  6: 'DNSSEC bogus',
  7: 'signature expired',
  9: 'DNSKEY missing',
  10: 'RRSIGs missing',
  13: 'cached error',
  14: 'not ready',
  15: 'blocked',
  16: 'censored',
  17: 'filtered',
  18: 'prohibited',
  19: 'stale NXDOMAIN answer',
  20: 'not authoritative',
  22: 'no reachable authority',
  23: 'network error',
};

function extendedErrors({ additionals }: Packet): string | undefined {
  const said = (additionals ?? []).flatMap((record) => {
    if (record.type !== 'OPT') return [];
    return record.options.flatMap((option) => {
      const data: unknown = 'data' in option ? option.data : undefined;
      // INFO-CODE in two bytes, then text in UTF-8.
      const code: number = option.code;
      if (code !== 15 || !Buffer.isBuffer(data) || data.length < 2) return [];
      const info = data.readUInt16BE(0);
      const text = data.subarray(2).toString('utf8').replace(/\0$/, '').slice(0, 100);
      return [`${extendedErrorNames[info] ?? `extended error ${info}`}${text === '' ? '' : `, "${text}"`}`];
    });
  });
  return said.length === 0 ? undefined : printable(said.join('; '));
}

/**
 * glibc gives EAI_AGAIN for SERVFAIL, for REFUSED and for silence. One attempt of it is at least a second long (resolv.conf(5),
 * timeout), so what is quicker was an answer.
 */
const shortestSilence = 950;

/** `elapsed`: milliseconds that getaddrinfo(3) took. */
export function readLookup(outcome: LookupOutcome, elapsed: number): ProbeAnswer {
  if (outcome.ok) return { kind: 'addresses', addresses: distinct(outcome.addresses) };
  const note = `getaddrinfo: ${outcome.code}`;
  if (outcome.empty) return { kind: 'addresses', addresses: [], note };
  switch (outcome.code) {
    case 'ENOTFOUND':
      return { kind: 'code', code: 'NXDOMAIN', note };
    case 'EAI_AGAIN':
      if (elapsed >= shortestSilence) return { kind: 'failed', how: 'timeout', detail: note };
      return { kind: 'code', code: 'SERVFAIL', note: `or REFUSED; ${note}` };
    case 'ETIMEDOUT':
      return { kind: 'failed', how: 'timeout', detail: 'getaddrinfo did not come back' };
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
    case 'EAI_MEMORY':
      return { kind: 'failed', how: 'local', detail: note };
    default:
      return { kind: 'code', code: outcome.code, note };
  }
}
