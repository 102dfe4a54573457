/** The passes of `netsteward nbrpc`: once or again and again, with signals, telling the hooks what they are to know. */
import type { Clock, Timer } from '../core/clock.ts';
import { formatDiagnostic } from '../core/diagnostic.ts';
import { formatDuration } from '../core/duration.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { runAltRoutePass } from '../nbrpc/alt-route.ts';
import { type PassMode, type PassReport, type PassSettings, runPass } from '../nbrpc/pass.ts';
import { formatLines } from '../nbrpc/policy.ts';
import type { State } from '../nbrpc/state.ts';
import type { StateStore } from '../nbrpc/store.ts';
import type { Files } from '../system/ports.ts';
import type { NbrpcFlags } from './nbrpc.ts';
import type { PolicyHook } from './nbrpc-hooks.ts';
import type { NbrpcSettings } from './nbrpc-settings.ts';
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
  readonly say: (level: 'debug' | 'info' | 'warning' | 'error', text: string) => void;
}

/** All that a pass may do at once: more than any list has. */
const unlimited = 2 ** 32;

export class NbrpcLoop {
  readonly #clock: Clock;
  readonly #options: LoopOptions;
  #store: StateStore;
  #opened: number;
  readonly #abort = new AbortController();
  /** Ends the wait between two passes. */
  #wake: () => void = () => {};
  #awake = false;
  #sync: boolean;
  #stopped = false;
  /** Hooks run one after another, beside the checks. */
  #hooks: Promise<void> = Promise.resolve();
  /** Problems that were told already: a list with a mistake is not news in every pass. */
  #told = '';

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#store = options.store;
    this.#opened = options.clock.monotonic();
    this.#sync = options.flags.syncOnStart === true;
  }

  async run(): Promise<ExitCode> {
    const unlisten = this.#listen();
    try {
      return await this.#passes();
    } catch (error) {
      if (this.#stopped) return exitCodes.ok;
      throw error;
    } finally {
      unlisten();
      // The last policy is told before the process ends; each hook has its own time-out.
      await this.#hooks;
    }
  }

  async #passes(): Promise<ExitCode> {
    const { flags, settings, say } = this.#options;
    const once = flags.updateHost !== undefined || settings.checks !== undefined;
    for (let first = true; !this.#stopped; first = false) {
      const start = this.#clock.monotonic();
      this.#awake = false;
      const sync = this.#sync;
      this.#sync = false;
      if (start - this.#opened >= settings.intervals.db_reopen * 1000) {
        this.#store = this.#options.reopen();
        this.#opened = start;
      }
      try {
        await (flags.failingChecks === true ? this.#altRoute(first) : this.#pass(first, sync));
      } catch (error) {
        // The state stays as it was, and so does what the hooks were told: the next pass makes up for it.
        if (once || !(error instanceof NetstewardError) || error.code !== 'state-not-saved') throw error;
        this.#sync ||= sync;
        say('error', describeError(error));
      }
      const took = this.#clock.monotonic() - start;
      if (took > settings.timeouts.log_td_info * 1000) say('info', `the pass took ${formatDuration(took)}`);
      if (once) return this.#hostKnown() ? exitCodes.ok : exitCodes.failure;
      await this.#wait(settings.intervals.checks * 1000);
    }
    return exitCodes.ok;
  }

  #hostKnown(): boolean {
    const { flags, say } = this.#options;
    if (flags.updateHost === undefined || this.#store.state.host(flags.updateHost) !== undefined) return true;
    say('error', `${flags.updateHost} is in no check list`);
    return false;
  }

  async #pass(first: boolean, sync: boolean): Promise<void> {
    const { flags, settings, files, sources, hooks } = this.#options;
    const passSettings: PassSettings = {
      lists: flags.checkListFile,
      timers: settings.timers,
      limits: settings.limits,
      defaultPolicy: settings.defaultPolicy,
      resolveTimeout: settings.timeouts.addr_check * 1000,
      filterAddresses: !sources.rehearsal,
    };
    const ports = { files, resolver: sources.resolver, checks: sources.checks };
    const report = await runPass(ports, this.#store, passSettings, this.#mode(first), this.#abort.signal);
    this.#tell(report);
    if (hooks.update !== undefined && report.updates.length > 0) this.#call(hooks.update, formatLines(report.updates));
    if (hooks.replace !== undefined && (sync || report.updates.length > 0 || report.policyChanged)) {
      // What a failed replacement was to say is said again after the next pass.
      this.#call(hooks.replace, hooks.dump(this.#store.state), () => (this.#sync = true));
    }
  }

  #mode(first: boolean): PassMode {
    const { flags, settings } = this.#options;
    const now = this.#now();
    if (flags.updateHost !== undefined) {
      return { now, forced: true, only: flags.updateHost, limits: { iterHosts: unlimited, iterAddrs: unlimited } };
    }
    const { checks } = settings;
    if (checks !== undefined) return { now, forced: true, limits: { iterHosts: checks, iterAddrs: checks } };
    if (first && flags.updateAll === true) {
      return { now, forced: true, limits: { iterHosts: unlimited, iterAddrs: unlimited } };
    }
    return { now, forced: false };
  }

  async #altRoute(first: boolean): Promise<void> {
    const { flags, settings, sources, say } = this.#options;
    const { checks } = settings;
    const all = first && flags.updateAll === true;
    const mode = {
      now: this.#now(),
      forced: checks !== undefined || all,
      interval: settings.timers.addrState,
      limit: checks ?? (all ? unlimited : settings.limits.iterAddrs),
    };
    const checked = await runAltRoutePass(sources.checks, this.#store, mode, this.#abort.signal);
    for (const { host, address, result } of checked) {
      say('debug', `${host} ${address}: ${result.kind}${result.kind === 'fail' ? `, ${result.reason}` : ''}`);
    }
  }

  #now(): number {
    return this.#options.settings.now ?? Math.round(this.#clock.now()) / 1000;
  }

  #tell(report: PassReport): void {
    const { say } = this.#options;
    const problems = report.rejected.flatMap((list) => list.problems.map(formatDiagnostic));
    const text = problems.join('\n');
    if (text !== this.#told) for (const problem of problems) say('error', `${problem} (the version before stays)`);
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

  async #wait(ms: number): Promise<void> {
    if (this.#stopped || this.#awake) return;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = this.#clock.after(ms, resolve);
    });
    timer?.cancel();
  }

  /** HUP: now, and the full policy. QUIT: now. TERM, INT: a clean end. */
  #listen(): () => void {
    const wake = (): void => {
      this.#awake = true;
      this.#wake();
    };
    const handlers: Partial<Record<NodeJS.Signals, () => void>> = {
      SIGHUP: () => {
        this.#sync = true;
        wake();
      },
      SIGQUIT: wake,
      SIGTERM: () => this.#stop(),
      SIGINT: () => this.#stop(),
    };
    const all = Object.entries(handlers) as [NodeJS.Signals, () => void][];
    for (const [signal, handler] of all) process.on(signal, handler);
    return () => {
      for (const [signal, handler] of all) process.off(signal, handler);
    };
  }

  #stop(): void {
    this.#stopped = true;
    this.#abort.abort(new Error('stopped'));
    this.#wake();
  }
}
