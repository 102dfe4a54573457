/** Reads the kernel's nftables notifications: linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h (pure). */
import { contentOf, textOf } from './netlink-attributes.ts';
import { messagesOf } from './nfnetlink-messages.ts';

/** What one notification says of who changed what; names are undefined where the message carries none. */
export interface NftNotification {
  /** NEWGEN: the end of a transaction. */
  readonly kind: 'change' | 'end';
  readonly portId: number;
  readonly table: string | undefined;
  /** Of set and element messages. */
  readonly set: string | undefined;
}

/** NFNL_SUBSYS_NFTABLES */
const subsystem = 10;

// enum nf_tables_msg_types. In all of table, chain, rule, set, element, object and flowtable messages attribute 1 is the
// table's name (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, …); in set and element messages attribute 2 is the set's.
const newSet = 9;
const deleteSet = 11;
const newSetElement = 12;
const deleteSetElement = 14;
const newGeneration = 15;
const destroySet = 29;
const destroySetElement = 30;
const withSetName = new Set([newSet, deleteSet, newSetElement, deleteSetElement, destroySet, destroySetElement]);

/** All messages of one datagram; a truncated or foreign one ends the reading. Netlink is in host byte order. */
export function parseNotifications(datagram: Buffer): readonly NftNotification[] {
  const found: NftNotification[] = [];
  for (const { type, portId, body } of messagesOf(datagram)) {
    if (type >> 8 !== subsystem) continue;
    const message = type & 0xff;
    if (message === newGeneration) found.push({ kind: 'end', portId, table: undefined, set: undefined });
    else {
      const table = textOf(contentOf(body, 1));
      const set = withSetName.has(message) ? textOf(contentOf(body, 2)) : undefined;
      found.push({ kind: 'change', portId, table, set });
    }
  }
  return found;
}
