/** From the codes of c-ares and getaddrinfo to one outcome, and from two families to one (pure). */
import { printable } from '../../core/printable.ts';
import type { ResolveOutcome } from '../ports.ts';

/** The words of `kind`. Stable: logs and scripts keep them. */
export const resolveKinds = {
  nxdomain: 'there is no such name (from the system resolver also: the name has no address)',
  timeout: 'no usable answer in time',
  servfail: 'the resolver failed (SERVFAIL)',
  refused: 'the resolver does not answer this client (REFUSED)',
  malformed: 'the answer cannot be read, or contradicts itself',
  unreachable: 'the resolver cannot be reached',
  'try-again': 'the system resolver said that it may work later (EAI_AGAIN: no answer, SERVFAIL, or no network)',
  'invalid-name': 'the name cannot be a DNS name; it was not asked',
  local: 'the machine itself could not ask (no descriptor, no memory)',
  failed: 'anything else; the detail says what',
} as const;

export type ResolveKind = keyof typeof resolveKinds;

export function unresolved(kind: ResolveKind, detail: string): ResolveOutcome {
  return { ok: false, kind, detail: printable(detail).slice(0, 200) };
}

// c-ares' codes as Node writes them (dns.NODATA and so on), and getaddrinfo's. ENOTFOUND is NXDOMAIN, EAI_NONAME and EAI_NODATA.
const kinds: Readonly<Record<string, ResolveKind>> = {
  ENOTFOUND: 'nxdomain',
  ESERVFAIL: 'servfail',
  EREFUSED: 'refused',
  ETIMEOUT: 'timeout',
  ETIMEDOUT: 'timeout',
  ECANCELLED: 'timeout',
  EBADRESP: 'malformed',
  EFORMERR: 'malformed',
  ENOTIMP: 'refused',
  ECONNREFUSED: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  EBADNAME: 'invalid-name',
  EAI_AGAIN: 'try-again',
  EAI_FAIL: 'servfail',
  ENOMEM: 'local',
  EMFILE: 'local',
  EAI_MEMORY: 'local',
  EAI_SYSTEM: 'local',
};

export function kindOf(code: string | undefined): ResolveKind {
  return kinds[code ?? ''] ?? 'failed';
}

/**
 * One name, both families. What one family found is there, whatever happened to the other: a server that fails on AAAA alone
 * is common (RFC 4074). Without an address a failure says more than an empty answer; NXDOMAIN for one type and no data for the
 * other is a name without addresses.
 */
export function mergeFamilies(v4: ResolveOutcome, v6: ResolveOutcome): ResolveOutcome {
  if (v4.ok && v6.ok) return { ok: true, addresses: [...v4.addresses, ...v6.addresses] };
  if (!v4.ok && !v6.ok) return v4.kind === 'nxdomain' ? v6 : v4;
  const [found, failed] = v4.ok ? [v4, v6] : [v6, v4];
  if (!found.ok || failed.ok || found.addresses.length > 0 || failed.kind === 'nxdomain') return found;
  return failed;
}

/** Canonical texts in the order of their first occurrence, each once. */
export function distinct(addresses: readonly string[]): string[] {
  return [...new Set(addresses)];
}
