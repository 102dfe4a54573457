/** What is due in a pass: the oldest first, never more than the limit, the earlier known first among equals (pure). */
import type { AddressRecord } from './model.ts';
import type { HostEntry, StateView } from './state.ts';

export interface Due {
  /** Seconds since the epoch. */
  readonly now: number;
  /** Seconds after which a check is due again. */
  readonly interval: number;
  /** Everything is due that was not checked in the future. */
  readonly forced: boolean;
  readonly limit: number;
  /** Only this host. */
  readonly only?: string;
  /** A time in the future means that the wall clock was set back: due at once, instead of once the clock is there again. */
  readonly rewound?: boolean;
}

function isDue(checked: number, { now, interval, forced, rewound = false }: Due): boolean {
  return checked <= (forced ? now : now - interval) || (rewound && checked > now);
}

export interface DueAddress {
  readonly entry: HostEntry;
  readonly address: AddressRecord;
}

export function dueHosts(state: StateView, due: Due): readonly HostEntry[] {
  const found: HostEntry[] = [];
  for (const entry of candidates(state, due.only)) if (isDue(entry.record.checked, due)) found.push(entry);
  found.sort((a, b) => a.record.checked - b.record.checked || a.record.order - b.record.order);
  return found.slice(0, due.limit);
}

/** Also addresses that DNS no longer answers. */
export function dueAddresses(state: StateView, due: Due): readonly DueAddress[] {
  const found: DueAddress[] = [];
  for (const entry of candidates(state, due.only)) {
    for (const address of entry.addresses.values()) if (isDue(address.checked, due)) found.push({ entry, address });
  }
  found.sort((a, b) => a.address.checked - b.address.checked || a.address.order - b.address.order);
  return found.slice(0, due.limit);
}

/** For the alternative route: addresses that do not work, of hosts that fail but are not rerouted yet. */
export function dueAlternatives(state: StateView, due: Due): readonly DueAddress[] {
  const found: DueAddress[] = [];
  for (const entry of candidates(state, due.only)) {
    if (entry.record.state !== 'failing' && entry.record.state !== 'unstable') continue;
    for (const address of entry.addresses.values()) {
      if (address.state === null || address.state === 'ok') continue;
      if (isDue(address.altChecked, due)) found.push({ entry, address });
    }
  }
  found.sort((a, b) => a.address.altChecked - b.address.altChecked || a.address.order - b.address.order);
  return found.slice(0, due.limit);
}

function candidates(state: StateView, only: string | undefined): Iterable<HostEntry> {
  if (only === undefined) return state.hosts();
  const entry = state.host(only);
  return entry === undefined ? [] : [entry];
}
