/** From what Node, OpenSSL and llhttp say to the outcome of a probe: the one list of reasons, and what is the machine's own fault. */
import { errnoOf } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import type { ProbeOutcome, ProbeStage } from '../ports.ts';
import type { ProbeFacts } from '../probe-facts.ts';

/** The words of `reason`. Stable: logs, databases and scripts keep them. */
export const probeReasons = {
  timeout: 'nothing, or not all of it, came in time',
  refused: 'the connection was refused (RST, or ICMP port unreachable)',
  reset: 'the connection was reset (RST)',
  closed: 'the connection was closed in good order, but too early (FIN)',
  unreachable: 'a router on the way, or the own link, said that the address cannot be reached (ICMP, ARP, NDP)',
  certificate: 'the certificate is not valid for the name, or nobody trusted vouches for it',
  protocol: 'what came is not TLS, not HTTP/1, or broken',
  'headers-too-large': 'the headers of the answer do not end',
} as const;

export type ProbeReason = keyof typeof probeReasons;

const detailLength = 200;

/** Bytes of strangers as one short line: no control characters, cut to `length`. */
export function clean(text: string, length = detailLength): string {
  const line = printable(text.slice(0, 4 * length));
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

export function failure(
  stage: ProbeStage,
  reason: ProbeReason,
  detail: string,
  status?: number,
  facts?: ProbeFacts,
): ProbeOutcome {
  const outcome = { kind: 'failure', stage, reason, detail: clean(detail) } as const;
  return {
    ...outcome,
    ...(status === undefined ? {} : { status }),
    ...(facts === undefined || Object.keys(facts).length === 0 ? {} : { facts }),
  };
}

export function localFailure(detail: string): ProbeOutcome {
  return { kind: 'local-failure', detail: clean(detail) };
}

// Of descriptors, memory and local ports, whenever they come (socket(2), connect(2), ip(7)).
const ownErrors = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
  'EAFNOSUPPORT',
  'EPERM',
]);

const reasonByErrno: Readonly<Record<string, ProbeReason>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
};

// Without the local port, which is another one each time: a message that stays the same is told once.
const message = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/ - Local \(.*\)$/, '');

/**
 * `sent`: whether the kernel took the SYN before it failed. connect(2) that fails at once never left the machine: no route
 * (ENETUNREACH: a machine without IPv6), a route of type unreachable, prohibit or blackhole, a link that is down. The same
 * errno later comes from ICMP or neighbour discovery (all tried on Linux 6.18, both families). Of ICMP errors the kernel makes
 * ENETUNREACH, EHOSTUNREACH, EACCES, EPROTO, ENOPROTOOPT and more (net/ipv4/icmp.c, net/ipv6/icmp.c): they are one reason.
 */
export function connectFailure(error: unknown, sent: boolean): ProbeOutcome {
  const errno = errnoOf(error) ?? '';
  const reason = reasonByErrno[errno];
  if (ownErrors.has(errno) || (!sent && reason === undefined)) return localFailure(message(error));
  return failure('connect', reason ?? 'unreachable', message(error), undefined, { errno });
}

// OpenSSL's reasons that are alerts of the other side: `SSL_R_TLSV1_ALERT_…`, `SSL_R_SSLV3_ALERT_…` and, without the word, those
// of extensions such as `SSL_R_TLSV1_UNRECOGNIZED_NAME` (openssl/sslerr.h).
const tlsAlert = /^ERR_SSL_(?:TLSV1|TLSV13|SSLV3)_/;

/** An error of a connected socket, of OpenSSL or of Node's HTTP client. */
export function exchangeFailure(
  error: unknown,
  stage: ProbeStage,
  status: number | undefined,
  facts: ProbeFacts = {},
): ProbeOutcome {
  const code = errnoOf(error) ?? '';
  if (ownErrors.has(code)) return localFailure(message(error));
  const more: ProbeFacts = stage === 'tls' && tlsAlert.test(code) ? { ...facts, alert: true } : facts;
  return failure(stage, exchangeReason(error, code), explain(error, code), status, more);
}

function exchangeReason(error: unknown, code: string): ProbeReason {
  // Node gives an early FIN the code ECONNRESET too, but no system call.
  if (code === 'ECONNRESET' && !(error instanceof Error && 'syscall' in error)) return 'closed';
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers-too-large';
  if (code in reasonByErrno) return reasonByErrno[code] ?? 'reset';
  return /^E(?:NET|HOST)/.test(code) ? 'unreachable' : 'protocol';
}

function explain(error: unknown, code: string): string {
  // OpenSSL's messages are `40E7…:error:0A00010B:SSL routines:…:../deps/…`; its reason alone says it.
  if (error instanceof Error && 'reason' in error && typeof error.reason === 'string')
    return `${error.reason} (${code})`;
  return message(error);
}
