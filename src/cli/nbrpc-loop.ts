/** The passes of `netsteward nbrpc`: once or again and again, with signals, telling the hooks what they are to know. */
import type { Clock } from '../core/clock.ts';
import { formatDiagnostic } from '../core/diagnostic.ts';
import { formatDuration } from '../core/duration.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { runAltRoutePass } from '../nbrpc/alt-route.ts';
import { describeRejection } from '../nbrpc/lists.ts';
import { type OwnSide, trialNames } from '../nbrpc/own-side.ts';
import { type PassMode, type PassReport, type PassSettings, runPass } from '../nbrpc/pass.ts';
import { formatLines } from '../nbrpc/policy.ts';
import type { State } from '../nbrpc/state.ts';
import type { StateStore } from '../nbrpc/store.ts';
import type { Files } from '../system/ports.ts';
import type { NbrpcFlags } from './nbrpc.ts';
import type { PolicyHook } from './nbrpc-hooks.ts';
import type { NbrpcSettings } from './nbrpc-settings.ts';
import type { Signals } from './nbrpc-signals.ts';
import type { Sources } from './nbrpc-sources.ts';

export interface Hooks {
  readonly update: PolicyHook | undefined;
  readonly replace: PolicyHook | undefined;
  readonly dump: (state: State) => string;
}

export interface LoopOptions {
  readonly flags: NbrpcFlags;
  readonly settings: NbrpcSettings;
  readonly clock: Clock;
  readonly files: Files;
  readonly store: StateStore;
  /** Opens the state file anew: it may have been replaced by another one. */
  readonly reopen: () => StateStore;
  readonly sources: Sources;
  readonly hooks: Hooks;
  readonly signals: Signals;
  readonly say: (level: 'debug' | 'info' | 'warning' | 'error', text: string) => void;
}

/** All that a pass may do at once: more than any list has. */
const unlimited = 2 ** 32;

export class NbrpcLoop {
  readonly #clock: Clock;
  readonly #options: LoopOptions;
  /** One run and no more, asked for by hand: -n and -u. */
  readonly #once: boolean;
  #store: StateStore;
  #opened: number;
  #sync: boolean;
  /** -U, until a pass has counted. */
  #all: boolean;
  /** The whole policy as it was told last, or as it was found; undefined where nobody is to be told. */
  #dump: string | undefined;
  /** Hooks run one after another, beside the checks. */
  #hooks: Promise<void> = Promise.resolve();
  /** Problems that were told already: a list with a mistake is not news in every pass. */
  #told = '';
  #brokenGate = '';

  constructor(options: LoopOptions) {
    const { clock, flags, hooks, settings, store } = options;
    this.#options = options;
    this.#clock = clock;
    this.#once = flags.updateHost !== undefined || settings.checks !== undefined;
    this.#store = store;
    this.#opened = clock.monotonic();
    this.#sync = flags.syncOnStart === true;
    this.#all = flags.updateAll === true;
    this.#dump = hooks.replace && hooks.dump(store.state);
  }

  async run(): Promise<ExitCode> {
    try {
      return await this.#passes();
    } catch (error) {
      if (this.#options.signals.stopped) return exitCodes.ok;
      throw error;
    } finally {
      // The last policy is told before the process ends; each hook has its own time-out.
      await this.#hooks;
    }
  }

  async #passes(): Promise<ExitCode> {
    const { flags, settings, signals, sources, say } = this.#options;
    for (let first = true; !signals.stopped; first = false) {
      const start = this.#clock.monotonic();
      const sync = signals.begin() || this.#sync;
      this.#sync = false;
      if (start - this.#opened >= settings.intervals.db_reopen * 1000) {
        this.#store = this.#options.reopen();
        this.#opened = start;
      }
      if (!first) await sources.renew?.().catch((error: unknown) => say('error', describeError(error)));
      try {
        await (flags.failingChecks === true ? this.#altRoute() : this.#pass(sync));
      } catch (error) {
        // The state stays as it was, and so does what the hooks were told: the next pass makes up for it.
        if (this.#once || !(error instanceof NetstewardError) || error.code !== 'state-not-saved') throw error;
        this.#sync ||= sync;
        say('error', describeError(error));
      }
      const took = this.#clock.monotonic() - start;
      if (took > settings.timeouts.log_td_info * 1000) say('info', `the pass took ${formatDuration(took)}`);
      if (this.#once) return this.#hostKnown() ? exitCodes.ok : exitCodes.failure;
      await signals.wait(this.#clock, settings.intervals.checks * 1000);
    }
    return exitCodes.ok;
  }

  #hostKnown(): boolean {
    const { flags, say } = this.#options;
    if (flags.updateHost === undefined || this.#store.state.host(flags.updateHost) !== undefined) return true;
    say('error', `${flags.updateHost} is in no check list`);
    return false;
  }

  async #pass(sync: boolean): Promise<void> {
    const { flags, settings, files, signals, sources, hooks } = this.#options;
    const passSettings: PassSettings = {
      lists: flags.checkListFile,
      timers: settings.timers,
      limits: settings.limits,
      defaultPolicy: settings.defaultPolicy,
      resolveTimeout: settings.timeouts.addr_check * 1000,
      filterAddresses: !sources.rehearsal,
    };
    const ports = { files, resolver: sources.resolver, checks: sources.checks };
    const report = await runPass(ports, this.#store, passSettings, this.#mode(), signals.stop);
    if (report.ownSide.ok) this.#all = false;
    this.#tell(report);
    if (hooks.update !== undefined && report.updates.length > 0) this.#call(hooks.update, formatLines(report.updates));
    if (hooks.replace === undefined) return;
    const dump = hooks.dump(this.#store.state);
    // Not only what this pass has changed: another process may have, such as one with -u.
    const differs = dump !== this.#dump;
    this.#dump = dump;
    // What a failed replacement was to say is said again after the next pass.
    if (sync || differs || report.updates.length > 0) this.#call(hooks.replace, dump, () => (this.#sync = true));
  }

  #mode(): PassMode {
    const { flags, settings } = this.#options;
    const now = this.#now();
    if (flags.updateHost !== undefined) {
      return { now, forced: true, only: flags.updateHost, limits: { iterHosts: unlimited, iterAddrs: unlimited } };
    }
    const { checks } = settings;
    if (checks !== undefined) return { now, forced: true, limits: { iterHosts: checks, iterAddrs: checks } };
    const gates = this.#gates();
    if (this.#all) return { now, forced: true, limits: { iterHosts: unlimited, iterAddrs: unlimited }, ...gates };
    return { now, forced: false, ...gates };
  }

  /** Whoever asks for a run by hand gets what it sees, own side or not. */
  #gates(): Pick<PassMode, 'ownSide'> {
    const { ownSide } = this.#options.sources;
    if (this.#once || ownSide === undefined) return {};
    return { ownSide: (signal) => ownSide(signal, () => trialNames(this.#store.state)) };
  }

  async #altRoute(): Promise<void> {
    const { settings, signals, sources, say } = this.#options;
    const { checks } = settings;
    const all = this.#all;
    const mode = {
      now: this.#now(),
      forced: checks !== undefined || all,
      interval: settings.timers.addrState,
      limit: checks ?? (all ? unlimited : settings.limits.iterAddrs),
      ...this.#gates(),
    };
    const { checked, ownSide } = await runAltRoutePass(sources.checks, this.#store, mode, signals.stop);
    if (ownSide.ok) this.#all = false;
    this.#tellOwnSide(ownSide);
    for (const { host, address, result } of checked) {
      say('debug', `${host} ${address}: ${result.kind}${result.kind === 'fail' ? `, ${result.reason}` : ''}`);
    }
  }

  #now(): number {
    return this.#options.settings.now ?? Math.round(this.#clock.now()) / 1000;
  }

  #tellOwnSide(ownSide: OwnSide): void {
    const { say } = this.#options;
    const gate = ownSide.ok ? '' : ownSide.gate;
    if (gate === this.#brokenGate) return;
    this.#brokenGate = gate;
    if (ownSide.ok) say('info', 'the own side works again');
    else say('warning', `nothing is marked, the fault is on the own side (${gate}): ${ownSide.reason}`);
  }

  #tell(report: PassReport): void {
    const { say } = this.#options;
    this.#tellOwnSide(report.ownSide);
    const rejected = report.rejected.flatMap((list) => [
      ...list.problems.map(formatDiagnostic),
      `${list.path} is not taken: ${describeRejection(list).inForce}`,
    ]);
    const text = rejected.join('\n');
    if (text !== this.#told) for (const line of rejected) say('error', line);
    this.#told = text;
    for (const { remarks } of report.taken) for (const remark of remarks) say('warning', formatDiagnostic(remark));
    for (const { host, failure, junk } of report.resolved) {
      if (failure !== undefined) say('warning', `${host} does not resolve: ${failure}`);
      if (junk.length > 0) say('warning', `${host}: ignored ${junk.join(', ')}, which are not public addresses`);
    }
    for (const { host, from, to, reported, reason } of report.hostMoves) {
      const why = to === 'ok' || reason === '' ? '' : ` (${reason})`;
      say(reported ? 'info' : 'debug', `${host}: ${from ?? 'unknown'} to ${to ?? 'unknown'}${why}`);
    }
  }

  #call(hook: PolicyHook, lines: string, onFailure: () => void = () => {}): void {
    this.#hooks = this.#hooks
      .then(() => hook(lines))
      .catch((error: unknown) => {
        this.#options.say('error', `policy not told: ${describeError(error)}`);
        onFailure();
      });
  }
}
