/** What `netsteward status` shows of nbrpc (pure). Times are milliseconds since the epoch; null for never. */

import { type AddressRecord, triOfAddress } from './model.ts';
import { newestSeen } from './policy.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import type { ExitHealth } from './prompt/exit-watch.ts';
import type { ReactionsStatus } from './reaction-times.ts';
import type { CauseKind } from './reason.ts';
import { type CauseStatus, causeStatus, hostCause } from './reason-record.ts';
import type { Progress } from './rounds.ts';
import type { HostEntry, StateView } from './state.ts';

export interface AddressStatus {
  readonly address: string;
  readonly state: 'ok' | 'na' | 'unknown';
  /** Why it fails, or why it was not checked; empty where there is nothing to say. */
  readonly reason: string;
  /** How it fails; null: it does not, or nobody knows more than the reason says. */
  readonly cause: CauseStatus | null;
  readonly checked: number | null;
  readonly changed: number | null;
  /** In the newest DNS answer. */
  readonly inDns: boolean;
  /** What failed over the alternative route when it was last checked there; null where nothing is known or it worked. */
  readonly altReason: string | null;
  /** By exit that it failed through when it was last asked there: how it failed. Absent: none, or nobody knows more than the reason says. */
  readonly exitCauses?: Readonly<Record<string, CauseStatus>>;
  /** It is in the sets that lead into the tunnel, as the kernel holds them. */
  readonly rerouted: boolean;
}

export type HostStateName = 'ok' | 'failing' | 'unstable' | 'na' | 'unknown';

/**
 * Where a host stands, for people. `dropped`: at least one address is, as no exit works for it. `rerouted`: at least one goes
 * through the tunnel. `failing`: it does not work
 * directly, and goes direct all the same (in its grace period, or by its policy). `unchecked`: no address can be checked.
 * `unresolved`: DNS gave no address. `waiting`: for its first check. `ok`: all else.
 */
export type Standing = 'dropped' | 'rerouted' | 'failing' | 'unchecked' | 'unresolved' | 'waiting' | 'ok';

/** What matters most comes first. */
const standings: readonly Standing[] = ['dropped', 'rerouted', 'failing', 'unchecked', 'unresolved', 'waiting', 'ok'];

export interface HostStatus {
  readonly name: string;
  readonly standing: Standing;
  /** As in effect: `af-all`, `pick`, … */
  readonly policy: string;
  /** `https`, `http`, `dns`, … */
  readonly check: string;
  readonly state: HostStateName;
  readonly since: number | null;
  readonly failingSince: number | null;
  readonly reason: string;
  /** How it is blocked, by the address that its reason names, else by its name; null: it is not, or nobody knows more. */
  readonly cause: CauseStatus | null;
  readonly resolved: number | null;
  /** At most `mostAddresses`, those that are rerouted or fail first. */
  readonly addresses: readonly AddressStatus[];
  /** How many more it has. */
  readonly moreAddresses: number;
  /** At least one of its addresses goes through the tunnel. */
  readonly rerouted: boolean;
  /** The exit that it takes; empty: none works for it; null: it takes none, or there is but one, without a name. */
  readonly exit: string | null;
}

export interface ExitStatus extends ExitHealth {
  /** Services that take it, and addresses that go through it as the kernel holds them. */
  readonly hosts: number;
  readonly addresses: number;
}

export interface HostsStatus {
  /** At most `mostHosts`, those that matter most, by name. */
  readonly hosts: readonly HostStatus[];
  /** How many more there are. */
  readonly moreHosts: number;
  /** Of all hosts. */
  readonly total: number;
  readonly byStanding: Readonly<Record<Standing, number>>;
  readonly byState: Readonly<Record<HostStateName, number>>;
  /** Of those that are known to fail in some way, routed around or not, or whose name does. */
  readonly byCause: Readonly<Record<Exclude<CauseKind, 'none'>, number>>;
}

export interface NbrpcDetail extends HostsStatus {
  /** Listed addresses that are in use, and so are checked first; absent: nobody looks. */
  readonly inUse?: number;
  /** Hosts, as `byStanding` has it. */
  readonly rerouted: number;
  /** Addresses in the sets that lead into the tunnel, as the kernel holds them. */
  readonly blocked: number;
  /** In the preferred order; empty where there is one way around, without a name. */
  readonly exits: readonly ExitStatus[];
  /** How long changes of routes have taken; absent under the original's schedule, whose hours and days are its settings. */
  readonly reactions?: ReactionsStatus;
  /** When a pass last began all its checks. */
  readonly lastPass: number | null;
  readonly nextPass: number | null;
  /** Checks of the first pass, while it is under way. */
  readonly firstPass: Progress | null;
}

/** Hosts that are shown one by one: a list may have 50 000, and each request for the status costs all of it. */
export const mostHosts = 200;
/** Addresses of one host that are shown. */
export const mostAddresses = 32;

export interface Knowledge {
  /** Addresses that go through the tunnel. */
  readonly blocked: ReadonlySet<string>;
  /** Addresses that are dropped; absent: none. */
  readonly dropped?: ReadonlySet<string>;
  /** Why an address is not checked; undefined: nothing stands in the way. */
  readonly whyUnchecked: (host: string, address: string) => string | undefined;
}

export function hostsStatus(state: StateView, fallback: Policy, known: Knowledge): HostsStatus {
  const groups = new Map<Standing, HostEntry[]>(standings.map((standing) => [standing, []]));
  const byState = { ok: 0, failing: 0, unstable: 0, na: 0, unknown: 0 };
  const byCause = { name: 0, connect: 0, tls: 0, http: 0, transfer: 0 };
  for (const entry of state.hosts()) {
    byState[entry.record.state ?? 'unknown'] += 1;
    const { kind } = hostCause(entry);
    if (kind !== 'none') byCause[kind] += 1;
    groups.get(standingOf(entry, known))?.push(entry);
  }
  const count = (standing: Standing): number => groups.get(standing)?.length ?? 0;
  const total = standings.reduce((sum, standing) => sum + count(standing), 0);
  const shown: HostStatus[] = [];
  for (const [standing, entries] of groups) {
    const room = mostHosts - shown.length;
    if (room === 0) break;
    const first = entries.length <= room ? entries : entries.sort(byName).slice(0, room);
    shown.push(...first.map((entry) => hostStatus(entry, standing, fallback, known)));
  }
  return {
    hosts: shown.sort((a, b) => (a.name < b.name ? -1 : 1)),
    moreHosts: total - shown.length,
    total,
    byStanding: {
      dropped: count('dropped'),
      rerouted: count('rerouted'),
      failing: count('failing'),
      unchecked: count('unchecked'),
      unresolved: count('unresolved'),
      waiting: count('waiting'),
      ok: count('ok'),
    },
    byState,
    byCause,
  };
}

/** `via`: by address, the exit that it goes through as the kernel holds it. */
export function exitsStatus(
  state: StateView,
  health: readonly ExitHealth[],
  via: ReadonlyMap<string, string>,
): readonly ExitStatus[] {
  const hosts = new Map<string, number>();
  for (const { record } of state.hosts()) {
    if (record.exit) hosts.set(record.exit, 1 + (hosts.get(record.exit) ?? 0));
  }
  const addresses = new Map<string, number>();
  for (const exit of via.values()) addresses.set(exit, 1 + (addresses.get(exit) ?? 0));
  return health.map((exit) => ({
    ...exit,
    hosts: hosts.get(exit.name) ?? 0,
    addresses: addresses.get(exit.name) ?? 0,
  }));
}

function byName(a: HostEntry, b: HostEntry): number {
  return a.record.name < b.record.name ? -1 : 1;
}

function standingOf({ record, addresses }: HostEntry, { blocked, dropped, whyUnchecked }: Knowledge): Standing {
  const all = [...addresses.values()];
  if (all.some(({ address }) => dropped?.has(address))) return 'dropped';
  if (all.some(({ address }) => blocked.has(address))) return 'rerouted';
  const fails = all.some(({ state }) => triOfAddress(state) === false);
  if (record.state === 'na' || record.state === 'failing' || (record.state === 'unstable' && fails)) return 'failing';
  if (all.length === 0) return record.checked === 0 ? 'waiting' : 'unresolved';
  if (record.state !== 'ok' && all.every(({ state }) => triOfAddress(state) === null)) {
    const stuck = all.every(({ address }) => whyUnchecked(record.name, address) !== undefined);
    return stuck || !['https', 'http', 'dns'].includes(record.check.type) ? 'unchecked' : 'waiting';
  }
  return record.state === null ? 'waiting' : 'ok';
}

function hostStatus(
  entry: HostEntry,
  standing: Standing,
  fallback: Policy,
  { blocked, whyUnchecked }: Knowledge,
): HostStatus {
  const { record, addresses } = entry;
  const newest = newestSeen(addresses.values());
  const all = [...addresses.values()].map((address): AddressStatus => {
    const tri = triOfAddress(address.state);
    const why = tri === null ? whyUnchecked(record.name, address.address) : undefined;
    return {
      address: address.address,
      state: tri === null ? 'unknown' : tri ? 'ok' : 'na',
      reason: why === undefined ? address.reason : `not checked (${why})`,
      cause: causeStatus(address.cause),
      checked: time(address.checked),
      changed: time(address.changed),
      inDns: address.seen === newest,
      altReason: address.altReason === '' ? null : address.altReason,
      ...exitCausesOf(address),
      rerouted: blocked.has(address.address),
    };
  });
  const byAddress = (a: AddressStatus, b: AddressStatus): number => (a.address < b.address ? -1 : 1);
  const rank = (address: AddressStatus): number => (address.rerouted ? 0 : address.state === 'na' ? 1 : 2);
  const shown = all
    .sort((a, b) => rank(a) - rank(b) || byAddress(a, b))
    .slice(0, mostAddresses)
    .sort(byAddress);
  return {
    name: record.name,
    standing,
    policy: policyOf(record.policy, fallback).route,
    check: record.check.type,
    state: record.state ?? 'unknown',
    since: time(record.changed),
    failingSince: time(record.failingSince),
    reason: record.reason,
    cause: causeStatus(hostCause(entry)),
    resolved: time(record.checked),
    addresses: shown,
    moreAddresses: all.length - shown.length,
    rerouted: standing === 'rerouted',
    exit: record.exit ?? null,
  };
}

function exitCausesOf({ prompt }: AddressRecord): Pick<AddressStatus, 'exitCauses'> {
  const causes = Object.entries(prompt?.exits ?? {}).flatMap(([name, view]) => {
    const cause = causeStatus(view.cause);
    return cause === null ? [] : [[name, cause] as const];
  });
  return causes.length === 0 ? {} : { exitCauses: Object.fromEntries(causes) };
}

function time(seconds: number): number | null {
  return seconds === 0 ? null : Math.round(seconds * 1000);
}
