/** dnstest while it runs in the supervisor: resolvers under watch, reload, health, stop. */
import { isDeepStrictEqual } from 'node:util';
import type { ModuleHealth, RunningModule, StopReason } from '../core/module.ts';
import type { DnstestConfig } from './config.ts';
import { withKeys } from './key-file.ts';
import { foot, type Ladder } from './ladder.ts';
import type { DnstestHost } from './ports.ts';
import { resolverWords } from './resolver-words.ts';
import { Serving } from './serving.ts';
import { dnstestDetail, type ResolverPhase } from './status.ts';
import { WatchStore } from './watch-store.ts';
import { watchedResolvers } from './watched.ts';
import { type Watched, Watches } from './watches.ts';

/** One configuration in force. */
interface Engaged {
  readonly config: DnstestConfig;
  readonly watches: Watches;
  readonly store: WatchStore;
  readonly abort: AbortController;
  /** Of the loops; settles soon after `abort`. */
  ended: Promise<void>;
}

export class RunningDnstest implements RunningModule<DnstestConfig> {
  readonly done: Promise<void>;
  readonly #host: DnstestHost;
  #engaged: Engaged;
  readonly #serving: Serving;
  #stopping: Promise<void> | undefined;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } = { resolve: () => {}, reject: () => {} };

  private constructor(host: DnstestHost, engaged: Engaged, serving: Serving) {
    this.#host = host;
    this.#serving = serving;
    this.#engaged = engaged;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // The supervisor looks at it; without it a crash must not end the process before stop() has cleaned up.
    this.done.catch(() => {});
    serving.failed((error) => this.#settle.reject(error));
    this.#begin(engaged);
  }

  /**
   * Rejects with NetstewardError `state-file-*`, `watch-state-foreign`, `dnstest-key`, `dnstest-key-file`, `dns-not-bound`;
   * nothing is left behind then.
   */
  static async start(config: DnstestConfig, host: DnstestHost, signal: AbortSignal): Promise<RunningDnstest> {
    signal.throwIfAborted();
    const ready = await withKeys(config, host.files);
    const engaged = engage(ready, host, undefined);
    const serving = new Serving(host);
    try {
      await serving.change(ready);
      signal.throwIfAborted();
    } catch (error) {
      await serving.stop();
      await disengage(engaged);
      throw error;
    }
    return new RunningDnstest(host, engaged, serving);
  }

  /** What was known of resolvers that are watched on is kept: a reload does not begin with the first cure again. */
  async reload(next: DnstestConfig): Promise<void> {
    const ready = await withKeys(next, this.#host.files);
    const before = this.#engaged;
    const engaged = engage(ready, this.#host, before);
    try {
      await this.#serving.change(ready);
    } catch (error) {
      await disengage(engaged);
      throw error;
    }
    this.#engaged = engaged;
    const kept = new Set(next.resolver.flatMap(({ fallback_file: file }) => file ?? []));
    before.abort.abort(new Error('the watch was stopped'));
    await before.ended;
    for (const watch of before.watches.all) await watch.release(kept, engaged.abort.signal).catch(() => {});
    await disengage(before);
    // Stopped meanwhile.
    if (this.#stopping === undefined) this.#begin(engaged);
    else await disengage(engaged);
  }

  health(): ModuleHealth {
    const { config, watches } = this.#engaged;
    const detail = dnstestDetail(config.name, this.#serving.entry, watches.all, watches.history, this.#host.clock);
    const count = (phase: ResolverPhase): number => detail.resolvers.filter((one) => one.phase === phase).length;
    const parts = (['well', 'doubtful', 'failing', 'not judged', 'unknown'] as const)
      .filter((phase) => count(phase) > 0)
      .map((phase) => `${count(phase)} ${phase}`);
    const resolvers = parts.length === 0 ? [] : [`resolvers: ${parts.join(', ')}`];
    const { entry } = this.#serving;
    const serves = entry === null ? [] : [`serves at ${entry.at.join(', ')}`];
    return { ready: true, summary: [...resolvers, ...serves].join('; '), warnings: watches.warnings, detail };
  }

  stop(_reason: StopReason): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  async #end(): Promise<void> {
    await Promise.all([disengage(this.#engaged), this.#serving.stop()]);
    this.#host.speaker?.say([], 0);
    this.#settle.resolve();
  }

  #begin(engaged: Engaged): void {
    const { watches, abort } = engaged;
    engaged.ended = watches.run(abort.signal).then(
      () => {},
      (error: unknown) => {
        if (!abort.signal.aborted) this.#settle.reject(error);
      },
    );
  }
}

function engage(config: DnstestConfig, host: DnstestHost, before: Engaged | undefined): Engaged {
  const store = new WatchStore(host.store, config.state, host.clock);
  try {
    const watched = watchedResolvers(config, host);
    const watches = new Watches({
      clock: host.clock,
      log: host.log,
      watched,
      store,
      ladders: (label) => ladderOf(label, watched, before) ?? store.ladder(label, config.longest_rest),
      history: before?.watches.history ?? store.history(),
      changed: () => host.speaker?.say(resolverWords(watches.all), holdsFor(config)),
    });
    return { config, watches, store, abort: new AbortController(), ended: Promise.resolve() };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Milliseconds that a word on resolvers holds: until the next one, a failure in between included. */
function holdsFor({ interval, timeout }: DnstestConfig): number {
  return 2 * (interval + timeout) + 60_000;
}

/** A resolver with other cures than before begins with the first of them: whoever wrote them wants to see them tried. */
function ladderOf(label: string, watched: readonly Watched[], before: Engaged | undefined): Ladder | undefined {
  const old = before?.watches.all.find((watch) => watch.label === label);
  if (old === undefined) return undefined;
  const cures = watched.find((one) => one.label === label)?.cures;
  return isDeepStrictEqual(cures, old.cures) ? old.state.ladder : foot;
}

async function disengage({ abort, ended, store }: Engaged): Promise<void> {
  abort.abort(new Error('the watch was stopped'));
  await ended;
  store.close();
}
