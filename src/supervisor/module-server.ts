/** The module's side of a module that runs elsewhere: drives it as the supervisor says, and tells what becomes of it. */
import type { Clock } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import { exitCodes } from '../core/exit-codes.ts';
import type { Logger } from '../core/log.ts';
import type { ModuleHealth, RunningModule, StopReason } from '../core/module.ts';
import type { ModuleLink } from '../system/carrier.ts';
import type { BoundModule } from './bound-module.ts';
import { commandUnknown } from './command-unknown.ts';
import { LogBatch } from './log-batch.ts';
import { plainErrorOf, remoteLog } from './remote-log.ts';
import type { HealthData, ModuleMessage, SupervisorMessage } from './remote-protocol.ts';
import { within } from './time-limit.ts';

export interface ServerOptions {
  readonly link: ModuleLink;
  /** Makes the module; `log` is what it and its ports write to. */
  readonly bind: (log: Logger) => Promise<BoundModule>;
  readonly clock: Clock;
  /** Of this program. */
  readonly version: string;
}

/** How long (ms) a module may take to stop; the supervisor waits a second longer. */
export const remoteStopLimit = 8000;

/** Serves until the module is stopped or the supervisor is gone, and then closes the link. */
export function serveModule(options: ServerOptions): void {
  new ModuleServer(options).begin();
}

class ModuleServer {
  readonly #options: ServerOptions;
  readonly #lines: LogBatch;
  readonly #log: Logger;
  readonly #abort = new AbortController();
  #starting: Promise<void> | undefined;
  #running: RunningModule<unknown> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#lines = new LogBatch(options.clock, (message) => options.link.send(message));
    this.#log = remoteLog((line) => this.#lines.add(line));
  }

  begin(): void {
    const { link, version } = this.#options;
    link.receive({
      // Not checked: it comes from the process that this one is a part of.
      message: (message) => this.#receive(message as SupervisorMessage),
      // Nobody else will say it any more: as `stop`, with what `on_stop` says.
      gone: () => this.#stop('shutdown'),
      failing: (error) => this.#crashed(error),
      uncaught: (error) => {
        this.#crashed(error);
        link.close(exitCodes.failure);
      },
    });
    this.#send({ type: 'hello', version });
  }

  #receive(message: SupervisorMessage): void {
    switch (message.type) {
      case 'start':
        this.#starting ??= this.#start(message.config);
        break;
      case 'reload':
        this.#reload(message.id, message.config).catch((error: unknown) => this.#crashed(error));
        break;
      case 'ping':
        this.#answer(message.id, message.detail);
        break;
      case 'command':
        void this.#command(message);
        break;
      case 'stop':
        this.#stop(message.reason);
    }
  }

  /** Never rejects. */
  async #start(config: unknown): Promise<void> {
    const { signal } = this.#abort;
    try {
      signal.throwIfAborted();
      const module = await this.#options.bind(this.#log);
      this.#running = await module.start(config, signal);
      this.#send({ type: 'ready', health: brief(this.#running.health()) });
      this.#follow(this.#running.done);
    } catch (error) {
      // A start that was given up ends with `stopped`.
      if (signal.aborted) return;
      await this.#running?.stop('restart').catch(() => undefined);
      this.#send({ type: 'refused', error: plainErrorOf(error) });
      this.#options.link.close(exitCodes.failure);
    }
  }

  #follow(done: Promise<void>): void {
    done.then(
      () => {
        if (this.#stopping === undefined) this.#crashed(new NetstewardError('module-ended', 'it ended by itself'));
      },
      (error: unknown) => this.#crashed(error),
    );
  }

  async #reload(id: number, config: unknown): Promise<void> {
    try {
      if (this.#running === undefined) throw new NetstewardError('not-running', 'the module does not run');
      await this.#running.reload(config);
      const health = this.#health(false);
      this.#send({ type: 'reloaded', id, ...(health === undefined ? {} : { health }) });
    } catch (error) {
      this.#send({ type: 'reloaded', id, error: plainErrorOf(error) });
    }
  }

  /** Never rejects: what a person asked for in vain is no failure of the module. */
  async #command({ id, name, argument }: Extract<SupervisorMessage, { readonly type: 'command' }>): Promise<void> {
    try {
      const running = this.#running;
      if (running === undefined) throw new NetstewardError('not-running', 'the module does not run');
      if (running.command === undefined) throw commandUnknown('the module', name);
      this.#send({ type: 'commanded', id, answer: await running.command(name, argument) });
    } catch (error) {
      this.#send({ type: 'commanded', id, error: plainErrorOf(error) });
    }
  }

  #answer(id: number, detail: boolean): void {
    const health = this.#health(detail);
    this.#send({ type: 'pong', id, ...(health === undefined ? {} : { health }) });
  }

  /** Undefined while it does not run. A module that cannot say how it is has crashed. */
  #health(detail: boolean): HealthData | undefined {
    try {
      const health = this.#running?.health();
      return health === undefined ? undefined : detail ? complete(health) : brief(health);
    } catch (error) {
      this.#crashed(error);
      return undefined;
    }
  }

  #crashed(error: unknown): void {
    this.#send({ type: 'crashed', error: plainErrorOf(error) });
  }

  #stop(reason: StopReason): void {
    this.#stopping ??= this.#end(reason);
  }

  /** Never rejects. */
  async #end(reason: StopReason): Promise<void> {
    this.#abort.abort(new NetstewardError('stopped', 'the module was asked to stop'));
    let error: unknown;
    try {
      const outcome = await within(this.#options.clock, remoteStopLimit, this.#stopModule(reason));
      if (outcome === 'timeout') {
        error = new NetstewardError('module-stop-timeout', `it did not stop within ${remoteStopLimit} ms`);
      }
    } catch (failure) {
      error = failure;
    }
    this.#send({ type: 'stopped', ...(error === undefined ? {} : { error: plainErrorOf(error) }) });
    this.#options.link.close(error === undefined ? exitCodes.ok : exitCodes.failure);
  }

  async #stopModule(reason: StopReason): Promise<void> {
    await this.#starting;
    await this.#running?.stop(reason);
  }

  #send(message: ModuleMessage): void {
    this.#lines.flush();
    this.#options.link.send(message);
  }
}

const brief = ({ ready, summary, warnings }: ModuleHealth): HealthData => ({ ready, summary, warnings: [...warnings] });
const complete = (health: ModuleHealth): HealthData => ({ ...brief(health), detail: health.detail });
