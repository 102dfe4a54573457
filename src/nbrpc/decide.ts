/** One pass as a pure function: what was read, resolved and checked goes in, what changes comes out. */
import { applyLists, type ListEffect, type ListReading } from './lists.ts';
import {
  type AddressRecord,
  type CheckResult,
  type CheckSpec,
  type HostRecord,
  sameCheck,
  triOfAddress,
} from './model.ts';
import { newestSeen, type PolicyLine } from './policy.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import { type Answered, nameCauseAfter, withCause } from './reason-record.ts';
import type { Limits, Timers } from './settings.ts';
import { type Changes, Draft, type HostEntry, type StateView } from './state.ts';
import { type AddressMove, type HostMove, policyChanged, policyUpdates } from './updates.ts';
import { checkedAddress, decidedHost, type HostDecision, type Moment } from './verdict.ts';

export interface DecideSettings {
  readonly timers: Timers;
  readonly limits: Limits;
  readonly defaultPolicy: Policy;
}

/** The outcome of resolving one host: canonical addresses, as many as count; empty when it failed. Without more, nothing is known of the cause. */
export interface Resolved extends Partial<Answered> {
  readonly host: string;
  readonly addresses: readonly string[];
}

export interface Checked {
  readonly host: string;
  readonly address: string;
  /** What was checked: a result for a check that is not the host's any more says nothing. */
  readonly check: CheckSpec;
  readonly result: CheckResult;
}

export interface PassInputs {
  /** Seconds since the epoch: the one time of the whole pass. */
  readonly now: number;
  /** The same moment in counted time, seconds: what grace periods are measured in. */
  readonly counted: number;
  readonly lists: readonly ListReading[];
  readonly resolved: readonly Resolved[];
  readonly checked: readonly Checked[];
  /** `-u`: states follow at once, without grace periods. */
  readonly graceless: boolean;
}

export interface Decision {
  readonly changes: Changes;
  readonly lists: ListEffect;
  readonly hostMoves: readonly HostMove[];
  readonly addressMoves: readonly AddressMove[];
  /** Addresses that were forgotten, by host. */
  readonly expired: ReadonlyMap<string, readonly string[]>;
  /** The lines of a policy update, in the order of the dump. */
  readonly updates: readonly PolicyLine[];
  /** Whether the policy dump differs from the one before. */
  readonly policyChanged: boolean;
}

/** Steps 1 and 2 as far as they decide what is to be checked. */
export function draftForChecks(state: StateView, settings: DecideSettings, inputs: Omit<PassInputs, 'checked'>): Draft {
  const draft = new Draft(state);
  applyLists(draft, inputs.lists);
  for (const resolved of inputs.resolved) applyResolved(draft, settings, resolved, inputs.now);
  return draft;
}

/** The order of `resolved` and `checked` does not matter. */
export function decide(state: StateView, settings: DecideSettings, inputs: PassInputs): Decision {
  const { now, counted } = inputs;
  const draft = new Draft(state);
  const lists = applyLists(draft, inputs.lists);

  const expired = new Map<string, readonly string[]>();
  for (const resolved of byHost(inputs.resolved)) {
    const gone = applyResolved(draft, settings, resolved, now);
    if (gone.length > 0) expired.set(resolved.host, gone);
  }

  const addressMoves: AddressMove[] = [];
  for (const { host, address, check, result } of byHostAndAddress(inputs.checked)) {
    const entry = draft.host(host);
    const old = entry?.addresses.get(address);
    if (entry === undefined || old === undefined || !sameCheck(entry.record.check, check)) continue;
    const next = checkedAddress(old, result, now, settings.timers.addrState);
    draft.putAddress(host, next);
    const [from, to] = [triOfAddress(old.state), triOfAddress(next.state)];
    if (from !== to) addressMoves.push({ host, address, from, to, reason: next.reason });
  }

  const { hostOkState, hostNaState } = settings.timers;
  const grace = inputs.graceless ? { ok: 0, na: 0 } : { ok: hostOkState, na: hostNaState };
  const hostMoves: HostMove[] = [];
  for (const { host } of byHost(inputs.resolved)) {
    const entry = draft.host(host);
    if (entry === undefined) continue;
    const move = applyHost(
      draft,
      entry,
      policyOf(entry.record.policy, settings.defaultPolicy),
      { now, counted },
      grace,
    );
    if (move !== undefined) hostMoves.push(move);
  }

  const changes = draft.changes();
  const updates = policyUpdates(changes, hostMoves, addressMoves, settings.defaultPolicy);
  return {
    changes,
    lists,
    hostMoves,
    addressMoves,
    expired,
    updates,
    policyChanged: policyChanged(changes, settings.defaultPolicy),
  };
}

/** Step 2 for one host; gives the addresses that were forgotten. */
export function applyResolved(
  draft: Draft,
  settings: DecideSettings,
  resolved: Resolved,
  now: number,
): readonly string[] {
  const { host } = resolved;
  const entry = draft.host(host);
  if (entry === undefined) return [];
  const record = { ...entry.record, checked: now };
  const { addresses, junk, answered, failure } = resolved;
  const told = junk !== undefined && answered !== undefined;
  draft.putHost(told ? withCause(record, nameCauseAfter(record, { addresses, junk, answered, failure })) : record);
  for (const address of [...new Set(resolved.addresses)].sort()) {
    const known = draft.host(host)?.addresses.get(address);
    if (known === undefined) draft.addAddress(host, { ...unknownAddress(address), seen: now });
    else draft.putAddress(host, { ...known, seen: now });
  }
  const gone = forgotten([...(draft.host(host)?.addresses.values() ?? [])], settings, now);
  for (const address of gone) draft.dropAddress(host, address);
  return gone;
}

function unknownAddress(address: string): Omit<AddressRecord, 'order' | 'seen'> {
  return { address, state: null, reason: '', checked: 0, changed: 0, altChecked: 0, altReason: '', down: 0 };
}

/** Addresses that DNS has not answered for too long, or that are older than enough others. */
function forgotten(addresses: readonly AddressRecord[], { timers, limits }: DecideSettings, now: number): string[] {
  const seen = addresses.map((address) => address.seen).sort((a, b) => b - a);
  const least = Math.max(now - timers.hostAddrTimeout, seen[limits.addrsPerHost] ?? Number.NEGATIVE_INFINITY);
  return addresses.filter((address) => address.seen < least).map((address) => address.address);
}

/** Step 5 for one host. */
export function applyHost(
  draft: Draft,
  entry: HostEntry,
  policy: Policy,
  moment: Moment,
  grace: { readonly ok: number; readonly na: number },
): HostMove | undefined {
  const { record, addresses } = entry;
  const decision = decidedHost(record, addresses, policy, moment, grace);
  if (decision.record === record) return undefined;
  draft.putHost(decision.record);
  if (decision.record.state === record.state && !decision.reported) return undefined;
  return hostMove(record, decision, addresses);
}

/** `record`: the host as it was before. */
export function hostMove(
  record: HostRecord,
  decision: HostDecision,
  addresses: ReadonlyMap<string, AddressRecord>,
): HostMove {
  const { state, reason, failingSince } = decision.record;
  const newest = newestSeen(addresses.values());
  return {
    host: record.name,
    from: record.state,
    to: state,
    reported: decision.reported,
    // A return to ok tells what it returns from.
    reason: reason === '' ? record.reason : reason,
    since: failingSince || record.failingSince,
    addresses: [...addresses.keys()].sort(),
    newest: [...addresses.values()].filter((address) => address.seen === newest).map((address) => address.address),
  };
}

function byHost<Item extends { readonly host: string }>(items: readonly Item[]): readonly Item[] {
  return [...items].sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
}

function byHostAndAddress(items: readonly Checked[]): readonly Checked[] {
  const key = (item: Checked): string => `${item.host} ${item.address}`;
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
