/** The health of a running nbrpc, as the supervisor shows it: one line, warnings, and the status in detail. */
import type { ModuleHealth } from '../core/module.ts';
import type { WarningBoard } from '../core/warnings.ts';
import type { AddressSetsStatus } from '../system/ports.ts';
import type { NbrpcConfig } from './config.ts';
import type { FlipLog } from './flip-log.ts';
import type { Passes } from './passes.ts';
import { PromptPasses } from './prompt/passes.ts';
import type { HeldSets } from './sink.ts';
import { exitsStatus, type HostsStatus, hostsStatus, type NbrpcDetail } from './status.ts';
import type { StateStore } from './store.ts';
import type { PassTelling } from './telling.ts';
import type { UseWatch } from './use-watch.ts';

export interface RunningDetail extends NbrpcDetail {
  readonly sets: AddressSetsStatus;
}

/** What it is made of. */
export interface HealthSources {
  readonly config: NbrpcConfig;
  readonly store: StateStore;
  readonly sets: HeldSets;
  readonly passes: Passes | PromptPasses;
  readonly telling: PassTelling;
  readonly use: UseWatch;
  readonly flips: FlipLog;
  readonly board: WarningBoard;
  /** Milliseconds since the epoch; undefined: not yet. */
  readonly lastPass: number | undefined;
  readonly nextPass: number | undefined;
}

export class Health {
  /** Of the last request, with what it was made of: a list may have 50 000 services. */
  #hosts: { readonly blocked: ReadonlySet<string>; readonly status: HostsStatus } | undefined;

  /** What is known of services may be otherwise now. */
  changed(): void {
    this.#hosts = undefined;
  }

  of(sources: HealthSources): ModuleHealth {
    const { store, sets, passes, flips } = sources;
    const hosts = this.#hostsOf(sources);
    const { rerouted, dropped } = hosts.byStanding;
    const { firstPass } = passes;
    const detail: RunningDetail = {
      ...hosts,
      rerouted,
      blocked: sets.blocked.size,
      lastPass: sources.lastPass ?? null,
      nextPass: sources.nextPass ?? null,
      firstPass: firstPass ?? null,
      ...(passes instanceof PromptPasses
        ? { exits: exitsStatus(store.state, passes.exits, sets.via), reactions: flips.reactions.told }
        : { exits: [] }),
      sets: sets.status(),
      ...sources.use.told,
    };
    const under = firstPass === undefined ? '' : ', first pass under way';
    const lost = dropped === 0 ? '' : `, ${dropped} dropped`;
    const summary = `${rerouted} of ${hosts.total} service${hosts.total === 1 ? '' : 's'} rerouted${lost}${under}`;
    return { ready: true, summary, warnings: sources.board.list(), detail };
  }

  #hostsOf({ config, store, sets, telling }: HealthSources): HostsStatus {
    const { blocked } = sets;
    if (this.#hosts?.blocked !== blocked) {
      const whyUnchecked = telling.whyUnchecked.bind(telling);
      const known = { blocked, dropped: sets.dropped, whyUnchecked };
      this.#hosts = { blocked, status: hostsStatus(store.state, config.default_policy, known) };
    }
    return this.#hosts.status;
  }
}
