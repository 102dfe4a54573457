/** The state that nbrpc keeps, as values: hosts, their addresses, and the list entries they come from. Times are seconds since the epoch. */

import type { PromptRecord } from './prompt/record.ts';
import type { Cause } from './reason.ts';

/** True: works. False: fails. Null: not known. */
export type Tri = boolean | null;

export type HostState = 'ok' | 'failing' | 'unstable' | 'na';
export type AddressState = 'ok' | 'na' | 'skipped';
export type Family = 4 | 6;

/** How a host is checked, as its list token says it. */
export interface CheckSpec {
  /** `https`, `http`, `dns`, or an unknown type as written. */
  readonly type: string;
  /** Path with query; `/` where the token has none. */
  readonly path: string;
  /** Expected codes as written (`200/503`, `na`); empty for the default. */
  readonly result: string;
}

/** One token of a check list. */
export interface ListEntry {
  readonly host: string;
  readonly check: CheckSpec;
  /** Policy as written; empty for the default policy. */
  readonly policy: string;
}

export interface HostRecord {
  readonly name: string;
  /** Rank of first appearance: breaks ties between hosts that are due at the same time. */
  readonly order: number;
  readonly check: CheckSpec;
  readonly policy: string;
  readonly state: HostState | null;
  /** When it was last resolved; 0 for never. */
  readonly checked: number;
  /** When its state was last written; 0 for never. */
  readonly changed: number;
  /** Since when it is not wholly ok: the start of the grace period before `na`; 0 while it is. */
  readonly failingSince: number;
  /** The same two moments in counted time (counted-time.ts), which is what grace periods are measured in. */
  readonly changedCounted: number;
  readonly failingCounted: number;
  /** Why it is not ok, for people; empty where it is. */
  readonly reason: string;
  /** The way around that it takes; empty: none works; absent: it takes none, or there is but the one without a name. */
  readonly exit?: string;
  /** What is wrong with the name; absent: nothing, as far as is known. */
  readonly cause?: Cause;
}

export interface AddressRecord {
  readonly address: string;
  readonly order: number;
  readonly state: AddressState | null;
  /** Why it fails, for people; empty where it does not. */
  readonly reason: string;
  /** When DNS last answered it. */
  readonly seen: number;
  readonly checked: number;
  /** When its tri-state last changed (not when it was last checked). */
  readonly changed: number;
  /** When it was last checked over the alternative route, and what failed there (empty: nothing). */
  readonly altChecked: number;
  readonly altReason: string;
  /** When it was last found to fail over the alternative route too. */
  readonly down: number;
  /** What the prompt schedule knows of it; absent under the original one. */
  readonly prompt?: PromptRecord;
  /** How it fails; absent where it does not, or where only the list says so. */
  readonly cause?: Cause;
}

/** What one check of one host at one address said. */
export type CheckResult =
  | { readonly kind: 'ok' }
  | { readonly kind: 'fail'; readonly reason: string; readonly cause?: Cause }
  /** No verdict: an unknown check type, or nothing came of it. */
  | { readonly kind: 'none' }
  /** This machine could not even try: nothing is learnt of the service. */
  | { readonly kind: 'untried'; readonly detail: string };

export function triOfHost(state: HostState | null): Tri {
  return state === null ? null : state !== 'na';
}

export function triOfAddress(state: AddressState | null): Tri {
  if (state === 'ok') return true;
  return state === 'na' ? false : null;
}

export function sameCheck(a: CheckSpec, b: CheckSpec): boolean {
  return a.type === b.type && a.path === b.path && a.result === b.result;
}
