/** How the own table tells which listed addresses are in use: sets that packets themselves write to, by rules of its chains (pure). */
import type { NftOperation, NftTable } from './nft-script.ts';

/** All addresses of listed services: what the rules look for. */
export const listedSets = [
  { name: 'listed4', type: 'ipv4_addr' },
  { name: 'listed6', type: 'ipv6_addr' },
] as const;

/** Those of them that a packet went to lately. */
export const seenSets = [
  { name: 'seen4', type: 'ipv4_addr' },
  { name: 'seen6', type: 'ipv6_addr' },
] as const;

/** Seconds after its last packet until an address leaves its set. */
export const seenFor = 600;
/** Addresses of one set: when it is full the kernel notes no more until others have left. */
const seenMost = 4096;

/** The sets of both kinds, to be made before the rules. */
export function inUseSets(table: NftTable): readonly NftOperation[] {
  return [
    ...listedSets.map(({ name, type }): NftOperation => ({ op: 'add-set', table, set: name, type })),
    ...seenSets.map(
      ({ name, type }): NftOperation => ({
        op: 'add-set',
        table,
        set: name,
        type,
        filledByPackets: { seconds: seenFor, most: seenMost },
      }),
    ),
  ];
}

/**
 * A packet to a listed address puts that address into the set, or begins its time anew. Looking into `listed` first keeps the
 * world's addresses out: a set of whatever the LAN talks to would be full within minutes of a scan or a file sharer.
 */
export function inUseRules(table: NftTable, chain: string): readonly NftOperation[] {
  return listedSets.flatMap(({ name, type }, index): readonly NftOperation[] => {
    const seen = seenSets[index];
    if (seen === undefined) return [];
    return [
      {
        op: 'add-rule',
        table,
        chain,
        when: [{ kind: 'daddr-in-set', type, set: name }],
        action: { kind: 'note', type, set: seen.name },
      },
    ];
  });
}
