/** nbrpc while it runs: passes on the clock, contents to the sets, reload, health, stop. */
import { NetstewardError } from '../core/errors.ts';
import type { ModuleHealth, RunningModule, StopReason } from '../core/module.ts';
import type { WarningBoard } from '../core/warnings.ts';
import { answerTo } from './answers.ts';
import type { NbrpcConfig } from './config.ts';
import { CountedTime } from './counted-time.ts';
import { whenNoExitOf } from './exits.ts';
import { FlipLog } from './flip-log.ts';
import { type Flip, flipsOf } from './flips.ts';
import { Health } from './health.ts';
import { closePorts, type LivePorts, openPorts } from './live-ports.ts';
import { knowsNames, Outputs } from './outputs.ts';
import { OwnResolvers } from './own-resolvers.ts';
import type { Learned } from './pass.ts';
import type { Passes } from './passes.ts';
import type { NbrpcHost } from './ports.ts';
import { type PromptListener, PromptPasses } from './prompt/passes.ts';
import { Causes } from './reason-keeping.ts';
import { scheduledPasses } from './scheduled-passes.ts';
import { routesDiffer } from './sets.ts';
import { HeldSets, type SinkPorts, sameTable } from './sink.ts';
import { sinkOf } from './sink-of.ts';
import type { State } from './state.ts';
import { StateFileTelling } from './state-file-telling.ts';
import { StateStore } from './store.ts';
import { PassTelling } from './telling.ts';
import { UseWatch } from './use-watch.ts';
import { wantedContents } from './wanted-contents.ts';
import { loggedWarnings } from './warning-log.ts';
import { withSignal } from './with-signal.ts';

export type { RunningDetail } from './health.ts';

/** What a reload changes all of, or nothing. */
interface Live {
  readonly config: NbrpcConfig;
  readonly store: StateStore;
  readonly ports: LivePorts;
  readonly sets: HeldSets;
  readonly resolvers: OwnResolvers;
}

export class RunningNbrpc implements RunningModule<NbrpcConfig> {
  readonly done: Promise<void>;
  readonly #host: NbrpcHost;
  readonly #board: WarningBoard;
  readonly #telling: PassTelling;
  readonly #sinkPorts: SinkPorts;
  readonly #counted = new CountedTime();
  readonly #use: UseWatch;
  readonly #health = new Health();
  readonly #file: StateFileTelling;
  #live: Live;
  #passes: Passes | PromptPasses;
  #outputs: Outputs;
  #causes: Causes;
  /** Whether a zone file may be written: a state that knows nothing yet must not empty it. */
  #namesKnown = false;
  #firstPassDone = false;
  /** The state, made of the file, that the sets were last made of: another one is there when others have written to it. */
  #followed: State | undefined;
  #lastPass: number | undefined;
  #nextPass: number | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } = { resolve: () => {}, reject: () => {} };

  /** Takes over `live`, whose sets hold what the saved state wants. */
  private constructor(host: NbrpcHost, live: Live, sinkPorts: SinkPorts, telling: PassTelling) {
    this.#host = host;
    this.#live = live;
    this.#board = sinkPorts.board;
    this.#sinkPorts = sinkPorts;
    this.#telling = telling;
    this.#file = new StateFileTelling(host.clock, host.log, this.#board);
    this.#use = new UseWatch({
      clock: host.clock,
      board: this.#board,
      used: () => this.#live.sets.used(),
      onChange: (addresses) => this.#passes instanceof PromptPasses && this.#passes.reconsider(addresses),
    });
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // The supervisor looks at it; without it a crash must not end the process before stop() has cleaned up.
    this.done.catch(() => {});
    this.#outputs = this.#openOutputs();
    this.#causes = this.#openCauses();
    this.#passes = this.#makePasses();
  }

  /** Applies the saved state at once, so that the kernel is right again before the first check ends. */
  static async start(config: NbrpcConfig, host: NbrpcHost, signal: AbortSignal): Promise<RunningNbrpc> {
    const { clock, log } = host;
    const store = StateStore.open({ store: host.store, path: config.state, clock });
    let ports: LivePorts | undefined;
    try {
      signal.throwIfAborted();
      ports = await openPorts(host, config);
      const board = loggedWarnings(clock, log);
      const sinkPorts = { board, log, clock, flips: new FlipLog(log, clock) };
      const sets = new HeldSets(sinkOf(config), ports.sets, sinkPorts);
      const live = { config, store, ports, sets, resolvers: new OwnResolvers(host.files) };
      await live.resolvers.look();
      const wanted = wantedContents(live);
      await withSignal(sets.first(wanted), signal);
      const running = new RunningNbrpc(host, live, sinkPorts, new PassTelling(log, board));
      running.#telling.conflicts(wanted.conflicts);
      // Names are right again before the first pass.
      running.#holdZones();
      running.#passes.request();
      return running;
    } catch (error) {
      if (ports !== undefined) await closePorts(ports, 'keep');
      store.close();
      throw error;
    }
  }

  health(): ModuleHealth {
    const { config, store, sets } = this.#live;
    return this.#health.of({
      config,
      store,
      sets,
      passes: this.#passes,
      telling: this.#telling,
      use: this.#use,
      flips: this.#sinkPorts.flips,
      board: this.#board,
      lastPass: this.#lastPass,
      nextPass: this.#nextPass,
    });
  }

  command(name: string, argument: string): Promise<string> {
    const { config, store, resolvers } = this.#live;
    const known = { config, state: store.state, passes: this.#passes, resolvers, telling: this.#telling };
    return answerTo(name, argument, this.#host, known);
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
    this.#use.follow(false);
    await this.#queue;
    await passes;
    // A reload that was under way has left new ones.
    await this.#passes.stop();
    await this.#causes.close();
    const { config, store, ports, sets } = this.#live;
    try {
      await sets.close(reason === 'shutdown' ? config.on_stop : 'keep');
      await closePorts(ports, 'none');
    } finally {
      store.close();
      await this.#outputs.close();
      this.#settle.resolve();
    }
  }

  async #reload(config: NbrpcConfig): Promise<void> {
    if (this.#stopping !== undefined) throw new NetstewardError('stopping', 'nbrpc is stopping');
    const before = this.#live;
    const sink = sinkOf(config);
    const newSink = JSON.stringify(sink) !== JSON.stringify(before.sets.sink);
    const handover = newSink && sameTable(sink, before.sets.sink);
    let ports: LivePorts | undefined;
    let { store } = before;
    await this.#passes.stop();
    await this.#causes.close();
    try {
      if (config.state !== before.config.state) {
        store = StateStore.open({ store: this.#host.store, path: config.state, clock: this.#host.clock });
      }
      if (handover) await before.sets.close('keep');
      ports = await openPorts(this.#host, config, newSink ? undefined : before.ports.sets);
      const sets = newSink ? new HeldSets(sink, ports.sets, this.#sinkPorts) : before.sets;
      const live = { ...before, config, store, ports, sets };
      if (newSink) await sets.first(wantedContents(live));
      this.#live = live;
    } catch (error) {
      if (ports !== undefined) await closePorts(ports, newSink ? (handover ? 'keep' : 'flush') : 'none');
      if (store !== before.store) store.close();
      if (handover) await this.#takeBack();
      this.#restart();
      throw error;
    }
    await closePorts(before.ports, newSink && !handover ? 'flush' : 'none');
    if (store !== before.store) before.store.close();
    this.#live.ports.sets.setOnStop(config.on_stop);
    await this.#outputs.close();
    this.#outputs = this.#openOutputs();
    this.#apply([]);
    this.#holdZones();
    this.#restart();
  }

  /** After a handover of the own table that failed. */
  async #takeBack(): Promise<void> {
    const { config, ports, sets: lost } = this.#live;
    const opened = await this.#host.openSets(lost.sink, config.on_stop);
    const sets = new HeldSets(lost.sink, opened, this.#sinkPorts);
    this.#live = { ...this.#live, ports: { ...ports, sets: opened }, sets };
    this.#apply([]);
  }

  #restart(): void {
    this.#health.changed();
    this.#causes = this.#openCauses();
    this.#passes = this.#makePasses();
    if (this.#stopping === undefined) this.#passes.request();
  }

  #openOutputs(): Outputs {
    const { config, store } = this.#live;
    return new Outputs(this.#host, this.#board, config, store.state, Math.round(this.#host.clock.now()) / 1000);
  }

  #openCauses(): Causes {
    const { config, store, ports } = this.#live;
    const onFound = (): void => {
      this.#health.changed();
    };
    const onDefect = (error: unknown): void => this.#settle.reject(error);
    return new Causes({ ...this.#host, ...ports, config, store, onFound, onDefect });
  }

  #makePasses(): Passes | PromptPasses {
    const { config, store, ports } = this.#live;
    this.#namesKnown = knowsNames(store.state);
    this.#use.follow(config.in_use && this.#stopping === undefined);
    this.#telling.otherExits();
    return scheduledPasses({
      host: this.#host,
      config,
      store,
      ports,
      counted: this.#counted,
      use: this.#use,
      first: !this.#firstPassDone,
      listener: this.#listener(),
    });
  }

  #listener(): PromptListener {
    const { clock } = this.#host;
    const { config, store } = this.#live;
    return {
      lists: (report) => {
        this.#telling.lists(report);
        this.#nextPass = clock.now() + config.timers.pass;
        this.#followFile();
        this.#queue = this.#queue.then(() => this.#followResolvers()).catch(this.#settle.reject);
      },
      ownSide: (own) => {
        this.#telling.ownSide(own, store.state);
        this.#health.changed();
      },
      learned: (learned) => this.#learned(learned),
      exits: (health) => this.#telling.exits(health),
      passed: () => {
        this.#lastPass = clock.now();
        if (this.#passes.firstPass === undefined) {
          this.#firstPassDone = true;
          this.#namesKnown ||= store.state.size === 0 || knowsNames(store.state);
        }
        this.#holdZones();
      },
      failed: (error, retryIn) => this.#failed(error, retryIn),
    };
  }

  #learned(learned: Learned): void {
    const { config, store } = this.#live;
    this.#file.saved();
    this.#health.changed();
    this.#outputs.learned(learned, store.state);
    const sentences = config.schedule === 'prompt';
    this.#telling.learned(learned, store.state, sentences);
    this.#causes.learned(learned);
    this.#followFile();
    const { hosts } = learned.changes;
    if (hosts.length === 0) return;
    if (config.in_use || routesDiffer(hosts, config.default_policy)) {
      const flips = flipsOf(learned.changes, config.default_policy, whenNoExitOf(config), sentences);
      this.#apply(this.#passes instanceof PromptPasses ? this.#passes.timed(flips, learned) : flips);
    }
    this.#holdZones();
  }

  async #followResolvers(): Promise<void> {
    if ((await this.#live.resolvers.look()) && this.#stopping === undefined) this.#apply([]);
  }

  /** What others have done to the state file: another process has written to it, or it is another file now. */
  #followFile(): void {
    const { store } = this.#live;
    this.#file.used(store);
    if (this.#followed === store.state) return;
    this.#followed = store.state;
    this.#health.changed();
    this.#apply([]);
  }

  #failed(error: unknown, retryIn: number): void {
    this.#nextPass = this.#host.clock.now() + retryIn;
    if (!this.#file.failed(error, this.#live.store.path, retryIn)) this.#settle.reject(error);
  }

  #holdZones(): void {
    if (this.#namesKnown) this.#outputs.holdZones(this.#live.store.state);
  }

  #apply(flips: readonly Flip[]): void {
    const wanted = wantedContents(this.#live);
    this.#telling.conflicts(wanted.conflicts);
    this.#live.sets.hold(wanted, flips);
  }
}
