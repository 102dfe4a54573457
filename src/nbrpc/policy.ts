/** What a host's policy makes of its addresses: the verdict of the host, and the lines of the policy dump (pure). */
import { familyOf } from './address.ts';
import { type AddressRecord, type Tri, triOfAddress, triOfHost } from './model.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import type { HostEntry, StateView } from './state.ts';

/** One address as a policy sees it. */
export interface Vote {
  readonly address: string;
  /** In the host's newest DNS answer. */
  readonly newest: boolean;
  readonly tri: Tri;
}

export interface PolicyLine {
  readonly verdict: 'ok' | 'na';
  readonly host: string;
  readonly address: string;
  readonly type: string;
}

/** When the newest DNS answer of a host was seen; 0 without addresses. */
export function newestSeen(addresses: Iterable<AddressRecord>): number {
  let newest = 0;
  for (const { seen } of addresses) if (seen > newest) newest = seen;
  return newest;
}

/** The host verdict that its addresses ask for; there must be at least one address. */
export function wanted(policy: Policy, votes: readonly Vote[]): Tri {
  const counted = policy.newestOnly ? votes.filter((vote) => vote.newest) : votes;
  switch (policy.route) {
    case 'noroute':
      return true;
    case 'pick':
      return counted.every((vote) => vote.tri !== false);
    case 'af-any':
      return anyFamily(counted);
    case 'af-all':
    case 'af-pick':
      return worst(counted);
  }
}

/** False if there is one, else true if there is one. */
function worst(votes: readonly Vote[]): Tri {
  let tri: Tri = null;
  for (const vote of votes) {
    if (vote.tri === false) return false;
    if (vote.tri === true) tri = true;
  }
  return tri;
}

function anyFamily(votes: readonly Vote[]): Tri {
  const families = ([4, 6] as const).map((family) => worst(votes.filter((vote) => familyOf(vote.address) === family)));
  if (families.includes(true)) return true;
  return families.includes(false) ? false : null;
}

/** Lines of one host, in plain string order of the addresses. */
export function hostLines(entry: HostEntry, fallback: Policy): readonly PolicyLine[] {
  const { record, addresses } = entry;
  const policy = policyOf(record.policy, fallback);
  const verdictOf = addressVerdicts(entry, policy);
  const lines: PolicyLine[] = [];
  for (const address of [...addresses.keys()].sort()) {
    const tri = verdictOf(address);
    if (tri === null) continue;
    lines.push({ verdict: tri ? 'ok' : 'na', host: record.name, address, type: record.check.type });
  }
  return lines;
}

/** Null: no line. */
function addressVerdicts({ record, addresses }: HostEntry, policy: Policy): (address: string) => Tri {
  const host = triOfHost(record.state);
  switch (policy.route) {
    case 'noroute':
      return () => true;
    case 'pick':
      return (address) => triOfAddress(addresses.get(address)?.state ?? null);
    case 'af-any':
    case 'af-all':
      return () => host === true;
    case 'af-pick': {
      // As long as the host counts as working, its grace period covers every address.
      if (host === true) return () => true;
      const newest = newestSeen(addresses.values());
      const failing = new Set<number>();
      for (const { address, state, seen } of addresses.values()) {
        if (policy.newestOnly && seen !== newest) continue;
        if (triOfAddress(state) === false) failing.add(familyOf(address));
      }
      return (address) => !failing.has(familyOf(address));
    }
  }
}

/** The whole policy: hosts in byte order (host names are ASCII). */
export function policyLines(state: StateView, fallback: Policy): readonly PolicyLine[] {
  const entries = [...state.hosts()].filter((entry) => entry.addresses.size > 0);
  entries.sort((a, b) => compareText(a.record.name, b.record.name));
  return entries.flatMap((entry) => hostLines(entry, fallback));
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `ok|na HOST ADDR TYPE`, each line with its end. The token `a:` has an empty type, and a line of three words would be refused. */
export function formatLines(lines: readonly PolicyLine[]): string {
  return lines.map((line) => `${line.verdict} ${line.host} ${line.address} ${line.type || '-'}\n`).join('');
}
