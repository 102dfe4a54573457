/** Which services changed their route in a pass: what a person wants to read (pure). */
import { type Policy, policyOf } from './policy-spec.ts';
import type { ReactionKind } from './reaction-times.ts';
import { hostCause } from './reason-record.ts';
import { causeSentence } from './reason-text.ts';
import { presumedLines } from './sets.ts';
import type { Changes, HostEntry } from './state.ts';

export type RouteName = 'direct' | 'tunnel' | 'dropped' | 'unknown';

export interface Flip {
  readonly host: string;
  readonly from: RouteName;
  readonly to: RouteName;
  /** Which way around, where there are several. */
  readonly exit?: string;
  /** Those that changed their route, in string order. */
  readonly addresses: readonly string[];
  readonly reason: string;
  /** Since when the host fails, or failed before it went back: seconds since the epoch, 0 where it never did. */
  readonly since: number;
  /** The exit that it took before, where it has had another one; empty: none worked for it. */
  readonly left?: string;
  /** What its reaction time is of, and counted from (seconds of the monotonic clock); absent where it cannot be told. */
  readonly began?: { readonly kind: ReactionKind; readonly at: number };
}

/** `whenNone`: what becomes of a blocked service while no exit works for it. `sentences`: reasons say how it is blocked, where that is known. */
export function flipsOf(
  changes: Changes,
  fallback: Policy,
  whenNone: (host: string) => 'direct' | 'drop' = () => 'direct',
  sentences = false,
): readonly Flip[] {
  const flips: Flip[] = [];
  for (const { name, before, after } of changes.hosts) {
    const was = aroundOf(before, fallback);
    const is = aroundOf(after, fallback);
    const stuck = whenNone(name) === 'drop' ? 'dropped' : 'direct';
    const exit = after?.record.exit === undefined ? {} : { exit: after.record.exit };
    // An address that joins a host on the tunnel takes its route from the start: that is no flip.
    const gained = [...is].filter((address) => !was.has(address) && (was.size === 0 || before?.addresses.has(address)));
    const lost = [...was].filter((address) => !is.has(address) && (after?.addresses.has(address) ?? true));
    if (gained.length > 0 && after !== undefined) {
      const known = before?.record.exit === '' ? stuck : 'direct';
      const from = before === undefined || before.record.state === null ? 'unknown' : known;
      const reason = (sentences && causeSentence(hostCause(after))) || reasonOf(after, gained, fallback);
      const left = before?.record.exit === '' ? { left: '' } : {};
      flips.push({
        host: name,
        from,
        to: 'tunnel',
        ...exit,
        addresses: gained,
        reason,
        since: after.record.failingSince,
        ...left,
      });
    }
    if (lost.length > 0) {
      const none = after?.record.exit === '';
      const back = none ? 'no exit works for it' : after && backReason(after);
      const since = before?.record.failingSince ?? 0;
      const reason = back ?? 'no longer in a check list';
      flips.push({ host: name, from: 'tunnel', to: none ? stuck : 'direct', addresses: lost, reason, since });
    }
    // Where exits left the configuration, there is nothing to tell: what has no name is no other route.
    const [left, taken] = [before?.record.exit, after?.record.exit];
    const stayed = [...is].filter((address) => was.has(address));
    if (stayed.length > 0 && after !== undefined && taken !== undefined && left !== taken) {
      const reason = left === undefined ? 'its exit is chosen' : leftReason(left, after);
      const since = after.record.failingSince;
      const other = left === undefined ? {} : { left };
      flips.push({ host: name, from: 'tunnel', to: 'tunnel', exit: taken, addresses: stayed, reason, since, ...other });
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

/** Those of them that have a way around. */
function aroundOf(entry: HostEntry | undefined, fallback: Policy): ReadonlySet<string> {
  return entry?.record.exit === '' ? new Set() : blockedOf(entry, fallback);
}

function leftReason(exit: string, { addresses }: HostEntry): string {
  const reasons = [...addresses.values()].map(({ prompt }) => prompt?.exits[exit]?.reason ?? '');
  const reason = reasons.find((text) => text !== '');
  return reason === undefined ? `exit ${exit} does not work` : `through exit ${exit}: ${reason}`;
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
