/** Runs the modules of a configuration side by side: start, health, two-phase reload, stop; and tells systemd about it. */
import type { Clock, Timer } from '../core/clock.ts';
import { DiagnosticError, formatDiagnostic } from '../core/diagnostic.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ModuleName } from '../core/module.ts';
import { WarningBoard } from '../core/warnings.ts';
import type { Notifier } from '../system/ports.ts';
import type { Configuration, ConfiguredModule } from './config.ts';
import { ModuleRunner } from './module-runner.ts';
import { applyReload } from './reload.ts';
import { type ReloadRecord, type StatusReport, type SupervisorState, summarize } from './status-report.ts';

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly notifier: Notifier;
  /** Milliseconds between WATCHDOG=1 messages; none where undefined. */
  readonly watchdogInterval: number | undefined;
  /** Reads and parses the configuration again; rejects with every problem. */
  readonly load: () => Promise<Configuration>;
  /** Takes over what concerns the process and no module (the log); called when a reload is certain. */
  readonly applyGeneral: (configuration: Configuration) => void;
  readonly version: string;
  readonly pid: number;
  /** The configuration file, as the user wrote it. */
  readonly configFile: string;
}

/** How often (ms) the STATUS line is looked at, besides at each change. */
const statusInterval = 10_000;
/** Of how many watchdog messages may be late before the service manager gives up a start that goes on. */
const startPatience = 3;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #board: WarningBoard;
  readonly #startedAt: number;
  #configuration: Configuration;
  #runners = new Map<ModuleName, ModuleRunner>();
  #state: SupervisorState = 'starting';
  #lastReload: ReloadRecord | undefined;
  /** Reloads and the stop come one after another. */
  #queue: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #lastStatus = '';
  #timers: Timer[] = [];
  /** Modules that have started, or failed to, at least once. */
  readonly #tried = new Set<ModuleName>();
  #toldReady = false;
  readonly #failed: Promise<NetstewardError>;
  #fail: (error: NetstewardError) => void = () => undefined;
  /** Modules that a reload under way has added, and that a stop must reach too. */
  readonly #adding = new Set<ModuleRunner>();

  constructor(configuration: Configuration, options: SupervisorOptions) {
    this.#configuration = configuration;
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.#board = new WarningBoard(
      () => options.clock.now(),
      (change, { code, subject, severity, text, remedy }) => {
        const level = change === 'cleared' ? 'info' : severity === 'error' ? 'error' : 'warn';
        options.log[level](`warning-${change}`, { code, subject, text, remedy });
      },
    );
  }

  /** Starts every module; one that cannot start is tried again, and keeps the others from starting in no case but that of `failed`. */
  start(): void {
    for (const [name, configured] of this.#configuration.modules) {
      this.#runners.set(name, this.#runner(configured));
    }
    for (const runner of this.#runners.values()) runner.run();
    this.#every(statusInterval, () => this.#tellStatus());
    const { watchdogInterval, notifier } = this.#options;
    if (watchdogInterval !== undefined) {
      // That this timer fires shows that the loop ticks (sd_notify(3), WATCHDOG=1). systemd counts from the first of these on,
      // READY or not (its src/core/service.c); before READY it is told as well that the start goes on (EXTEND_TIMEOUT_USEC=).
      const more = { EXTEND_TIMEOUT_USEC: String(Math.round(watchdogInterval * startPatience * 1000)) };
      this.#every(watchdogInterval, () => {
        const runners = [...this.#runners.values(), ...this.#adding];
        if (!runners.every((runner) => runner.answers())) return;
        notifier.notify(this.#state === 'starting' ? { ...more, WATCHDOG: '1' } : { WATCHDOG: '1' });
      });
    }
  }

  /** Warnings of netsteward itself: whatever else belongs to the service raises its own here. */
  get board(): WarningBoard {
    return this.#board;
  }

  /** Resolves where a module of supervisor.must_start could not start: the service is to end then. Never rejects. */
  get failed(): Promise<NetstewardError> {
    return this.#failed;
  }

  status(): StatusReport {
    const { clock, version, pid, configFile } = this.#options;
    const modules = [...this.#runners.values()].map((runner) => runner.status());
    const warnings = [...this.#board.list(), ...modules.flatMap((module) => module.health?.warnings ?? [])];
    return {
      version,
      pid,
      config: configFile,
      state: this.#state,
      ready: modules.every((module) => module.state === 'running'),
      startedAt: this.#startedAt,
      now: clock.now(),
      modules,
      warnings,
      lastReload: this.#lastReload,
    };
  }

  /** The same, after each module was asked how it is. One that does not answer within seconds is shown as it last was. */
  async freshStatus(): Promise<StatusReport> {
    await Promise.all([...this.#runners.values()].map((runner) => runner.refresh()));
    return this.status();
  }

  /** As ModuleRunner.command(). Rejects with NetstewardError `module-off` too. */
  async command(module: string, name: string, argument: string): Promise<string> {
    const [, runner] = [...this.#runners].find(([each]) => each === module) ?? [];
    if (runner !== undefined) return runner.command(name, argument);
    throw new NetstewardError('module-off', `${module} is not on`, { remedy: `Add the table [${module}].` });
  }

  /** Verifies everything, then applies it. Where there is any problem nothing changes and the record names them all. Never rejects. */
  reload(): Promise<ReloadRecord> {
    const done = this.#queue.then(() => this.#reload());
    this.#queue = done;
    return done;
  }

  /** Stops the modules, last started first, each within a time limit. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #runner(configured: ConfiguredModule): ModuleRunner {
    const { clock, log } = this.#options;
    return new ModuleRunner(configured, { clock, log, board: this.#board, onChange: () => this.#changed() });
  }

  #changed(): void {
    if (this.#state === 'starting' && this.#allTried()) {
      this.#state = 'running';
      this.#options.notifier.notify({ READY: '1', STATUS: this.#statusLine() });
    } else {
      this.#tellStatus();
    }
    if (this.#toldReady || this.#state !== 'running' || !this.status().ready) return;
    this.#toldReady = true;
    this.#options.log.info('ready', { modules: [...this.#runners.keys()] });
  }

  /**
   * Whether each module has applied its first reconcile, or has failed to: the service manager ends what is not ready in time,
   * so that a module which waits for its next start would take the others with it.
   */
  #allTried(): boolean {
    for (const runner of this.#runners.values()) {
      const { name, state, lastError } = runner.status();
      if (state === 'running' || state === 'waiting') this.#tried.add(name);
      if (state === 'waiting' && this.#configuration.supervisor.must_start.includes(name)) {
        this.#fail(new NetstewardError('must-start-failed', `${name} cannot start: ${lastError ?? 'no reason'}`));
        return false;
      }
    }
    return [...this.#runners.keys()].every((name) => this.#tried.has(name));
  }

  #statusLine(): string {
    const { modules, warnings } = this.status();
    this.#lastStatus = summarize(modules, warnings.length);
    return this.#lastStatus;
  }

  #tellStatus(): void {
    const before = this.#lastStatus;
    if (this.#statusLine() !== before) this.#options.notifier.notify({ STATUS: this.#lastStatus });
  }

  #every(ms: number, action: () => void): void {
    const index = this.#timers.length;
    const arm = (): void => {
      this.#timers[index] = this.#options.clock.after(ms, () => {
        arm();
        action();
      });
    };
    arm();
  }

  async #reload(): Promise<ReloadRecord> {
    const { clock, log, notifier } = this.#options;
    const before = this.#state;
    if (before === 'stopping' || before === 'stopped') {
      return { at: clock.now(), ok: false, problems: ['netsteward is stopping'] };
    }
    if (before === 'running') {
      this.#state = 'reloading';
      notifier.notify({ RELOADING: '1' });
    }
    const began = clock.monotonic();
    const problems = await this.#verifyAndApply();
    const took = clock.monotonic() - began;
    this.#lastReload = { at: clock.now(), ok: problems.length === 0, problems, took };
    if (problems.length > 0) {
      log.error('reload-rejected', { problems });
      this.#board.raise('reload-rejected', '', { reason: problems.join('; ') });
    } else {
      log.info('reloaded', { modules: [...this.#runners.keys()] });
      this.#board.clear('reload-rejected', '');
    }
    if (this.#state === 'reloading') {
      this.#state = before;
      notifier.notify({ READY: '1', STATUS: this.#statusLine() });
    }
    this.#changed();
    return this.#lastReload;
  }

  async #verifyAndApply(): Promise<readonly string[]> {
    try {
      const next = await this.#options.load();
      if (next.control.socket !== this.#configuration.control.socket) {
        return ['control.socket cannot change while netsteward runs: restart it'];
      }
      this.#runners = await applyReload(this.#runners, next, (configured) => this.#addedRunner(configured));
      this.#configuration = next;
      this.#options.applyGeneral(next);
      return [];
    } catch (error) {
      if (error instanceof DiagnosticError) return error.diagnostics.map(formatDiagnostic);
      return [describeError(error)];
    } finally {
      this.#adding.clear();
    }
  }

  #addedRunner(configured: ConfiguredModule): ModuleRunner {
    if (this.#stopping !== undefined) throw new NetstewardError('stopping', 'netsteward is stopping');
    const runner = this.#runner(configured);
    this.#adding.add(runner);
    return runner;
  }

  async #stop(): Promise<void> {
    const { log, notifier } = this.#options;
    this.#state = 'stopping';
    notifier.notify({ STOPPING: '1' });
    log.info('stopping');
    for (const timer of this.#timers) timer.cancel();
    const runners = new Set([...this.#runners.values(), ...this.#adding]);
    for (const runner of [...runners].reverse()) await runner.stop('shutdown');
    this.#state = 'stopped';
    log.info('stopped');
  }
}
