/** Which services changed their route in a pass: what a person wants to read (pure). */
import { type Policy, policyOf } from './policy-spec.ts';
import { presumedLines } from './sets.ts';
import type { Changes, HostEntry } from './state.ts';

export type RouteName = 'direct' | 'tunnel' | 'unknown';

export interface Flip {
  readonly host: string;
  readonly from: RouteName;
  readonly to: RouteName;
  /** Those that changed their route, in string order. */
  readonly addresses: readonly string[];
  readonly reason: string;
  /** Since when the host fails, or failed before it went back: seconds since the epoch, 0 where it never did. */
  readonly since: number;
}

export function flipsOf(changes: Changes, fallback: Policy): readonly Flip[] {
  const flips: Flip[] = [];
  for (const { name, before, after } of changes.hosts) {
    const was = blockedOf(before, fallback);
    const is = blockedOf(after, fallback);
    // An address that joins a host on the tunnel takes its route from the start: that is no flip.
    const gained = [...is].filter((address) => !was.has(address) && (was.size === 0 || before?.addresses.has(address)));
    const lost = [...was].filter((address) => !is.has(address) && (after?.addresses.has(address) ?? true));
    if (gained.length > 0 && after !== undefined) {
      const from = before === undefined || before.record.state === null ? 'unknown' : 'direct';
      const reason = reasonOf(after, gained, fallback);
      flips.push({ host: name, from, to: 'tunnel', addresses: gained, reason, since: after.record.failingSince });
    }
    if (lost.length > 0) {
      const reason = after === undefined ? 'no longer in a check list' : backReason(after);
      const since = before?.record.failingSince ?? 0;
      flips.push({ host: name, from: 'tunnel', to: 'direct', addresses: lost, reason, since });
    }
  }
  return flips.sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
}

/** Addresses of a host that go through the tunnel. */
export function blockedOf(entry: HostEntry | undefined, fallback: Policy): ReadonlySet<string> {
  if (entry === undefined) return new Set();
  const lines = presumedLines(entry, fallback).filter((line) => line.verdict === 'na');
  return new Set(lines.map((line) => line.address));
}

function reasonOf(entry: HostEntry, gained: readonly string[], fallback: Policy): string {
  if (policyOf(entry.record.policy, fallback).route === 'pick' || entry.record.reason === '') {
    const reasons = gained.map((address) => entry.addresses.get(address)?.reason ?? '').filter((text) => text !== '');
    return [...new Set(reasons)].slice(0, 3).join('; ') || 'does not work directly';
  }
  return entry.record.reason;
}

function backReason({ record, addresses }: HostEntry): string {
  if (record.state === 'unstable') return 'not decided: down on the other route too, or without a result';
  const decided = [...addresses.values()].some((address) => address.state === 'ok');
  return decided ? 'works again' : 'no check gave a result';
}
