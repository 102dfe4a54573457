/** The state machine: what a check makes of an address, and what its addresses make of a host (pure). */
import {
  type AddressRecord,
  type CheckResult,
  type HostRecord,
  type HostState,
  type Tri,
  triOfAddress,
  triOfHost,
} from './model.ts';
import { newestSeen, type Vote, wanted } from './policy.ts';
import type { Policy } from './policy-spec.ts';
import { causeAfter, withCause } from './reason-record.ts';

/** A check over the normal route. `addrState`: seconds between checks. */
export function checkedAddress(old: AddressRecord, result: CheckResult, now: number, addrState: number): AddressRecord {
  if (result.kind === 'untried') {
    // The service was not asked, so its last verdict stands; the next try comes sooner than a regular check would, but not
    // at once, or what can never be tried (IPv6 without a route) would crowd out all else.
    return { ...old, checked: Math.max(old.checked, now - addrState * 0.75) };
  }
  // A confirmation by the alternative route that is newer than the check before counts for exactly this check.
  const down = old.down >= old.checked ? old.changed : 0;
  const tri: Tri = result.kind === 'none' ? null : result.kind === 'ok';
  const reason = result.kind === 'fail' ? result.reason : '';
  const kept = withCause({ ...old, checked: now, down, reason }, causeAfter(old, result));
  if (tri === triOfAddress(old.state)) return kept;
  return { ...kept, state: tri === null ? 'skipped' : tri ? 'ok' : 'na', changed: now };
}

/** A check over the alternative route. */
export function altCheckedAddress(old: AddressRecord, result: CheckResult, now: number): AddressRecord {
  if (result.kind === 'fail') return { ...old, altChecked: now, altReason: result.reason, down: now };
  return { ...old, altChecked: now, altReason: '' };
}

/** Down everywhere, or never decided: it says nothing about the route. */
function undecided(address: AddressRecord): boolean {
  return address.down >= address.changed;
}

export function votesOf(addresses: ReadonlyMap<string, AddressRecord>): readonly Vote[] {
  const newest = newestSeen(addresses.values());
  return [...addresses.values()].map((address) => ({
    address: address.address,
    newest: address.seen === newest,
    tri: undecided(address) ? null : triOfAddress(address.state),
  }));
}

/** The moment of a pass, in seconds. */
export interface Moment {
  readonly now: number;
  /** In counted time. */
  readonly counted: number;
}

export interface Grace {
  /** Counted seconds of `na` before a host that works again is `ok`. */
  readonly ok: number;
  /** Counted seconds of failing before a host is `na`. */
  readonly na: number;
}

export interface HostDecision {
  readonly record: HostRecord;
  /** Its routing may change: the update names all its addresses. */
  readonly reported: boolean;
}

/** What a host becomes after it was resolved and its due addresses were checked. Without addresses it stays. */
export function decidedHost(
  host: HostRecord,
  addresses: ReadonlyMap<string, AddressRecord>,
  policy: Policy,
  moment: Moment,
  grace: Grace,
): HostDecision {
  if (addresses.size === 0) return { record: host, reported: false };
  const votes = votesOf(addresses);
  const want = wanted(policy, votes);
  const unstable = [...addresses.values()].some(undecided);
  const { write, reported } = transition(host, want, moment.counted, grace);
  const state = combined(host, write, unstable);

  const failing = failingTime(host, want, write, state, moment);
  const reason = hostReason(host, addresses, want, state);
  const { now: changed, counted: changedCounted } = moment;
  const stamped = state === undefined ? host : { ...host, state, changed, changedCounted };
  if (stamped === host && host.failingSince === failing.failingSince && host.reason === reason) {
    return { record: host, reported: false };
  }
  return { record: { ...stamped, ...failing, reason }, reported };
}

/** The contract's table of cases; `write` undefined: the state is kept. */
function transition(
  host: HostRecord,
  want: Tri,
  counted: number,
  grace: Grace,
): { write: HostState | undefined; reported: boolean } {
  const keep = { write: undefined, reported: false };
  const { state } = host;
  const current = triOfHost(state);
  if (want === current) {
    return want === true && state !== 'ok' ? { write: 'ok', reported: false } : keep;
  }
  if (want === true) {
    return current === false && counted - host.changedCounted < grace.ok ? keep : { write: 'ok', reported: true };
  }
  if (state === 'ok') return { write: 'failing', reported: false };
  if (state !== null) {
    // `changed` is renewed in each pass of an unstable host, so it cannot measure how long the host has been failing.
    const whole = want === null || state === 'na';
    const since = whole ? host.changedCounted : host.failingSince === 0 ? counted : host.failingCounted;
    if (counted - since < grace.na) return keep;
  }
  return { write: want === false ? 'na' : 'ok', reported: true };
}

/** One write by priority: na, failing, unstable, ok. */
function combined(host: HostRecord, write: HostState | undefined, unstable: boolean): HostState | undefined {
  if (!unstable || write === 'na' || write === 'failing') return write;
  // An address without a verdict must not lift the block of a host that is na and has not earned its way back.
  if (host.state === 'na' && write === undefined) return undefined;
  return 'unstable';
}

function failingTime(
  host: HostRecord,
  want: Tri,
  write: HostState | undefined,
  state: HostState | undefined,
  { now, counted }: Moment,
): Pick<HostRecord, 'failingSince' | 'failingCounted'> {
  const none = { failingSince: 0, failingCounted: 0 };
  const kept = { failingSince: host.failingSince, failingCounted: host.failingCounted };
  if (write === 'ok') return none;
  if (want === true) return host.state === 'na' ? kept : none;
  if ((state ?? host.state) === null || (state ?? host.state) === 'ok') return none;
  return host.failingSince === 0 ? { failingSince: now, failingCounted: counted } : kept;
}

/** `tls reset at 192.0.2.1 and 1 more of 3 addresses` */
function hostReason(
  host: HostRecord,
  addresses: ReadonlyMap<string, AddressRecord>,
  want: Tri,
  state: HostState | undefined,
): string {
  const failing = [...addresses.values()]
    .filter((address) => triOfAddress(address.state) === false)
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const [first] = failing;
  const next = state ?? host.state;
  if (next === 'na' && (first === undefined || want === true)) return host.reason;
  if (first === undefined || next === 'ok') return '';
  return failingText(first, failing.length, addresses.size);
}

/** `first`: one of the `failing` ones of `all` addresses. */
export function failingText(first: AddressRecord, failing: number, all: number): string {
  const more = failing === 1 ? '' : ` and ${failing - 1} more`;
  return `${first.reason || 'na'} at ${first.address}${more} of ${all} address${all === 1 ? '' : 'es'}`;
}
