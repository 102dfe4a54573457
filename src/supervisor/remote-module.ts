/** The supervisor's side of a module that runs elsewhere: a RunningModule over a carrier, and an eye on whether it still answers. */
import type { Clock, Timer } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ModuleHealth, ModuleName, RunningModule, StopReason } from '../core/module.ts';
import type { Carrier, OpenCarrier } from '../system/carrier.ts';
import type { ToldStuck } from './bound-module.ts';
import { answerLimit, Heartbeat } from './heartbeat.ts';
import { remoteStopLimit } from './module-server.ts';
import {
  errorFrom,
  type HealthData,
  healthOf,
  type ModuleMessage,
  parseModuleMessage,
  type SupervisorMessage,
} from './remote-protocol.ts';

export interface RemoteOptions {
  readonly name: ModuleName;
  readonly open: OpenCarrier;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of this program: the module's side must be of the same. */
  readonly version: string;
  /** Milliseconds between two questions whether the module still answers: each wakes both sides. */
  readonly pingInterval: number;
  /** Milliseconds without an answer after which the module is ended; more than the longest that it may work without a pause. */
  readonly hangLimit: number;
}

/** Milliseconds after which a module that was asked to stop is ended: the module's side gives up before, and the runner after. */
const killAfter = remoteStopLimit + 1000;

/** Milliseconds after which what was killed and is still there will not go: a thread or process that the kernel does not let go. */
const endAfter = 10_000;

/** As BoundModule.start: resolves once the module runs; rejects, with nothing of it left, when it does not come to that. */
export async function startRemote(
  options: RemoteOptions,
  config: unknown,
  signal: AbortSignal,
  toldStuck: ToldStuck = () => undefined,
): Promise<RunningModule<unknown>> {
  signal.throwIfAborted();
  const run = new RemoteRun(options, config, toldStuck);
  // What could not be stopped in time is told by the log; the caller hears why the start was given up.
  const onAbort = (): void => void run.stop('restart').catch(() => undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await run.ready;
    return run;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

interface Settle<Value = void> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

class RemoteRun implements RunningModule<unknown> {
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
  readonly #options: RemoteOptions;
  readonly #config: unknown;
  readonly #toldStuck: ToldStuck;
  readonly #carrier: Carrier;
  readonly #gone: Promise<void>;
  readonly #ready: Settle;
  readonly #done: Settle;
  readonly #left: Settle;
  readonly #reloads = new Map<number, Settle>();
  readonly #commands = new Map<number, Settle<string>>();
  readonly #heartbeat: Heartbeat;
  #lastReload = 0;
  #lastCommand = 0;
  #health: ModuleHealth = { ready: false, summary: 'starting', warnings: [], detail: undefined };
  #endLimit: Timer | undefined;
  #killLimit: Timer | undefined;
  #stuck = false;
  /** It has said that it runs. */
  #started = false;
  #closed = false;
  /** Why it ended, or has to end: the first reason is the one that counts. */
  #failure: Error | undefined;
  #stopFailure: Error | undefined;
  #stopping: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: RemoteOptions, config: unknown, toldStuck: ToldStuck) {
    this.#options = options;
    this.#config = config;
    this.#toldStuck = toldStuck;
    [this.ready, this.#ready] = open();
    [this.done, this.#done] = open();
    [this.#gone, this.#left] = open();
    this.#carrier = options.open({
      message: (message) => this.#receive(message),
      complaint: (text) => options.log.warn('module-stderr', { module: options.name, text }),
      closed: (reason) => this.#close(reason),
    });
    this.#heartbeat = new Heartbeat({
      clock: options.clock,
      interval: options.pingInterval,
      hangLimit: options.hangLimit,
      send: (id, detail) => this.#send({ type: 'ping', id, detail }),
      onHang: () => this.#hangs(),
    });
  }

  async reload(config: unknown): Promise<void> {
    if (this.#closed) throw this.#reason();
    const id = ++this.#lastReload;
    const [outcome, settle] = open();
    this.#send({ type: 'reload', id, config });
    this.#reloads.set(id, settle);
    await outcome;
  }

  async command(name: string, argument: string): Promise<string> {
    if (this.#closed || this.#stopping !== undefined) throw this.#reason();
    const id = ++this.#lastCommand;
    const [outcome, settle] = open<string>();
    this.#send({ type: 'command', id, name, argument });
    this.#commands.set(id, settle);
    return outcome;
  }

  /** What the module last said of itself. */
  health(): ModuleHealth {
    const { silence } = this.#heartbeat;
    if (silence < answerLimit) return this.#health;
    return { ...this.#health, summary: `${this.#health.summary}; no answer for ${formatDuration(silence)}` };
  }

  /** Those who ask at the same time get the same answer. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  stop(reason: StopReason): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #refresh(): Promise<void> {
    if (this.#closed || this.#stopping !== undefined) return;
    await this.#heartbeat.ask();
  }

  async #stop(reason: StopReason): Promise<void> {
    if (this.#closed) return;
    this.#send({ type: 'stop', reason });
    this.#endLimit?.cancel();
    this.#endLimit = this.#options.clock.after(killAfter, () => {
      this.#stopFailure ??= new NetstewardError('module-killed', `it did not stop within ${formatDuration(killAfter)}`);
      this.#kill(this.#stopFailure);
    });
    await this.#gone;
    if (this.#stopFailure !== undefined) throw this.#stopFailure;
  }

  #receive(data: unknown): void {
    try {
      this.#take(parseModuleMessage(data));
    } catch (error) {
      this.#condemn(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #take(message: ModuleMessage): void {
    switch (message.type) {
      case 'hello':
        this.#greeted(message.version);
        break;
      case 'log':
        for (const { level, event, fields } of message.lines) {
          this.#options.log[level](event, fields);
          if (level !== 'debug') this.#heartbeat.soon();
        }
        break;
      case 'ready':
        this.#learn(message.health);
        this.#started = true;
        this.#ready.resolve();
        break;
      case 'refused':
        this.#failure ??= errorFrom(message.error);
        // It ends by itself, within the time that a stop may take.
        this.#endLimit = this.#options.clock.after(killAfter, () => this.#kill(this.#reason()));
        break;
      case 'pong':
        this.#learn(message.health);
        this.#heartbeat.answered(message.id);
        break;
      case 'reloaded':
        this.#reloaded(message);
        break;
      case 'commanded':
        this.#commanded(message);
        break;
      case 'crashed':
        this.#failure ??= errorFrom(message.error);
        // stop() then takes away what is left of it.
        this.#done.reject(this.#failure);
        this.#heartbeat.giveUp();
        break;
      case 'stopped':
        if (message.error !== undefined) this.#stopFailure ??= errorFrom(message.error);
    }
  }

  #greeted(version: string): void {
    if (version !== this.#options.version) {
      const text = `the program was replaced by version ${version} while version ${this.#options.version} runs`;
      this.#condemn(new NetstewardError('module-other-version', text, { remedy: 'Restart netsteward.' }));
    } else if (this.#stopping === undefined) this.#send({ type: 'start', config: this.#config });
  }

  #reloaded({ id, error, health }: Extract<ModuleMessage, { readonly type: 'reloaded' }>): void {
    this.#learn(health);
    const settle = this.#reloads.get(id);
    this.#reloads.delete(id);
    if (error === undefined) settle?.resolve();
    else settle?.reject(errorFrom(error));
  }

  #commanded({ id, answer, error }: Extract<ModuleMessage, { readonly type: 'commanded' }>): void {
    const settle = this.#commands.get(id);
    this.#commands.delete(id);
    if (error === undefined) settle?.resolve(answer ?? '');
    else settle?.reject(errorFrom(error));
  }

  /** A short answer leaves the whole picture as it was. */
  #learn(health: HealthData | undefined): void {
    if (health !== undefined) this.#health = { ...healthOf(health), detail: health.detail ?? this.#health.detail };
  }

  #hangs(): void {
    const limit = formatDuration(this.#options.hangLimit);
    const where = this.#started ? '' : ' in its start';
    const remedy = 'Look what holds it: an overloaded machine, a disk that does not answer (`dmesg`); else report it.';
    this.#condemn(new NetstewardError('module-hangs', `it hangs${where}: no answer for ${limit}`, { remedy }));
  }

  /** Ends it at once, for this reason. */
  #condemn(error: Error): void {
    this.#failure ??= error;
    this.#kill(error);
  }

  #kill(reason: Error): void {
    this.#carrier.kill();
    this.#killLimit ??= this.#options.clock.after(endAfter, () => {
      this.#stuck = true;
      this.#toldStuck(reason.message);
    });
  }

  #close(reason: Error): void {
    this.#closed = true;
    this.#heartbeat.end();
    this.#endLimit?.cancel();
    this.#killLimit?.cancel();
    if (this.#stuck) this.#toldStuck(undefined);
    const asked = this.#stopping !== undefined;
    if (this.#failure === undefined && !asked) this.#failure = reason;
    const error = this.#reason();
    // Whichever of these has been settled before stays as it is.
    this.#ready.reject(error);
    if (this.#failure === undefined) this.#done.resolve();
    else this.#done.reject(error);
    for (const settle of [...this.#reloads.values(), ...this.#commands.values()]) settle.reject(error);
    this.#reloads.clear();
    this.#commands.clear();
    this.#left.resolve();
  }

  #reason(): Error {
    return this.#failure ?? new NetstewardError('module-stopped', `${this.#options.name} has stopped`);
  }

  /** Throws where `message` cannot cross. */
  #send(message: SupervisorMessage): void {
    try {
      this.#carrier.send(message);
    } catch (error) {
      throw new NetstewardError(
        'config-not-plain',
        `its configuration cannot leave this thread: ${describeError(error)}`,
        {
          cause: error,
        },
      );
    }
  }
}

/** A promise and its ends. Nobody need follow it. */
function open<Value = void>(): [Promise<Value>, Settle<Value>] {
  let settle: Settle<Value> = { resolve: () => {}, reject: () => {} };
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject };
  });
  promise.catch(() => undefined);
  return [promise, settle];
}
