/** One pass as the command line makes it, in the contract's order: lists, names, checks; then everything is decided and saved at once. */
import pLimit from 'p-limit';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { Files, Resolver } from '../system/ports.ts';
import { type CheckSource, checkTarget } from './checker.ts';
import { type Checked, type DecideSettings, type Decision, decide, draftForChecks } from './decide.ts';
import { type ListReading, type RejectedList, readLists } from './lists.ts';
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
  /** Looks at this machine's own side; a pass for which it does not work marks nothing but takes the lists in. */
  readonly ownSide?: (signal: AbortSignal) => Promise<OwnSide>;
}

/** What one commit has brought. */
export interface Learned extends Decision {
  /** Seconds since the epoch: the one time of all that it wrote. */
  readonly now: number;
  /** In counted time, seconds. */
  readonly counted: number;
  readonly resolved: readonly ResolvedHost[];
  readonly checked: readonly Checked[];
}

/** What became of the list files. */
export interface ListReport {
  readonly rejected: readonly RejectedList[];
  readonly missing: readonly string[];
  /** Lists whose new version is in force now, with what was odd in them. */
  readonly taken: readonly { readonly path: string; readonly hosts: number; readonly remarks: readonly Diagnostic[] }[];
}

/** Everything that happened. */
export interface PassReport extends Learned, ListReport {
  /** Why nothing was marked, where that is so. */
  readonly ownSide: OwnSide;
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
  const select = { now, forced: forced || only !== undefined, ...(only === undefined ? {} : { only }) };
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
    // Where a daemon has counted on this file, grace periods go on by the wall clock from where it stood.
    const counted = now - newest.timeline.lost;
    return { ...decide(newest, settings, { ...inputs, counted, resolved, checked }), counted };
  }, signal);
  return { ...decision, ...listReport(lists), now, ownSide, resolved, checked };
}

export function listReport(lists: readonly ListReading[]): ListReport {
  return {
    rejected: lists.filter((reading) => reading.kind === 'rejected'),
    missing: lists.filter((reading) => reading.kind === 'missing').map((reading) => reading.path),
    taken: lists
      .filter((reading) => reading.kind === 'version')
      .map(({ path, entries, remarks }) => ({ path, hosts: entries.size, remarks })),
  };
}

/** In the order of `hosts`. Rejects only for an aborted signal. */
export function resolveHosts(
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
