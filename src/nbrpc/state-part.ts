/** A part of a state, for choosing from it: just some hosts, with just some of their addresses (pure). */
import type { AddressRecord } from './model.ts';
import type { HostEntry, StateView } from './state.ts';

/** Sees the state as it is at each look; `addresses`: all, where absent. */
export function part(
  state: StateView,
  hosts: (entry: HostEntry) => boolean,
  addresses?: (address: AddressRecord) => boolean,
): StateView {
  const narrowed = (entry: HostEntry): HostEntry => {
    if (addresses === undefined) return entry;
    const left = [...entry.addresses].filter(([, address]) => addresses(address));
    return left.length === entry.addresses.size ? entry : { record: entry.record, addresses: new Map(left) };
  };
  return {
    *hosts() {
      for (const entry of state.hosts()) if (hosts(entry)) yield narrowed(entry);
    },
    host(name) {
      const entry = state.host(name);
      return entry !== undefined && hosts(entry) ? narrowed(entry) : undefined;
    },
    lists: () => state.lists(),
  };
}
