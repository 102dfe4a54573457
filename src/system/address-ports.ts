/** The machine's own addresses and ways out, when they change, and datagrams that leave it: what a dyndns client needs. */

export interface AddressListener {
  /** Something about addresses or default routes may have changed: often nothing that is in `current()`. */
  touched(): void;
  /** Changes are not seen at the moment, for people; the adapter goes on trying. */
  lost(reason: string): void;
  /** They are seen (again); what changed meanwhile is not told. */
  found(): void;
}

export interface AddressEvents {
  follow(listener: AddressListener): { close(): Promise<void> };
  /**
   * Addresses that packets can be sent from, beyond the link (`eth0 192.0.2.7/24`), and default routes (`default eth0 via
   * 192.0.2.1`), sorted; without what is renewed all the time, such as lifetimes. Rejects with NetstewardError
   * `addresses-unreadable`.
   */
  current(): Promise<readonly string[]>;
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly family: 4 | 6;
  /** Of that family; `fe80::1%eth0` too. */
  readonly address: string;
  readonly port: number;
  /** Where it is sent from; port 0 is any. Absent: as the route says. */
  readonly from?: { readonly address: string; readonly port: number };
}

export interface DatagramSender {
  /** Resolves when the kernel has taken it, which says nothing of its arrival. Rejects with a Node system error. */
  send(datagram: Datagram): Promise<void>;
}
