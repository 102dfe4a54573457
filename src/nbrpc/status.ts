/** What `netsteward status` shows of nbrpc (pure). Times are milliseconds since the epoch; null for never. */

import { blockedOf } from './flips.ts';
import { triOfAddress } from './model.ts';
import { newestSeen } from './policy.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import type { HostEntry, StateView } from './state.ts';

export interface AddressStatus {
  readonly address: string;
  readonly state: 'ok' | 'na' | 'unknown';
  readonly reason: string;
  readonly checked: number | null;
  readonly changed: number | null;
  /** In the newest DNS answer. */
  readonly inDns: boolean;
  /** What failed over the alternative route when it was last checked there; null where nothing is known or it worked. */
  readonly altReason: string | null;
  readonly rerouted: boolean;
}

export interface HostStatus {
  readonly name: string;
  /** As in effect: `af-all`, `pick`, … */
  readonly policy: string;
  /** `https`, `http`, `dns`, … */
  readonly check: string;
  readonly state: 'ok' | 'failing' | 'unstable' | 'na' | 'unknown';
  readonly since: number | null;
  readonly failingSince: number | null;
  readonly reason: string;
  readonly resolved: number | null;
  readonly addresses: readonly AddressStatus[];
  /** At least one of its addresses goes through the tunnel. */
  readonly rerouted: boolean;
}

export interface NbrpcDetail {
  readonly hosts: readonly HostStatus[];
  /** Of the hosts above. */
  readonly rerouted: number;
  /** Addresses in the sets that lead into the tunnel. */
  readonly blocked: number;
  readonly lastPass: number | null;
  readonly nextPass: number | null;
}

/** Hosts by name. */
export function hostStatuses(state: StateView, fallback: Policy): readonly HostStatus[] {
  const hosts = [...state.hosts()].map((entry) => hostStatus(entry, fallback));
  return hosts.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function hostStatus(entry: HostEntry, fallback: Policy): HostStatus {
  const { record, addresses } = entry;
  const blocked = blockedOf(entry, fallback);
  const newest = newestSeen(addresses.values());
  return {
    name: record.name,
    policy: policyOf(record.policy, fallback).route,
    check: record.check.type,
    state: record.state ?? 'unknown',
    since: time(record.changed),
    failingSince: time(record.failingSince),
    reason: record.reason,
    resolved: time(record.checked),
    rerouted: blocked.size > 0,
    addresses: [...addresses.values()]
      .map((address) => {
        const tri = triOfAddress(address.state);
        return {
          address: address.address,
          state: tri === null ? ('unknown' as const) : tri ? ('ok' as const) : ('na' as const),
          reason: address.reason,
          checked: time(address.checked),
          changed: time(address.changed),
          inDns: address.seen === newest,
          altReason: address.altReason === '' ? null : address.altReason,
          rerouted: blocked.has(address.address),
        };
      })
      .sort((a, b) => (a.address < b.address ? -1 : 1)),
  };
}

function time(seconds: number): number | null {
  return seconds === 0 ? null : Math.round(seconds * 1000);
}
