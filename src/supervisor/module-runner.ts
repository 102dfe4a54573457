/** One module's life: started, restarted with backoff when it crashes, reloaded, stopped within a time limit. */
import { type Backoff, backoffDelay } from '../core/backoff.ts';
import { type Clock, sleep } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ModuleHealth, ModuleName, RunningModule, StopReason } from '../core/module.ts';
import type { WarningBoard } from '../core/warnings.ts';
import type { ToldStuck } from './bound-module.ts';
import { commandUnknown } from './command-unknown.ts';
import type { ConfiguredModule } from './config.ts';
import { within } from './time-limit.ts';

export interface RunnerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly board: WarningBoard;
  /** Called after each change of state. */
  readonly onChange: () => void;
}

export type RunnerState = 'starting' | 'running' | 'waiting' | 'stopping' | 'stopped';

/** What `netsteward status` shows of a module. Times are wall clock, milliseconds since the epoch. */
export interface ModuleStatus {
  readonly name: ModuleName;
  readonly state: RunnerState;
  /** When this state began. */
  readonly since: number;
  /** How often it was started again after a crash. */
  readonly restarts: number;
  readonly lastError: string | undefined;
  /** Of a running module. */
  readonly health: ModuleHealth | undefined;
}

/** Delays before a crashed module starts again. */
export const restartBackoff: Backoff = { first: 1000, most: 60_000 };
/** A module that ran this long (ms) starts again after the first delay, whatever was before. */
export const stableAfter = 60_000;
/** How long (ms) a module may take to stop before the supervisor goes on without it. */
export const stopLimit = 10_000;
/** How long (ms) a command may take until it is under way. */
export const commandLimit = 10_000;

export class ModuleRunner {
  readonly #options: RunnerOptions;
  readonly #name: ModuleName;
  readonly #abort = new AbortController();
  #configured: ConfiguredModule;
  #running: RunningModule<unknown> | undefined;
  #state: RunnerState = 'stopped';
  #since: number;
  #restarts = 0;
  #lastError: string | undefined;
  /** The reason that was told since it last ran: the same one again and again is told once. */
  #told: string | undefined;
  /** Since when (monotonic) it runs, or ran last: undefined where its last start has not come to that. */
  #ranFrom: number | undefined;
  /** Of starts whose threads or processes cannot be ended. */
  readonly #stuck = new Set<ToldStuck>();
  #loop: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** Aborted to end a backoff delay early. */
  #wake = new AbortController();
  /** The start that is under way. */
  #attempt: AbortController | undefined;
  /** A reload aborted the start that is under way: its failure is no failure of the module. */
  #superseded = false;

  constructor(configured: ConfiguredModule, options: RunnerOptions) {
    this.#configured = configured;
    this.#options = options;
    this.#name = configured.module.name;
    this.#since = options.clock.now();
  }

  get configured(): ConfiguredModule {
    return this.#configured;
  }

  /** Starts the module and goes on starting it again whenever it ends. */
  run(): void {
    this.#loop ??= this.#keepRunning();
  }

  /**
   * Starts the module once; rejects when that fails, and then nothing of it is left. Afterwards as run().
   * For a module that a reload adds: its failure must reject the reload.
   */
  async runOrReject(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      this.#enter('stopped');
      throw error;
    }
    this.#loop = this.#keepRunning();
  }

  /** All or nothing. A module that starts, or waits for its next start, is started with the new configuration at once. */
  async reload(next: ConfiguredModule): Promise<void> {
    if (this.#running !== undefined) await this.#running.reload(next.config);
    this.#configured = next;
    this.#superseded = this.#attempt !== undefined;
    this.#attempt?.abort(new NetstewardError('superseded', 'a newer configuration came'));
    this.#wake.abort();
  }

  /** Idempotent. Resolves when the module has stopped, or after `stopLimit`. */
  stop(reason: StopReason): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  /**
   * False when the module cannot even say how it is, or when it cannot be ended, be it in its start: then the watchdog must not
   * be fed. True while a module that hangs is being ended and started again.
   */
  answers(): boolean {
    if (this.#stuck.size > 0) return false;
    try {
      this.#running?.health();
      return true;
    } catch {
      return false;
    }
  }

  /** Makes status() one of now. Resolves in any case, within seconds. */
  async refresh(): Promise<void> {
    await this.#running?.refresh?.();
  }

  /** As RunningModule.command(). Rejects with NetstewardError `module-not-running` and `command-timeout` too. */
  async command(name: string, argument: string): Promise<string> {
    const running = this.#running;
    if (running === undefined) {
      const remedy = 'See `netsteward status`.';
      throw new NetstewardError('module-not-running', `${this.#name} does not run just now`, { remedy });
    }
    if (running.command === undefined) throw commandUnknown(this.#name, name);
    const outcome = running.command(name, argument).then((answer) => ({ answer }));
    const result = await within(this.#options.clock, commandLimit, outcome);
    if (result !== 'timeout') return result.answer;
    const limit = formatDuration(commandLimit);
    throw new NetstewardError('command-timeout', `${this.#name} has not answered within ${limit}`);
  }

  status(): ModuleStatus {
    return {
      name: this.#name,
      state: this.#state,
      since: this.#since,
      restarts: this.#restarts,
      lastError: this.#lastError,
      health: this.answers() ? this.#running?.health() : undefined,
    };
  }

  async #keepRunning(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      this.#ranFrom = undefined;
      try {
        await this.#startAndFollow();
      } catch (error) {
        if (signal.aborted) break;
        if (this.#superseded) continue;
        // A start may take minutes until it is known to hang: that is no time in which it was well.
        const ran = this.#ranFrom === undefined ? 0 : clock.monotonic() - this.#ranFrom;
        failures = ran >= stableAfter ? 1 : failures + 1;
        await this.#waitAfter(error, backoffDelay(failures, restartBackoff));
      }
    }
  }

  async #start(): Promise<RunningModule<unknown>> {
    this.#enter('starting');
    this.#superseded = false;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const signal = AbortSignal.any([this.#abort.signal, attempt.signal]);
    try {
      const running = await this.#configured.module.start(this.#configured.config, signal, this.#stuckness());
      // Whoever follows it comes later, or never where it has to be stopped at once.
      running.done.catch(() => undefined);
      if (signal.aborted) {
        await this.#clean(running);
        throw signal.reason;
      }
      this.#running = running;
      return running;
    } finally {
      this.#attempt = undefined;
    }
  }

  /** For one start. */
  #stuckness(): ToldStuck {
    const { board, onChange } = this.#options;
    const told: ToldStuck = (reason) => {
      if (reason === undefined) this.#stuck.delete(told);
      else this.#stuck.add(told);
      if (this.#stuck.size === 0) board.clear('module-not-ended', this.#name);
      else if (reason !== undefined) board.raise('module-not-ended', this.#name, { module: this.#name, reason });
      onChange();
    };
    return told;
  }

  /** A crash may leave timers, sockets or children behind; stop() is what takes them away. */
  async #clean(running: RunningModule<unknown>): Promise<void> {
    await within(this.#options.clock, stopLimit, running.stop('restart')).catch(() => 'unclean');
  }

  /** Rejects when the module cannot start, crashes, or ends without having been asked to. */
  async #startAndFollow(): Promise<void> {
    const { clock, log, board } = this.#options;
    const running = this.#running ?? (await this.#start());
    board.clear('module-restarting', this.#name);
    this.#told = undefined;
    this.#ranFrom = clock.monotonic();
    this.#enter('running');
    log.info('module-running', { module: this.#name });
    try {
      await running.done;
      if (!this.#abort.signal.aborted) throw new NetstewardError('module-ended', 'it ended by itself');
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.#running = undefined;
        this.#clearWarnings(running);
        await this.#clean(running);
      }
      throw error;
    }
  }

  /** It can say no more that these are over: they went with it, and what still holds it will raise again. */
  #clearWarnings(running: RunningModule<unknown>): void {
    const log = this.#options.log.child({ module: this.#name });
    try {
      for (const { code, subject, text, remedy } of running.health().warnings) {
        log.info('warning-cleared', { code, subject, text, remedy });
      }
    } catch {
      // A module that crashed need not be able to say how it is.
    }
  }

  async #waitAfter(error: unknown, delay: number): Promise<void> {
    const { clock, board } = this.#options;
    const reason = describeError(error);
    this.#lastError = reason;
    this.#enter('waiting');
    this.#tell(error, reason, delay);
    // Not the delay of this very time: the text would change with each try, and be told anew.
    const longest = `at most ${formatDuration(restartBackoff.most)}`;
    board.raise('module-restarting', this.#name, { module: this.#name, reason, delay: longest });
    this.#wake = new AbortController();
    const either = AbortSignal.any([this.#abort.signal, this.#wake.signal]);
    await sleep(clock, delay, either).catch(() => undefined);
    this.#restarts += 1;
  }

  /** The warning says what is wrong, so that a line of its own is for debugging; but where nobody foresaw it, for its stack. */
  #tell(error: unknown, reason: string, delay: number): void {
    const { log } = this.#options;
    const unforeseen = !(error instanceof NetstewardError);
    const level = unforeseen && reason !== this.#told ? 'error' : 'debug';
    this.#told = reason;
    log[level]('module-ended', { module: this.#name, reason, restart_in: formatDuration(delay), error });
  }

  async #stop(reason: StopReason): Promise<void> {
    const { clock, log, board } = this.#options;
    this.#enter('stopping');
    this.#abort.abort(new NetstewardError('stopped', `${this.#name} was asked to stop`));
    const all = Promise.all([this.#running?.stop(reason), this.#loop]);
    try {
      const outcome = await within(clock, stopLimit, all);
      if (outcome === 'timeout')
        log.error('module-stop-timeout', { module: this.#name, after: formatDuration(stopLimit) });
    } catch (error) {
      log.error('module-stop-failed', { module: this.#name, reason: describeError(error), error });
    }
    this.#running = undefined;
    // At the very end it would read as if all were well again.
    if (reason !== 'shutdown') board.clear('module-restarting', this.#name);
    this.#enter('stopped');
  }

  #enter(state: RunnerState): void {
    // What is stopping ends in stopped, whatever its loop still does.
    if (this.#stopping !== undefined && state !== 'stopped') return;
    if (this.#state === state) return;
    this.#state = state;
    this.#since = this.#options.clock.now();
    this.#options.onChange();
  }
}
