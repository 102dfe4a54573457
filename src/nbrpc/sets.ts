/** From the policy to the contents of nftables sets (pure). */
import type { SetContents } from '../system/ports.ts';
import { familyOf } from './address.ts';
import { type Family, triOfHost } from './model.ts';
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

/** An address that several hosts want, with opposite verdicts. */
export interface AddressConflict {
  readonly address: string;
  /** The first by name, which decides, and the first that disagrees. */
  readonly hosts: readonly [string, string];
  /** The verdict that counts. */
  readonly verdict: 'ok' | 'na';
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

/** `never`: addresses that never enter a set, such as those of the resolvers. */
export function wantedSets(
  state: StateView,
  fallback: Policy,
  names: SetNames,
  never: ReadonlySet<string>,
  ways?: Ways,
): WantedSets {
  const decided = new Map<string, { verdict: 'ok' | 'na'; host: string }>();
  const conflicts = new Map<string, AddressConflict>();
  for (const entry of [...state.hosts()].sort((a, b) => compareText(a.record.name, b.record.name))) {
    for (const { address, verdict, host } of presumedLines(entry, fallback)) {
      if (never.has(address)) continue;
      const first = decided.get(address);
      if (first === undefined) decided.set(address, { verdict, host });
      else if (first.verdict !== verdict && !conflicts.has(address)) {
        conflicts.set(address, { address, hosts: [first.host, host], verdict: first.verdict });
      }
    }
  }
  const contents = new Map<string, Set<string>>();
  const { direct4, direct6, drop4, drop6 } = names;
  const kept = ways === undefined ? [names] : [{ direct4, direct6, drop4, drop6 }, ...ways.exits.values()];
  for (const each of kept)
    for (const name of Object.values(each)) if (name !== undefined) contents.set(name, new Set());
  const blocked = new Set<string>();
  const via = new Map<string, string>();
  const dropped = new Set<string>();
  for (const [address, { verdict, host }] of decided) {
    const way = verdict === 'na' ? wayAround(state.host(host), ways) : ({ kind: 'direct' } as const);
    if (way.kind === 'around') blocked.add(address);
    if (way.kind === 'around' && way.exit !== undefined) via.set(address, way.exit);
    if (way.kind === 'dropped') dropped.add(address);
    const name = setOf(way, familyOf(address), names, ways);
    if (name !== undefined) contents.get(name)?.add(address);
  }
  return { contents, conflicts: [...conflicts.values()], blocked, via, dropped };
}

/** `nowhere`: blocked, but no way around works, so that it goes as if nobody had said anything. */
type Way =
  | { readonly kind: 'direct' | 'dropped' | 'nowhere' }
  | { readonly kind: 'around'; readonly exit: string | undefined };

/** Of a blocked service. */
function wayAround(entry: HostEntry | undefined, ways: Ways | undefined): Way {
  if (ways === undefined || entry === undefined) return { kind: 'around', exit: undefined };
  const { exit, name } = entry.record;
  if (exit === '') return { kind: ways.whenNone(name) === 'drop' ? 'dropped' : 'nowhere' };
  // Before it has chosen, and after its exit has left the configuration, until it chooses again.
  const [first] = ways.exits.keys();
  return { kind: 'around', exit: exit !== undefined && ways.exits.has(exit) ? exit : first };
}

function setOf(way: Way, family: Family, names: SetNames, ways: Ways | undefined): string | undefined {
  switch (way.kind) {
    case 'direct':
      return names[`direct${family}`];
    case 'dropped':
      return names[`drop${family}`];
    case 'nowhere':
      return undefined;
    case 'around':
      return (way.exit === undefined ? names : ways?.exits.get(way.exit))?.[`blocked${family}`];
  }
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
