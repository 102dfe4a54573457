/** Reads the kernel's nftables notifications: linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h (pure). */

/** What one notification says of who changed what; names are undefined where the message carries none. */
export interface NftNotification {
  /** NEWGEN: the end of a transaction. */
  readonly kind: 'change' | 'end';
  readonly portId: number;
  readonly table: string | undefined;
  /** Of set and element messages. */
  readonly set: string | undefined;
}

const nlmsgHeaderLength = 16;
const nfgenmsgLength = 4;
const attributeHeaderLength = 4;
const attributeTypeMask = 0x3fff;
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
  const bytes = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + nlmsgHeaderLength <= bytes.byteLength; ) {
    const length = bytes.getUint32(at, littleEndian);
    if (length < nlmsgHeaderLength || at + length > bytes.byteLength) break;
    const type = bytes.getUint16(at + 4, littleEndian);
    const portId = bytes.getUint32(at + 12, littleEndian);
    if (type >> 8 === subsystem) {
      const message = type & 0xff;
      if (message === newGeneration) found.push({ kind: 'end', portId, table: undefined, set: undefined });
      else {
        const attributes = datagram.subarray(at + nlmsgHeaderLength + nfgenmsgLength, at + length);
        const table = stringAttribute(attributes, 1);
        const set = withSetName.has(message) ? stringAttribute(attributes, 2) : undefined;
        found.push({ kind: 'change', portId, table, set });
      }
    }
    at += align(length);
  }
  return found;
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function align(length: number): number {
  return (length + 3) & ~3;
}

/** The first attribute of that type, without its final NUL. */
function stringAttribute(attributes: Buffer, wanted: number): string | undefined {
  const bytes = new DataView(attributes.buffer, attributes.byteOffset, attributes.byteLength);
  for (let at = 0; at + attributeHeaderLength <= bytes.byteLength; ) {
    const length = bytes.getUint16(at, littleEndian);
    if (length < attributeHeaderLength || at + length > bytes.byteLength) return undefined;
    if ((bytes.getUint16(at + 2, littleEndian) & attributeTypeMask) === wanted) {
      const text = attributes.toString('latin1', at + attributeHeaderLength, at + length);
      const end = text.indexOf('\0');
      return end === -1 ? text : text.slice(0, end);
    }
    at += align(length);
  }
  return undefined;
}
