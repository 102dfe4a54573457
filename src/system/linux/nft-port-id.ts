/** Netlink port ids of a process's NETLINK_NETFILTER sockets, from /proc (netlink(7), proc(5)). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const netlinkNetfilter = 12;

/** All sockets that the process has open: inode → file descriptor. Empty where /proc does not tell. */
export function socketInodes(process: number | 'self'): ReadonlyMap<string, number> {
  const inodes = new Map<string, number>();
  let descriptors: string[];
  try {
    descriptors = readdirSync(`/proc/${process}/fd`);
  } catch {
    return inodes;
  }
  for (const descriptor of descriptors) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${process}/fd/${descriptor}`))?.[1];
      if (inode !== undefined) inodes.set(inode, Number(descriptor));
    } catch {
      // Closed since the directory was read.
    }
  }
  return inodes;
}

/** The port id of the one netfilter socket among these inodes; undefined when it cannot be told, or before its first use. */
export function portIdAmong(process: number | 'self', inodes: Iterable<string>): number | undefined {
  let table: string;
  try {
    table = readFileSync(`/proc/${process}/net/netlink`, 'utf8');
  } catch {
    return undefined;
  }
  const wanted = new Set(inodes);
  const found = netfilterSockets(table).filter(({ inode }) => wanted.has(inode));
  return found.length === 1 ? found[0]?.portId : undefined;
}

/** Columns of /proc/net/netlink: sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode; "Eth" is the protocol, "Pid" the port id. */
function netfilterSockets(table: string): readonly { readonly portId: number; readonly inode: string }[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => Number(columns[1]) === netlinkNetfilter && columns[9] !== undefined)
    .map((columns) => ({ portId: Number(columns[2]), inode: columns[9] ?? '' }));
}
