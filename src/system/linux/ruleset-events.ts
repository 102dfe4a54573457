/** Changes of the ruleset as the kernel tells them: a netlink socket in the group NFNLGRP_NFTABLES, else `nft monitor`. */
import type { RulesetChange, RulesetEvents } from '../ports.ts';
import { monitorEvents } from './nft-monitor.ts';
import { type NftNotification, parseNotifications } from './nft-netlink-messages.ts';
import { NetlinkSocket } from './nft-netlink-socket.ts';

/** The netlink socket where koffi loads. */
export async function openRulesetEvents(): Promise<RulesetEvents> {
  try {
    await NetlinkSocket.load();
    return netlinkEvents;
  } catch {
    return monitorEvents;
  }
}

export const netlinkEvents: RulesetEvents = {
  watch(ignore, onChange, onError) {
    const transaction = new Transaction(ignore);
    const socket = new NetlinkSocket({
      datagram(bytes) {
        for (const notification of parseNotifications(bytes)) {
          const change = transaction.add(notification);
          if (change !== undefined) onChange(change);
        }
      },
      overrun() {
        transaction.reset();
        onChange({ portIds: new Set(), tables: '*', sets: '*' });
      },
      failed: onError,
    });
    return { close: async () => socket.close() };
  },
};

/** Collects notifications until the transaction's end; what the ignored ports did is left out. */
export class Transaction {
  readonly #ignore: () => ReadonlySet<number>;
  #portIds = new Set<number>();
  #tables = new Set<string>();
  #sets = new Set<string>();

  constructor(ignore: () => ReadonlySet<number>) {
    this.#ignore = ignore;
  }

  /** The change, when this notification ends a transaction in which others touched something. */
  add({ kind, portId, table, set }: NftNotification): RulesetChange | undefined {
    if (kind === 'change') {
      if (!this.#ignore().has(portId)) {
        this.#portIds.add(portId);
        if (table !== undefined) this.#tables.add(table);
        if (set !== undefined) this.#sets.add(set);
      }
      return undefined;
    }
    const change = { portIds: this.#portIds, tables: this.#tables, sets: this.#sets };
    this.reset();
    return change.tables.size === 0 ? undefined : change;
  }

  reset(): void {
    this.#portIds = new Set();
    this.#tables = new Set();
    this.#sets = new Set();
  }
}
