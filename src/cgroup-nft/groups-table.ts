/** The own table's text: a set for each group and depth of its cgroups, and chains that mark what belongs to their members (pure). */
import type { NftOperation, NftTable, PortRange, RuleMatch, TableFlag } from '../system/nft-script.ts';

export type Direction = 'out' | 'in';

/** What the table has to know of a `[[cgroup-nft.group]]`. */
export interface MarkedGroup {
  readonly name: string;
  readonly mark: number;
  readonly mask: number;
  /** Empty: any. */
  readonly protocols: readonly ('tcp' | 'udp')[];
  /** Destination ports; empty: any. */
  readonly ports: readonly PortRange[];
  readonly directions: readonly Direction[];
}

/** How many names a path has: the level that nftables compares it at. */
export function levelOf(path: string): number {
  return path.split('/').length;
}

/** The kernel takes levels up to this (net/netfilter/nft_socket.c). */
export const deepest = 255;

const separator = '.level';

export function setName(group: string, level: number): string {
  return `${group}${separator}${level}`;
}

const chains: Readonly<Record<Direction, { readonly type: 'route' | 'filter'; readonly hook: 'output' | 'input' }>> = {
  // Type route: a changed mark makes the kernel look the route up again (nft(8)).
  out: { type: 'route', hook: 'output' },
  in: { type: 'filter', hook: 'input' },
};

export const chainNames: readonly string[] = Object.values(chains).map(({ hook }) => hook);

/** The chains that groups need. */
export function chainsOf(groups: readonly MarkedGroup[]): readonly { direction: Direction; name: string }[] {
  return (['out', 'in'] as const)
    .filter((direction) => groups.some(({ directions }) => directions.includes(direction)))
    .map((direction) => ({ direction, name: chains[direction].hook }));
}

/** Whether a set may be one of this table, of whatever configuration: what an earlier run has left has such names alone. */
export function isSetName(name: string): boolean {
  return /\.level\d{1,3}$/.test(name);
}

/** The table with its chains; sets come with their first members. */
export function layoutOperations(
  table: NftTable,
  flags: readonly TableFlag[],
  groups: readonly MarkedGroup[],
): readonly NftOperation[] {
  return [
    { op: 'add-table', table, flags },
    ...chainsOf(groups).map(({ direction, name }): NftOperation => {
      return { op: 'add-chain', table, chain: name, ...chains[direction] };
    }),
  ];
}

/** The group and level of a set's name. */
export function partsOfSetName(set: string): { readonly group: string; readonly level: number } {
  const at = set.lastIndexOf(separator);
  return { group: set.slice(0, at), level: Number(set.slice(at + separator.length)) };
}

/** The set of a group at one level, and the rules that look into it. */
export function levelOperations(table: NftTable, group: MarkedGroup, level: number): readonly NftOperation[] {
  const set = setName(group.name, level);
  const when: RuleMatch[] = [];
  if (group.ports.length > 0) {
    const both = ['tcp', 'udp'] as const;
    when.push({ kind: 'protocol', protocols: group.protocols.length > 0 ? group.protocols : both });
    when.push({ kind: 'dports', ports: group.ports });
  } else if (group.protocols.length > 0) when.push({ kind: 'protocol', protocols: group.protocols });
  // Last, so that an element counts just the packets that are marked.
  when.push({ kind: 'cgroup-in-set', level, set });
  const action = { kind: 'mark', mark: group.mark, mask: group.mask } as const;
  return [
    { op: 'add-set', table, set, type: 'cgroupsv2', counters: true },
    ...group.directions.map((direction): NftOperation => {
      return { op: 'add-rule', table, chain: chains[direction].hook, when, action };
    }),
  ];
}
