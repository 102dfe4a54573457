/** Which packets are newer than all that was accepted before: the newest timestamp of each key and family (pure). */
import type { Family } from './address.ts';
import { headerValue } from './timestamp.ts';

/** The newest accepted packet of one key in one family. */
export interface LastAccepted {
  /** The packet's own, seconds since the Unix epoch, all its bits. */
  readonly timestamp: number;
  /** The address that it came from. */
  readonly address: string;
  /** By the server's clock, seconds since the Unix epoch. */
  readonly acceptedAt: number;
  /** The last packet that wrote the zone: its timestamp, and when by the server's clock. */
  readonly written?: { readonly timestamp: number; readonly at: number };
  /** Saved, but not known to be in the zone yet: after a crash the edit is made again from here. */
  readonly pending?: true;
}

/** By key id. As large as the administrator's list of keys: only packets with a good signature get in. */
export type ReplayState = ReadonlyMap<string, Families>;
type Families = Readonly<Partial<Record<Family, LastAccepted>>>;

export const emptyReplayState: ReplayState = new Map();

/** The other family of one client round has the same timestamp, and headers are rounded to 10 ms. */
const roundSeconds = 0.01;
// A hair for sums in binary: 1405421540.03 - 1405421540.02 is 0.00999999.
const slack = 1e-6;

const sameRound = (a: number, b: number): boolean => Math.abs(a - b) <= roundSeconds + slack;

/**
 * Whether a packet of this key, family and timestamp may change a block with this timestamp in its header.
 *
 * Where the state knows key and family, it decides; where not, the header does. A header that is not from what the state
 * knows was raised by another writer (the original on the same file, an editor) and counts as well; but a packet within
 * 10 ms of it may be the other family of the round that the writer took.
 */
export function isNewer(state: ReplayState, keyId: string, family: Family, timestamp: number, header: number): boolean {
  if (!Number.isFinite(timestamp)) return false;
  const known = state.get(keyId);
  const own = known?.[family]?.timestamp;
  if (own !== undefined) {
    if (timestamp <= own) return false;
    return timestamp > header || sameRound(timestamp, header) || isOwnHeader(known, header);
  }
  // The header may be this very packet's timestamp, rounded down: rounding both makes them equal.
  if (headerValue(timestamp) > header) return true;
  return sameRound(timestamp, header) && isOwnHeader(known, header);
}

function isOwnHeader(known: Families | undefined, header: number): boolean {
  return [known?.[4], known?.[6]].some(
    (last) =>
      last !== undefined &&
      (sameRound(header, last.timestamp) || (last.written !== undefined && sameRound(header, last.written.timestamp))),
  );
}

export interface Acceptance {
  readonly keyId: string;
  readonly family: Family;
  readonly timestamp: number;
  readonly address: string;
  /** By the server's clock, seconds since the Unix epoch. */
  readonly now: number;
  /** Whether the zone is to be written for it. */
  readonly writes: boolean;
}

/**
 * The state with this packet in it. To be saved before the zone is written: the header alone, rounded, lets the packet in
 * again. One that writes the zone is `pending` until `settled`; one that writes nothing leaves that as it was.
 */
export function withAccepted(state: ReplayState, acceptance: Acceptance): ReplayState {
  const { keyId, family, timestamp, address, now, writes } = acceptance;
  const before = state.get(keyId)?.[family];
  const written = writes ? { timestamp, at: now } : before?.written;
  const last: LastAccepted = {
    timestamp,
    address,
    acceptedAt: now,
    ...(written === undefined ? {} : { written }),
    ...(writes || before?.pending ? { pending: true } : {}),
  };
  return withLast(state, keyId, family, last);
}

/** The state after a genuine packet that was refused and must not come again: its timestamp counts, its address does not. */
export function withSpent(state: ReplayState, packet: Omit<Acceptance, 'writes'>): ReplayState {
  const { keyId, family, timestamp, address, now } = packet;
  const before = state.get(keyId)?.[family] ?? { address, acceptedAt: now };
  return withLast(state, keyId, family, { ...before, timestamp });
}

/** The zone holds what the pending packet wanted. A newer one that is pending stays so. */
export function settled(state: ReplayState, keyId: string, family: Family, timestamp: number): ReplayState {
  const last = state.get(keyId)?.[family];
  if (last?.pending === undefined || last.timestamp !== timestamp) return state;
  const { pending: _done, ...rest } = last;
  return withLast(state, keyId, family, rest);
}

export interface PendingUpdate extends LastAccepted {
  readonly keyId: string;
  readonly family: Family;
}

/** What was saved but maybe never written: to be written after a start, before any packet is read. */
export function pendingUpdates(state: ReplayState): PendingUpdate[] {
  const found: PendingUpdate[] = [];
  for (const [keyId, families] of state) {
    for (const family of [4, 6] as const) {
      const last = families[family];
      if (last?.pending === true) found.push({ ...last, keyId, family });
    }
  }
  return found;
}

/** Whether a pending update still goes into a block with this header: yes, unless another writer has taken a newer one. */
export function resumes(state: ReplayState, { keyId, timestamp }: PendingUpdate, header: number): boolean {
  return header <= headerValue(timestamp) || isOwnHeader(state.get(keyId), header);
}

function withLast(state: ReplayState, keyId: string, family: Family, last: LastAccepted): ReplayState {
  return new Map(state).set(keyId, { ...state.get(keyId), [family]: last });
}
