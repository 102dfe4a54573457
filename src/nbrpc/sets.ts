/** From the policy to the contents of nftables sets (pure). */
import type { SetContents } from '../system/ports.ts';
import { familyOf } from './address.ts';
import { type Claim, claimsOf, type SettledBy, setFor, settledAddresses, type Way, type WayChoice } from './claims.ts';
import { triOfHost } from './model.ts';
import { compareText, formatLines, hostLines, type PolicyLine, wanted } from './policy.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import type { HostChange, HostEntry, StateView } from './state.ts';
import { votesOf } from './verdict.ts';

/** Names of the sets for each verdict and family; a set that is not named is not kept. */
export interface SetNames {
  readonly blocked4?: string | undefined;
  readonly blocked6?: string | undefined;
  readonly direct4?: string | undefined;
  readonly direct6?: string | undefined;
  /** Addresses of services that are dropped, as no way around works. */
  readonly drop4?: string | undefined;
  readonly drop6?: string | undefined;
}

/** Where there are several ways around. */
export interface Ways {
  /** The sets of each exit, by its name; the first one is the way of those that have not chosen yet. */
  readonly exits: ReadonlyMap<string, Pick<SetNames, 'blocked4' | 'blocked6'>>;
  /** What becomes of a blocked service while no exit works for it. */
  readonly whenNone: (host: string) => 'direct' | 'drop';
}

/** An address that several hosts share and want to go different ways. */
export interface AddressConflict {
  readonly address: string;
  /** The one that decides, and the first by name that disagrees. */
  readonly hosts: readonly [string, string];
  /** What each of them wants. */
  readonly ways: readonly [Way, Way];
  /** What made the difference. */
  readonly by: SettledBy;
}

export interface WantedSets {
  readonly contents: SetContents;
  readonly conflicts: readonly AddressConflict[];
  /** Addresses that are rerouted. */
  readonly blocked: ReadonlySet<string>;
  /** By address, the exits of those, where there are several. */
  readonly via: ReadonlyMap<string, string>;
  /** Addresses that are dropped. */
  readonly dropped: ReadonlySet<string>;
}

/** `never`: addresses that never enter a set, such as those of the resolvers. `priority`: of a host, where several share an address. */
export function wantedSets(
  state: StateView,
  fallback: Policy,
  names: SetNames,
  never: ReadonlySet<string>,
  ways?: Ways,
  priority: (host: string) => number = () => 0,
): WantedSets {
  const contents = new Map<string, Set<string>>();
  for (const kept of ways === undefined ? [names] : [withoutBlocked(names), ...ways.exits.values()]) {
    for (const name of Object.values(kept)) if (name !== undefined) contents.set(name, new Set());
  }
  const conflicts: AddressConflict[] = [];
  const blocked = new Set<string>();
  const via = new Map<string, string>();
  const dropped = new Set<string>();
  for (const [address, { claim, by, against }] of settledAddresses(claims(state, fallback, ways, priority), never)) {
    const { way } = claim;
    if (against !== undefined)
      conflicts.push({ address, hosts: [claim.host, against.host], ways: [way, against.way], by });
    if (way.kind === 'around') blocked.add(address);
    if (way.kind === 'around' && way.exit !== undefined) via.set(address, way.exit);
    if (way.kind === 'dropped') dropped.add(address);
    const name = setFor(way, familyOf(address), names, ways?.exits);
    if (name !== undefined) contents.get(name)?.add(address);
  }
  conflicts.sort((a, b) => compareText(a.address, b.address));
  return { contents, conflicts, blocked, via, dropped };
}

/** By host, in the order of the dump, so that the same contents have the same order. */
function claims(
  state: StateView,
  fallback: Policy,
  ways: Ways | undefined,
  priority: (host: string) => number,
): readonly (readonly Claim[])[] {
  const choice: WayChoice =
    ways === undefined
      ? { exits: undefined, whenNone: () => 'direct' }
      : { exits: [...ways.exits.keys()], whenNone: ways.whenNone };
  return [...state.hosts()]
    .sort((a, b) => compareText(a.record.name, b.record.name))
    .map((entry) => claimsOf(entry, presumedLines(entry, fallback), choice, priority(entry.record.name)));
}

function withoutBlocked(names: SetNames): SetNames {
  return { ...names, blocked4: undefined, blocked6: undefined };
}

/**
 * A host without a state (new in the list, or its check was edited) is taken as its addresses' last checks say, and for
 * working where they say nothing. The dump calls it `na`, which would send every edited host through the tunnel at once.
 */
export function presumedLines(entry: HostEntry, fallback: Policy): readonly PolicyLine[] {
  const { record, addresses } = entry;
  if (triOfHost(record.state) !== null || addresses.size === 0) return hostLines(entry, fallback);
  const want = wanted(policyOf(record.policy, fallback), votesOf(addresses));
  return hostLines({ record: { ...record, state: want === false ? 'na' : 'ok' }, addresses }, fallback);
}

/** Whether any of these hosts has other lines than before; if not, neither have the sets other contents. */
export function routesDiffer(hosts: readonly HostChange[], fallback: Policy): boolean {
  const text = (entry: HostEntry | undefined): string =>
    entry === undefined ? '' : `${formatLines(presumedLines(entry, fallback))}${entry.record.exit ?? '-'}`;
  return hosts.some(({ before, after }) => text(before) !== text(after));
}

export function sameContents(a: SetContents, b: SetContents): boolean {
  if (a.size !== b.size) return false;
  for (const [name, members] of a) {
    const others = b.get(name);
    if (others === undefined || others.size !== members.size) return false;
    for (const member of members) if (!others.has(member)) return false;
  }
  return true;
}
