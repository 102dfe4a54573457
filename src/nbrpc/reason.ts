/** How a service is blocked: the structured cause of a failed check, from what the probe or the resolver saw (pure). */
import { printable } from '../core/printable.ts';
import type { ProbeOutcome } from '../system/ports.ts';
import type { CertificateFacts, ProbeFacts } from '../system/probe-facts.ts';
import type { ResolvedHost } from './resolve.ts';
import { leadsAway } from './site.ts';

/** Every code with its kind; stable words: the state file, metrics and the page keep them. */
export const causeCodes = {
  none: ['none'],
  name: ['nxdomain', 'no-such-name', 'no-address', 'no-answer', 'junk', 'foreign-answer'],
  connect: ['timeout', 'refused', 'reset', 'icmp-prohibited', 'icmp-unreachable'],
  tls: ['tls-silent', 'reset', 'closed', 'sni', 'bogus-certificate', 'alert', 'not-tls', 'unreachable'],
  http: ['silent', 'reset', 'closed', 'host', 'status', 'redirect', 'legal', 'not-http', 'unreachable'],
  transfer: ['frozen', 'throttled', 'reset-after', 'closed-after', 'broken', 'unreachable'],
} as const;

export type CauseKind = keyof typeof causeCodes;
export type CauseCode = (typeof causeCodes)[CauseKind][number];

export interface Cause {
  readonly kind: CauseKind;
  readonly code: CauseCode;
  /** The particulars, for people: one short line without control characters; may be empty. */
  readonly detail: string;
}

export const noCause: Cause = { kind: 'none', code: 'none', detail: '' };

const longestDetail = 200;

/** The one maker of causes: strangers' bytes come in here. */
export function cause<Kind extends CauseKind>(kind: Kind, code: (typeof causeCodes)[Kind][number], detail = ''): Cause {
  const shown = printable(detail.slice(0, 4 * longestDetail));
  return { kind, code, detail: shown.length > longestDetail ? `${shown.slice(0, longestDetail - 1)}…` : shown };
}

/** What was asked for. `codes`: the expected ones. */
export interface Asked {
  readonly host: string;
  readonly codes: ReadonlySet<number>;
  /** A redirect to another site is a failure whatever its code: over plain HTTP anyone on the way can send it. */
  readonly sameSite?: boolean;
}

/** Whether an answer sends people to another site. */
export function sendsAway(outcome: ProbeOutcome, host: string): boolean {
  if (outcome.kind !== 'answer') return false;
  const { status, location } = outcome;
  return status >= 300 && status < 400 && location !== undefined && leadsAway(host, location);
}

/** Of a probe. Never throws. `none`: it worked, or this machine could not even try. */
export function causeOf(outcome: ProbeOutcome, asked: Asked): Cause {
  switch (outcome.kind) {
    case 'local-failure':
      return noCause;
    case 'answer':
      if (asked.codes.has(outcome.status) && !(asked.sameSite === true && sendsAway(outcome, asked.host)))
        return noCause;
      return ofStatus(outcome.status, outcome.location, asked);
    case 'failure': {
      const { stage, status, facts = {} } = outcome;
      // As the verdict: a wrong code counts, whatever became of its page.
      if (status !== undefined && !asked.codes.has(status)) return ofStatus(status, facts.location, asked);
      if (stage === 'connect') return ofConnect(outcome.reason, facts);
      if (stage === 'tls') return ofTls(outcome, facts);
      return stage === 'http' ? ofHttp(outcome, facts) : ofTransfer(outcome, facts);
    }
  }
}

function ofStatus(status: number, location: string | undefined, { host }: Asked): Cause {
  // 451 Unavailable For Legal Reasons (RFC 7725).
  if (status === 451) return cause('http', 'legal', '451');
  const leads = status >= 300 && status < 400 && location !== undefined;
  const detail = leads ? `${status} to ${location}` : `${status}`;
  return cause('http', leads && leadsAway(host, location) ? 'redirect' : 'status', detail);
}

type Failure = Extract<ProbeOutcome, { kind: 'failure' }>;

function ofConnect(reason: string, { errno }: ProbeFacts): Cause {
  if (reason === 'timeout') return cause('connect', 'timeout');
  if (reason === 'refused') return cause('connect', 'refused');
  if (reason === 'reset' || reason === 'closed') return cause('connect', 'reset');
  // ICMPv6 administratively prohibited, source policy and reject route are EACCES (net/ipv6/icmp.c, tab_unreach). ICMPv4's
  // code 13 becomes EHOSTUNREACH, like codes 1, 10 and 12 to 15 (net/ipv4/icmp.c, icmp_err_convert): it cannot be told apart.
  if (errno === 'EACCES') return cause('connect', 'icmp-prohibited', errno);
  return cause('connect', 'icmp-unreachable', errno ?? reason);
}

function ofTls({ reason, detail }: Failure, { certificate, alert, wire = 0 }: ProbeFacts): Cause {
  if (reason === 'certificate') {
    return cause('tls', 'bogus-certificate', certificate === undefined ? detail : whose(certificate));
  }
  if (alert === true) return cause('tls', 'alert', detail);
  switch (reason) {
    case 'timeout':
      return cause('tls', 'tls-silent', begun(wire));
    case 'reset':
      return cause('tls', 'reset', begun(wire));
    case 'closed':
      return cause('tls', 'closed', begun(wire));
    case 'unreachable':
      return cause('tls', 'unreachable', detail);
    default:
      return cause('tls', 'not-tls', detail);
  }
}

const begun = (wire: number): string => (wire > 0 ? `${amount(wire)} of the handshake came` : '');

const problems: Readonly<Record<CertificateFacts['problem'], string>> = {
  expired: 'expired',
  'not-yet-valid': 'not yet valid',
  'self-signed': 'self-signed',
  'other-name': 'of another name',
  untrusted: 'from nobody trusted',
};

function whose({ problem, subject, issuer }: CertificateFacts): string {
  const by = problem === 'self-signed' ? '' : `, issued by ${bare(issuer)}`;
  return `${problems[problem]}: ${bare(subject)}${by}`;
}

const bare = (name: string): string => name.replace(/^CN=/, '');

/** A server's TLS tickets are shorter. */
const leastReply = 2048;

function ofHttp(failure: Failure, facts: ProbeFacts): Cause {
  const { reason, detail } = failure;
  // Headers and the start of the page are often one TLS record, of which nothing can be read before all of it is there.
  if ((facts.reply ?? 0) >= leastReply && broken.has(reason)) return ofTransfer(failure, facts);
  switch (reason) {
    case 'timeout':
      return cause('http', 'silent');
    case 'reset':
      return cause('http', 'reset');
    case 'closed':
      return cause('http', 'closed');
    case 'unreachable':
      return cause('http', 'unreachable', detail);
    default:
      return cause('http', 'not-http', detail);
  }
}

const broken: ReadonlySet<string> = new Set(['timeout', 'reset', 'closed']);

function ofTransfer({ reason, detail }: Failure, { body = 0, wire = body, took = 0, late = 0 }: ProbeFacts): Cause {
  // Who freezes counts bytes on the wire, TLS included.
  const after = `after ${amount(body)} of the page, ${amount(wire)} in all`;
  switch (reason) {
    case 'timeout': {
      // A line that is policed pauses for seconds too, while TCP backs off; one that is frozen never comes back.
      if (late === 0) return cause('transfer', 'frozen', after);
      const perSecond = took > 0 ? Math.round((wire * 1000) / took) : 0;
      return cause('transfer', 'throttled', `${amount(perSecond)} a second, ${amount(wire)} in all`);
    }
    case 'reset':
      return cause('transfer', 'reset-after', after);
    case 'closed':
      return cause('transfer', 'closed-after', after);
    case 'unreachable':
      return cause('transfer', 'unreachable', detail);
    default:
      return cause('transfer', 'broken', detail);
  }
}

/** `900 bytes`, `16 kB`. */
function amount(bytes: number): string {
  return bytes < 10_000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} kB`;
}

/** Of a name that gave no address; `none` for one that did. Never throws. */
export function causeOfName(resolved: Pick<ResolvedHost, 'addresses' | 'junk' | 'answered' | 'failure'>): Cause {
  const { addresses, junk, answered, failure } = resolved;
  if (addresses.length > 0) return noCause;
  if (junk.length > 0) return cause('name', 'junk', listed(junk));
  if (!answered) return cause('name', 'no-answer', failure ?? '');
  return /^nxdomain\b/.test(failure ?? '') ? cause('name', 'nxdomain') : cause('name', 'no-address');
}

const mostListed = 3;

/** Addresses for people, the first few. */
export function listed(addresses: readonly string[]): string {
  const more = addresses.length - mostListed;
  return addresses.slice(0, mostListed).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** As one line of JSON, for the state file; empty for none. */
export function encodeCause({ kind, code, detail }: Cause): string {
  return kind === 'none' ? '' : JSON.stringify({ kind, code, detail });
}

/** `none` for what is no cause that this version knows. Never throws. */
export function decodeCause(text: string): Cause {
  if (text === '') return noCause;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return noCause;
  }
  const { kind, code, detail }: Record<string, unknown> = Object(value);
  if (typeof kind !== 'string' || typeof code !== 'string' || typeof detail !== 'string') return noCause;
  const codes: readonly string[] = Object.hasOwn(causeCodes, kind) ? causeCodes[kind as CauseKind] : [];
  // `cause` cleans the text once more: the file may have been written by anyone.
  return codes.includes(code) ? cause(kind as CauseKind, code as never, detail) : noCause;
}
