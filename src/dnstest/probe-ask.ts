/** One question to one server, until there is an answer: over TCP where UDP was too small, without EDNS where the server knows none. */
import type { Clock } from '../core/clock.ts';
import type { DnsServer, DnsTransport } from '../system/dns-client-ports.ts';
import type { RandomBytes } from './draw.ts';
import { isTruncated, type ProbeAnswer, readAnswer } from './probe-answer.ts';
import { encodeQuery, mixCase, whyNoAnswer } from './probe-query.ts';

export interface ServerRequest {
  readonly name: string;
  readonly family: 4 | 6;
  readonly recursion: boolean;
  readonly unchecked: boolean;
  readonly mixedCase: boolean;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  /** Called when a question that had to wait in line is asked (DnsQuestion). */
  readonly begun?: () => void;
}

export interface AskPorts {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly dns: DnsTransport;
}

/** Rejects with the signal's reason when it aborts. */
export async function askServer(
  ports: AskPorts,
  server: DnsServer,
  request: ServerRequest,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const { clock } = ports;
  const end = clock.monotonic() + request.timeout;
  const first = await askOnce(ports, server, request, { edns: true, end }, signal);
  // RFC 6891 section 7: a server that knows no EDNS says FORMERR (some NOTIMP), and is asked again without.
  if (first.kind !== 'code' || (first.code !== 'FORMERR' && first.code !== 'NOTIMP')) return first;
  const second = await askOnce(ports, server, request, { edns: false, end }, signal);
  return second.kind === 'failed' ? first : second;
}

interface Try {
  readonly edns: boolean;
  /** By the monotonic clock. */
  readonly end: number;
}

async function askOnce(
  ports: AskPorts,
  server: DnsServer,
  request: ServerRequest,
  { edns, end }: Try,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const { clock, random, dns } = ports;
  const id = server.protocol === 'https' ? 0 : Buffer.from(random(2)).readUInt16BE(0);
  const plain = encodeQuery({ ...request, id, edns });
  const bytes = request.mixedCase ? mixCase(plain, random) : plain;
  const question = {
    bytes,
    refuses: (answer: Uint8Array) => whyNoAnswer(bytes, answer, request.mixedCase),
    ...(request.begun === undefined ? {} : { begun: request.begun }),
  };
  const left = (): number => Math.max(1, end - clock.monotonic());
  const over = await dns.exchange(server, { ...question, timeout: left() }, signal);
  if (!over.ok) return { kind: 'failed', how: over.kind, detail: over.detail };
  if (!isTruncated(over.bytes)) return readAnswer(over.bytes, request.family);
  if (server.protocol !== 'udp') return { kind: 'truncated', detail: 'it came cut short that way, too' };
  const whole = await dns.exchange({ ...server, protocol: 'tcp' }, { ...question, timeout: left() }, signal);
  if (!whole.ok) return { kind: 'truncated', detail: whole.detail };
  if (isTruncated(whole.bytes)) return { kind: 'truncated', detail: 'it came cut short that way, too' };
  return readAnswer(whole.bytes, request.family);
}
