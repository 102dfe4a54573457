/** What of the policy a pass has changed: the lines of a policy update, and whether the whole differs (pure). */
import { type HostState, type Tri, triOfAddress, triOfHost } from './model.ts';
import { compareText, formatLines, hostLines, newestSeen, type PolicyLine } from './policy.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import type { Changes, HostEntry } from './state.ts';

/** A host's state that a pass has written. */
export interface HostMove {
  readonly host: string;
  readonly from: HostState | null;
  readonly to: HostState | null;
  /** Its routing may change; a move between ok and failing is not reported. */
  readonly reported: boolean;
  readonly reason: string;
  /** Since when it fails or failed, seconds; 0 where it never did. */
  readonly since: number;
  readonly addresses: readonly string[];
  /** Those of the newest DNS answer. */
  readonly newest: readonly string[];
}

/** A tri-state of an address that a pass has changed. */
export interface AddressMove {
  readonly host: string;
  readonly address: string;
  readonly from: Tri;
  readonly to: Tri;
  readonly reason: string;
}

/** Lines for whole hosts and for single addresses together, in the order of the dump. */
export function policyUpdates(
  changes: Changes,
  hostMoves: readonly HostMove[],
  addressMoves: readonly AddressMove[],
  fallback: Policy,
): readonly PolicyLine[] {
  const reported = new Set(hostMoves.filter((move) => move.reported).map((move) => move.host));
  const movesByHost = new Map<string, AddressMove[]>();
  for (const move of addressMoves) {
    const moves = movesByHost.get(move.host);
    if (moves === undefined) movesByHost.set(move.host, [move]);
    else moves.push(move);
  }
  const lines: PolicyLine[] = [];
  for (const { name, before, after } of [...changes.hosts].sort((a, b) => compareText(a.name, b.name))) {
    if (after === undefined) continue;
    const picks = reported.has(name) ? 'all' : touchedAddresses(before, after, movesByHost.get(name) ?? [], fallback);
    if (picks !== 'all' && picks.size === 0) continue;
    lines.push(...hostLines(after, fallback).filter((line) => picks === 'all' || picks.has(line.address)));
  }
  return lines;
}

/** Of a host whose own state was not reported. */
function touchedAddresses(
  before: HostEntry | undefined,
  after: HostEntry,
  moves: readonly AddressMove[],
  fallback: Policy,
): ReadonlySet<string> | 'all' {
  const policy = policyOf(after.record.policy, fallback);
  const single = policy.route === 'pick' || policy.route === 'noroute';
  const worked = triOfHost(before?.record.state ?? null) === true;
  const newest = newestSeen(after.addresses.values());
  const picks = new Set<string>();
  for (const { address, from } of moves) {
    if (!single && policy.newestOnly && after.addresses.get(address)?.seen !== newest) continue;
    if (policy.route === 'af-pick' && !worked) return 'all';
    if (single || from === null) picks.add(address);
  }
  if (policy.route === 'af-pick' && before !== undefined) {
    for (const address of familyFlips(before, after, fallback)) picks.add(address);
  }
  return picks;
}

/**
 * af-pick: when an address is forgotten, or leaves the newest answer (flag `1`), its family may flip without any check.
 * Those of the family that are decided get a line, so that updates summed up stay the same as the dump.
 */
function familyFlips(before: HostEntry, after: HostEntry, fallback: Policy): readonly string[] {
  const old = new Map(hostLines(before, fallback).map((line) => [line.address, line.verdict]));
  return hostLines(after, fallback)
    .filter(({ address, verdict }) => {
      const decided = triOfAddress(after.addresses.get(address)?.state ?? null) !== null;
      return decided && old.has(address) && old.get(address) !== verdict;
    })
    .map((line) => line.address);
}

/** Whether the policy dump differs, looking only at hosts that changed. */
export function policyChanged(changes: Changes, fallback: Policy): boolean {
  const text = (entry: HostEntry | undefined): string =>
    entry === undefined ? '' : formatLines(hostLines(entry, fallback));
  return changes.hosts.some(({ before, after }) => text(before) !== text(after));
}
