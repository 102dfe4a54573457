/** One pass over the ports, in the contract's order: lists, names, checks; then everything is decided and saved at once. */
import pLimit from 'p-limit';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { Files, Resolver } from '../system/ports.ts';
import { type CheckSource, checkTarget } from './checker.ts';
import { type Checked, type DecideSettings, type Decision, decide, draftForChecks } from './decide.ts';
import { readLists } from './lists.ts';
import type { OwnSide } from './own-side.ts';
import { policyOf } from './policy-spec.ts';
import { type ResolvedHost, resolveHost } from './resolve.ts';
import { type DueAddress, dueAddresses, dueHosts } from './schedule.ts';
import type { Limits } from './settings.ts';
import type { HostEntry, State } from './state.ts';
import type { StateStore } from './store.ts';

/** Names that are asked for at the same time. */
const concurrentNames = 64;

export interface PassPorts {
  readonly files: Files;
  readonly resolver: Resolver;
  readonly checks: CheckSource;
}

export interface PassSettings extends DecideSettings {
  readonly lists: readonly string[];
  /** Milliseconds for one name. */
  readonly resolveTimeout: number;
  /** Drop addresses that are not public, and those of a family that the policy does not want; off in a rehearsal. */
  readonly filterAddresses: boolean;
}

/** What is special of this one pass. */
export interface PassMode {
  /** Seconds since the epoch. */
  readonly now: number;
  /** All checks are due. */
  readonly forced: boolean;
  /** Instead of the settings' limits. */
  readonly limits?: Pick<Limits, 'iterHosts' | 'iterAddrs'>;
  /** Only this host, its state following without grace. */
  readonly only?: string;
  /** The wall clock may be set back while this process runs: times in the future are due. */
  readonly rewound?: boolean;
  /** Counted seconds since the last saved pass; absent: grace periods go by the wall clock, as `now` says. */
  readonly elapsed?: number;
  /** Looks at this machine's own side; a pass for which it does not work marks nothing but takes the lists in. */
  readonly ownSide?: (signal: AbortSignal) => Promise<OwnSide>;
}

/** Everything that happened. */
export interface PassReport extends Decision {
  readonly now: number;
  /** In counted time, seconds. */
  readonly counted: number;
  /** Why nothing was marked, where that is so. */
  readonly ownSide: OwnSide;
  readonly rejected: readonly { readonly path: string; readonly problems: readonly Diagnostic[] }[];
  readonly missing: readonly string[];
  /** Lists whose new version is in force now, with what was odd in them. */
  readonly taken: readonly { readonly path: string; readonly hosts: number; readonly remarks: readonly Diagnostic[] }[];
  readonly resolved: readonly ResolvedHost[];
  readonly checked: readonly Checked[];
}

/** Rejects with NetstewardError `state-not-saved`, the state being as before, or for an aborted signal. */
export async function runPass(
  ports: PassPorts,
  store: StateStore,
  settings: PassSettings,
  mode: PassMode,
  signal: AbortSignal,
): Promise<PassReport> {
  const { now, forced, only } = mode;
  const state = await store.refresh(signal);
  const lists = await readLists(ports.files, settings.lists, state.lists());
  const limits = mode.limits ?? settings.limits;
  const select = {
    now,
    forced: forced || only !== undefined,
    ...(only === undefined ? {} : { only }),
    ...(mode.rewound === true ? { rewound: true } : {}),
  };
  const inputs = { now, counted: now, lists, graceless: only !== undefined };

  let ownSide: OwnSide = (await mode.ownSide?.(signal)) ?? { ok: true };
  let resolved: readonly ResolvedHost[] = [];
  let checked: readonly Checked[] = [];
  if (ownSide.ok) {
    const listed = draftForChecks(state, settings, { ...inputs, resolved: [] });
    const hosts = dueHosts(listed, { ...select, interval: settings.timers.hostAddrs, limit: limits.iterHosts });
    resolved = await resolveHosts(ports.resolver, hosts, settings, signal);
    const draft = draftForChecks(state, settings, { ...inputs, resolved });
    const due = dueAddresses(draft, { ...select, interval: settings.timers.addrState, limit: limits.iterAddrs });
    checked = await checkAddresses(ports.checks, due, signal);
    // What failed may have failed with our own side, in the middle of the pass.
    const ill = resolved.some((host) => !host.answered) || checked.some(({ result }) => result.kind === 'fail');
    if (ill) ownSide = (await mode.ownSide?.(signal)) ?? ownSide;
    if (!ownSide.ok) [resolved, checked] = [[], []];
  }

  signal.throwIfAborted();
  const decision = await store.commit((newest: State) => {
    const { timeline } = newest;
    const { elapsed } = mode;
    if (elapsed === undefined) return decidedAt(newest, now - timeline.lost);
    // Counted time starts with the wall clock, or where the drop-in has left it.
    const counted = timeline.counted === 0 ? now : startOf(newest) + (ownSide.ok ? elapsed : 0);
    const moved = { counted, lost: now - counted };
    const decided = decidedAt(newest, counted);
    return { ...decided, changes: { ...decided.changes, timeline: moved } };
  }, signal);

  function decidedAt(newest: State, counted: number): Decision & { readonly counted: number } {
    return { ...decide(newest, settings, { ...inputs, counted, resolved, checked }), counted };
  }
  const rejected = lists.filter((reading) => reading.kind === 'rejected');
  return {
    ...decision,
    now,
    ownSide,
    rejected: rejected.map(({ path, problems }) => ({ path, problems })),
    missing: lists.filter((reading) => reading.kind === 'missing').map((reading) => reading.path),
    taken: lists
      .filter((reading) => reading.kind === 'version')
      .map(({ path, entries, remarks }) => ({ path, hosts: entries.size, remarks })),
    resolved,
    checked,
  };
}

/** Counted time never stands before a moment that it has given to a host: the drop-in goes on by the wall clock. */
function startOf(state: State): number {
  let { counted } = state.timeline;
  for (const { record } of state.hosts()) counted = Math.max(counted, record.changedCounted, record.failingCounted);
  return counted;
}

function resolveHosts(
  resolver: Resolver,
  hosts: readonly HostEntry[],
  settings: PassSettings,
  signal: AbortSignal,
): Promise<readonly ResolvedHost[]> {
  const limit = pLimit(concurrentNames);
  const resolveSettings = { timeout: settings.resolveTimeout, filter: settings.filterAddresses };
  return Promise.all(
    hosts.map(({ record }) =>
      limit(() => {
        const { family } = policyOf(record.policy, settings.defaultPolicy);
        return resolveHost(resolver, record.name, family, resolveSettings, signal);
      }),
    ),
  );
}

function checkAddresses(
  checks: CheckSource,
  due: readonly DueAddress[],
  signal: AbortSignal,
): Promise<readonly Checked[]> {
  return Promise.all(
    due.map(async ({ entry, address }): Promise<Checked> => {
      const target = { host: entry.record.name, address: address.address, check: entry.record.check };
      return { ...target, result: await checkTarget(checks, target, signal) };
    }),
  );
}
