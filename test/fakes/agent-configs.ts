/** What a client of nft-agent asks for, in its two kinds: a table of netsteward's own, or sets of the administrator's. */
import type { ForeignSetsConfig, OwnTableConfig } from '../../src/system/linux/nft-agent-protocol.ts';

export const ownTableConfig: OwnTableConfig = {
  kind: 'own',
  name: 'netsteward-nbrpc',
  mark: 0x10000,
  mask: 0x10000,
  markForwarded: true,
  markOwn: true,
  exemptSourcePorts: { from: 61000, to: 64999 },
  exemptUid: undefined,
  never: [],
};

/** With all that is left away: nothing is exempt, and the machine's own packets are not marked. */
export const plainTableConfig: OwnTableConfig = { ...ownTableConfig, markOwn: false, exemptSourcePorts: undefined };

export const foreignSetsConfig: ForeignSetsConfig = {
  kind: 'foreign',
  family: 'inet',
  table: 'filter',
  sets: [
    { name: 'blocked4', type: 'ipv4_addr' },
    { name: 'blocked6', type: 'ipv6_addr' },
  ],
};
