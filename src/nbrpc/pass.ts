/** One pass over the ports, in the contract's order: lists, names, checks; then everything is decided and saved at once. */
import pLimit from 'p-limit';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { Files, Resolver } from '../system/ports.ts';
import { type CheckSource, checkTarget } from './checker.ts';
import { type Checked, type DecideSettings, type Decision, decide, draftForChecks } from './decide.ts';
import { readLists } from './lists.ts';
import { policyOf } from './policy-spec.ts';
import { type ResolvedHost, resolveHost } from './resolve.ts';
import { dueAddresses, dueHosts } from './schedule.ts';
import type { Limits } from './settings.ts';
import type { State } from './state.ts';
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
}

/** Everything that happened. */
export interface PassReport extends Decision {
  readonly now: number;
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
  const select = { now, forced: forced || only !== undefined, ...(only === undefined ? {} : { only }) };
  const inputs = { now, lists, graceless: only !== undefined };

  const listed = draftForChecks(state, settings, { ...inputs, resolved: [] });
  const hosts = dueHosts(listed, { ...select, interval: settings.timers.hostAddrs, limit: limits.iterHosts });
  const limit = pLimit(concurrentNames);
  const resolveSettings = { timeout: settings.resolveTimeout, filter: settings.filterAddresses };
  const resolved = await Promise.all(
    hosts.map(({ record }) =>
      limit(() => {
        const { family } = policyOf(record.policy, settings.defaultPolicy);
        return resolveHost(ports.resolver, record.name, family, resolveSettings, signal);
      }),
    ),
  );

  const draft = draftForChecks(state, settings, { ...inputs, resolved });
  const due = dueAddresses(draft, { ...select, interval: settings.timers.addrState, limit: limits.iterAddrs });
  const checked = await Promise.all(
    due.map(async ({ entry, address }): Promise<Checked> => {
      const target = { host: entry.record.name, address: address.address, check: entry.record.check };
      return { ...target, result: await checkTarget(ports.checks, target, signal) };
    }),
  );

  signal.throwIfAborted();
  const decision = await store.commit(
    (newest: State) => decide(newest, settings, { ...inputs, resolved, checked }),
    signal,
  );
  const rejected = lists.filter((reading) => reading.kind === 'rejected');
  return {
    ...decision,
    now,
    rejected: rejected.map(({ path, problems }) => ({ path, problems })),
    missing: lists.filter((reading) => reading.kind === 'missing').map((reading) => reading.path),
    taken: lists
      .filter((reading) => reading.kind === 'version')
      .map(({ path, entries, remarks }) => ({ path, hosts: entries.size, remarks })),
    resolved,
    checked,
  };
}
