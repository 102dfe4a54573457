/** nbrpc while it runs: passes on the clock, contents to the sets, reload, health, stop. */
import { formatDuration } from '../core/duration.ts';
import { NetstewardError } from '../core/errors.ts';
import type { ModuleHealth, RunningModule, StopReason } from '../core/module.ts';
import { Reconciler } from '../core/reconciler.ts';
import { WarningBoard } from '../core/warnings.ts';
import type { AddressSetsStatus } from '../system/ports.ts';
import { ProbeSource } from './checker.ts';
import { type NbrpcConfig, sinkOf, timersOf } from './config.ts';
import { CountedTime } from './counted-time.ts';
import { closePorts, type LivePorts, openPorts } from './live-ports.ts';
import { OwnSideGates } from './own-side.ts';
import { type PassSettings, runPass } from './pass.ts';
import type { NbrpcHost } from './ports.ts';
import { wantedSets } from './sets.ts';
import { HeldSets, sameTable, setNames } from './sink.ts';
import { StateLog } from './state-log.ts';
import { type HostStatus, hostStatuses, type NbrpcDetail } from './status.ts';
import { StateStore } from './store.ts';
import { PassTelling } from './telling.ts';
import { ZoneKeeper } from './zone-keeper.ts';

/** Of the pass interval: the most that counts as grace between two passes. */
const mostIntervals = 3;

/** Codes of errors after which the last good state goes on, and the pass is tried again. */
const passing = new Set(['state-not-saved', 'state-file-damaged']);

export interface RunningDetail extends NbrpcDetail {
  readonly sets: AddressSetsStatus;
}

export class RunningNbrpc implements RunningModule<NbrpcConfig> {
  readonly done: Promise<void>;
  readonly #host: NbrpcHost;
  readonly #board: WarningBoard;
  readonly #telling: PassTelling;
  #config: NbrpcConfig;
  #store: StateStore;
  #ports: LivePorts;
  #sets: HeldSets;
  #passes: Reconciler;
  #hosts: readonly HostStatus[] | undefined;
  #blocked = 0;
  #gates: OwnSideGates;
  #log: StateLog | undefined;
  #zones: readonly ZoneKeeper[] = [];
  #counted = new CountedTime();
  #lastPass: number | undefined;
  #nextPass: number | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } = { resolve: () => {}, reject: () => {} };

  private constructor(host: NbrpcHost, config: NbrpcConfig, store: StateStore, ports: LivePorts, board: WarningBoard) {
    this.#host = host;
    this.#config = config;
    this.#store = store;
    this.#ports = ports;
    this.#board = board;
    this.#telling = new PassTelling(host.log, board);
    this.#sets = new HeldSets(sinkOf(config), ports.sets, board, host.log);
    this.#gates = gatesOf(host, config, ports);
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // The supervisor looks at it; without it a crash must not end the process before stop() has cleaned up.
    this.done.catch(() => {});
    this.#passes = this.#reconciler();
  }

  /** Applies the saved state at once, so that the kernel is right again before the first check ends. */
  static async start(config: NbrpcConfig, host: NbrpcHost, signal: AbortSignal): Promise<RunningNbrpc> {
    const store = StateStore.open({ store: host.store, path: config.state, clock: host.clock });
    let ports: LivePorts | undefined;
    try {
      signal.throwIfAborted();
      ports = await openPorts(host, config);
      const board = new WarningBoard(
        () => host.clock.now(),
        (change, { code, subject, severity, text, remedy }) => {
          const level = change === 'cleared' ? 'info' : severity === 'error' ? 'error' : 'warn';
          host.log[level](`warning-${change}`, { code, subject, text, remedy });
        },
      );
      const running = new RunningNbrpc(host, config, store, ports, board);
      await withSignal(running.#sets.first(running.#contents()), signal);
      running.#beginLog();
      running.#openZones();
      // Names are right again before the first pass, but a state that knows nothing yet must not empty them.
      if (store.state.size > 0) running.#holdZones();
      running.#passes.request();
      return running;
    } catch (error) {
      if (ports !== undefined) await closePorts(ports, 'keep');
      store.close();
      throw error;
    }
  }

  health(): ModuleHealth {
    const sets = this.#sets.status();
    this.#hosts ??= hostStatuses(this.#store.state, this.#config.default_policy);
    const rerouted = this.#hosts.filter((host) => host.rerouted).length;
    const detail: RunningDetail = {
      hosts: this.#hosts,
      rerouted,
      blocked: this.#blocked,
      lastPass: this.#lastPass ?? null,
      nextPass: this.#nextPass ?? null,
      sets,
    };
    const total = this.#hosts.length;
    const summary = `${rerouted} of ${total} service${total === 1 ? '' : 's'} rerouted`;
    return { ready: true, summary, warnings: this.#board.list(), detail };
  }

  reload(next: NbrpcConfig): Promise<void> {
    const turn = this.#queue.then(() => this.#reload(next));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  stop(reason: StopReason): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: StopReason): Promise<void> {
    const passes = this.#passes.stop();
    await this.#queue;
    await passes;
    // A reload that was under way has left new ones.
    await this.#passes.stop();
    try {
      await this.#sets.close(reason === 'shutdown' ? this.#config.on_stop : 'keep');
      await closePorts(this.#ports, 'none');
    } finally {
      this.#store.close();
      await this.#closeOutputs();
      this.#settle.resolve();
    }
  }

  async #reload(next: NbrpcConfig): Promise<void> {
    if (this.#stopping !== undefined) throw new NetstewardError('stopping', 'nbrpc is stopping');
    const { clock } = this.#host;
    const before = { config: this.#config, store: this.#store, ports: this.#ports, sets: this.#sets };
    const sink = sinkOf(next);
    const newSink = JSON.stringify(sink) !== JSON.stringify(before.sets.sink);
    const handover = newSink && sameTable(sink, before.sets.sink);
    let ports: LivePorts | undefined;
    let store = before.store;
    await this.#passes.stop();
    try {
      if (next.state !== before.config.state) {
        store = StateStore.open({ store: this.#host.store, path: next.state, clock });
      }
      if (handover) await before.sets.close('keep');
      ports = await openPorts(this.#host, next, newSink ? undefined : before.ports.sets);
      this.#gates = gatesOf(this.#host, next, ports);
      this.#config = next;
      this.#store = store;
      this.#ports = ports;
      if (newSink) {
        this.#sets = new HeldSets(sink, ports.sets, this.#board, this.#host.log);
        await this.#sets.first(this.#contents());
      }
    } catch (error) {
      this.#config = before.config;
      this.#store = before.store;
      this.#ports = before.ports;
      this.#sets = before.sets;
      this.#gates = gatesOf(this.#host, before.config, before.ports);
      if (ports !== undefined) await closePorts(ports, newSink ? (handover ? 'keep' : 'flush') : 'none');
      if (store !== before.store) store.close();
      if (handover) await this.#takeBack();
      this.#restart();
      throw error;
    }
    await closePorts(before.ports, newSink && !handover ? 'flush' : 'none');
    if (store !== before.store) before.store.close();
    await this.#closeOutputs();
    this.#beginLog();
    this.#openZones();
    this.#apply();
    this.#restart();
  }

  async #closeOutputs(): Promise<void> {
    await this.#log?.close();
    await Promise.all(this.#zones.map((zone) => zone.close()));
  }

  #openZones(): void {
    const { output: files, commands, clock } = this.#host;
    this.#board.clearOthers('zone-not-written', new Set());
    this.#board.clearOthers('zone-not-reloaded', new Set());
    const shared = { files, commands, clock, board: this.#board, log: this.#host.log };
    this.#zones = this.#config.zone.map((zone) => new ZoneKeeper(zone, shared));
  }

  #beginLog(): void {
    const { state_log: log } = this.#config;
    this.#log = undefined;
    this.#board.clearOthers('state-log-failing', new Set());
    if (log === undefined) return;
    this.#log = new StateLog({
      files: this.#host.output,
      path: log.file,
      maxSize: log.max_size,
      settings: passSettings(this.#config),
      onState: (reason) => {
        if (reason === undefined) this.#board.clear('state-log-failing', log.file);
        else this.#board.raise('state-log-failing', log.file, { file: log.file, reason });
      },
    });
    this.#log.begin(this.#store.state, this.#now());
  }

  #now(): number {
    return Math.round(this.#host.clock.now()) / 1000;
  }

  /** After a handover of the own table that failed. */
  async #takeBack(): Promise<void> {
    const { sink } = this.#sets;
    const sets = await this.#host.openSets(sink);
    this.#ports = { ...this.#ports, sets };
    this.#sets = new HeldSets(sink, sets, this.#board, this.#host.log);
    this.#apply();
  }

  #restart(): void {
    this.#hosts = undefined;
    this.#passes = this.#reconciler();
    if (this.#stopping === undefined) this.#passes.request();
  }

  #reconciler(): Reconciler {
    const interval = this.#config.timers.pass;
    return new Reconciler({
      clock: this.#host.clock,
      run: (signal) => this.#pass(signal),
      minInterval: 0,
      maxInterval: interval,
      retry: { first: Math.min(interval, 1000), most: Math.min(interval, 60_000) },
      onError: (error, retryIn) => {
        this.#counted.ran(0, false);
        this.#nextPass = this.#host.clock.now() + retryIn;
        if (error instanceof NetstewardError && passing.has(error.code)) {
          const reason = error.cause instanceof Error ? error.cause.message : error.message;
          this.#board.raise('state-not-saved', '', { file: this.#store.path, reason });
          this.#host.log.warn('pass-failed', { reason: error.message, retry_in: formatDuration(retryIn) });
        } else this.#settle.reject(error);
      },
    });
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { clock, files } = this.#host;
    const { probe, resolver } = this.#ports;
    const { check } = this.#config;
    const checks = new ProbeSource(probe, { timeout: check.timeout, bodyLimit: check.body_limit });
    const settings = passSettings(this.#config);
    const started = clock.monotonic();
    const mode = {
      now: this.#now(),
      forced: false,
      rewound: true,
      // A process that was frozen, or a pass that hung, must not make hours of grace pass at once.
      elapsed: this.#counted.since(started, mostIntervals * this.#config.timers.pass),
      ownSide: (stopping: AbortSignal) => this.#gates.look(stopping),
    };
    const report = await runPass({ files, resolver, checks }, this.#store, settings, mode, signal);
    this.#counted.ran(started, report.ownSide.ok);
    this.#board.clear('state-not-saved', '');
    this.#lastPass = clock.now();
    this.#nextPass = this.#lastPass + this.#config.timers.pass;
    this.#hosts = undefined;
    this.#log?.tell(report, this.#store.state);
    this.#telling.tell(report, this.#store.state, this.#config.default_policy);
    this.#apply();
  }

  #apply(): void {
    this.#sets.hold(this.#contents());
    this.#holdZones();
  }

  #holdZones(): void {
    for (const zone of this.#zones) zone.hold(this.#store.state, this.#config.default_policy);
  }

  #contents() {
    const { default_policy: fallback, resolver } = this.#config;
    // Whoever answers our questions must stay reachable the way it is now.
    const never = new Set(resolver.servers?.map((server) => server.address));
    const wanted = wantedSets(this.#store.state, fallback, setNames(this.#sets.sink), never);
    this.#blocked = wanted.blocked.size;
    this.#telling.conflicts(wanted.conflicts);
    return wanted.contents;
  }
}

function gatesOf(host: NbrpcHost, { check, control, resolver }: NbrpcConfig, ports: LivePorts): OwnSideGates {
  const checks = new ProbeSource(ports.probe, { timeout: check.timeout, bodyLimit: check.body_limit });
  return new OwnSideGates(
    { uplink: host.uplink, resolver: ports.resolver, checks },
    { services: control.services, resolveTimeout: resolver.timeout },
  );
}

export function passSettings(config: NbrpcConfig): PassSettings {
  const { iter_hosts: iterHosts, iter_addrs: iterAddrs, addrs_per_host: addrsPerHost } = config.limits;
  return {
    lists: config.check_lists,
    timers: timersOf(config),
    limits: { iterHosts, iterAddrs, addrsPerHost },
    defaultPolicy: config.default_policy,
    resolveTimeout: config.resolver.timeout,
    filterAddresses: true,
  };
}

/** Rejects as soon as the signal aborts; what comes of the promise later is of no interest then. */
function withSignal<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
