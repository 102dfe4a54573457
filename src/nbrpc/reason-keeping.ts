/** Second looks of a running nbrpc: what newly counts as failing is told to the watch, and what it finds goes into the state. */
import type { Clock } from '../core/clock.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { DnsTransport } from '../system/dns-client-ports.ts';
import type { HttpProbe } from '../system/ports.ts';
import type { NbrpcConfig } from './config.ts';
import { viewTri } from './exit-choice.ts';
import type { AddressRecord } from './model.ts';
import type { Learned } from './pass.ts';
import { newestSeen } from './policy.ts';
import { type Cause, causeOfName } from './reason.ts';
import { CauseLook } from './reason-look.ts';
import { findingFor, withCause } from './reason-record.ts';
import { causeSentence } from './reason-text.ts';
import { CauseWatch, type Failed } from './reason-watch.ts';
import { SecondOpinion } from './second-resolver.ts';
import { type Changes, Draft, type StateView } from './state.ts';
import type { StateStore } from './store.ts';

export interface CausesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly config: Pick<NbrpcConfig, 'check' | 'resolver'>;
  readonly store: StateStore;
  readonly probe: HttpProbe;
  readonly dns: DnsTransport;
  /** A number from 0 to 65535 that nobody can foretell. */
  readonly id: () => number;
  /** Another cause is in the state now. */
  readonly onFound: () => void;
  /** A defect of this program. */
  readonly onDefect: (error: unknown) => void;
}

export class Causes {
  readonly #options: CausesOptions;
  readonly #watch: CauseWatch;
  /** Since when names fail, seconds since the epoch. */
  readonly #names = new Map<string, number>();
  readonly #keeping = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: CausesOptions) {
    this.#options = options;
    const { clock, config, probe, dns: transport, id } = options;
    const { check, resolver } = config;
    const opinions = resolver.second.map((server) => new SecondOpinion(server, { transport, id }));
    const look = new CauseLook(
      { probe, opinions },
      {
        timeout: check.timeout,
        resolveTimeout: resolver.timeout,
        bodyLimit: check.body_limit,
        neutralName: check.neutral_name,
      },
    );
    this.#watch = new CauseWatch({
      clock,
      look,
      found: (host, address, cause) => this.#found(host, address, cause),
      failed: options.onDefect,
    });
  }

  /** After each commit. Returns at once. */
  learned({ resolved, checked, now }: Pick<Learned, 'resolved' | 'checked' | 'now'>): void {
    const { state } = this.#options.store;
    this.#watch.tell([...failingNames(resolved, state, now, this.#names), ...failingAddresses(checked, state)]);
  }

  /** Resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watch.close();
    await Promise.all(this.#keeping);
  }

  #found(host: string, address: string, cause: Cause): void {
    const keeping = this.#keep(host, address, cause)
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        // The state file: the passes tell of it, and the next look finds the same.
        if (error instanceof NetstewardError)
          this.#options.log.debug('cause-not-kept', { host, address, reason: describeError(error) });
        else this.#options.onDefect(error);
      })
      .finally(() => this.#keeping.delete(keeping));
    this.#keeping.add(keeping);
  }

  async #keep(host: string, address: string, cause: Cause): Promise<void> {
    const { store, log, onFound } = this.#options;
    const { changes } = await store.commit(
      (state) => ({ changes: foundIn(state, host, address, cause) }),
      this.#stop.signal,
    );
    if (changes.hosts.length === 0) return;
    log.info('cause', { host, address, reason: causeSentence(cause) });
    onFound();
  }
}

/** What a finding makes of the state (pure): nothing where what fails has changed meanwhile. */
export function foundIn(state: StateView, host: string, address: string, cause: Cause): Changes {
  const draft = new Draft(state);
  const entry = state.host(host);
  if (entry === undefined) return draft.changes();
  const known = entry.addresses.get(address);
  const found = findingFor(address === '' ? entry.record : (known ?? {}), cause);
  if (found === undefined) return draft.changes();
  if (known !== undefined) draft.putAddress(host, withCause(known, found));
  else draft.putHost(withCause(entry.record, found));
  return draft.changes();
}

/** Addresses whose newest check has failed, once there is more to it than one failure of a service that is well. */
function failingAddresses(checked: Learned['checked'], state: StateView): readonly Failed[] {
  return checked.flatMap(({ host, address, check, result }): readonly Failed[] => {
    const entry = state.host(host);
    const known = entry?.addresses.get(address);
    if (entry === undefined || known === undefined || result.kind !== 'fail' || result.cause === undefined) return [];
    if (known.state === 'ok' && entry.record.state === 'ok') return [];
    const current = known.seen === newestSeen(entry.addresses.values());
    const { cause } = result;
    return [{ host, address, check, cause, current, elsewhere: worksElsewhere(known), since: known.changed }];
  });
}

/** Through any exit; undefined: nobody knows. */
function worksElsewhere({ prompt }: AddressRecord): boolean | undefined {
  const known = Object.values(prompt?.exits ?? {}).map(viewTri);
  if (known.includes(true)) return true;
  return known.includes(false) ? false : undefined;
}

/** `since`: kept up to date. */
function failingNames(
  resolved: Learned['resolved'],
  state: StateView,
  now: number,
  since: Map<string, number>,
): readonly Failed[] {
  for (const host of since.keys()) if (state.host(host) === undefined) since.delete(host);
  return resolved.flatMap((each): readonly Failed[] => {
    const { host } = each;
    const entry = state.host(host);
    const cause = causeOfName(each);
    if (entry === undefined || cause.kind === 'none') {
      since.delete(host);
      return [];
    }
    const begun = since.get(host) ?? now;
    since.set(host, begun);
    const { check } = entry.record;
    return [{ host, address: '', check, cause, current: false, elsewhere: undefined, since: begun }];
  });
}
