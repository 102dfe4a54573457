/** From the policy to the contents of nftables sets (pure). */
import type { SetContents } from '../system/ports.ts';
import { familyOf } from './address.ts';
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
}

/** `never`: addresses that never enter a set, such as those of the resolvers. */
export function wantedSets(
  state: StateView,
  fallback: Policy,
  names: SetNames,
  never: ReadonlySet<string>,
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
  for (const name of Object.values(names)) if (name !== undefined) contents.set(name, new Set());
  const blocked = new Set<string>();
  for (const [address, { verdict }] of decided) {
    if (verdict === 'na') blocked.add(address);
    const name = names[`${verdict === 'na' ? 'blocked' : 'direct'}${familyOf(address)}`];
    if (name !== undefined) contents.get(name)?.add(address);
  }
  return { contents, conflicts: [...conflicts.values()], blocked };
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
    entry === undefined ? '' : formatLines(presumedLines(entry, fallback));
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
