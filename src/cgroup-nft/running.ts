/** cgroup-nft while it runs: cgroups and journal to the applier, reload, health, stop. */
import type { Timer } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { ModuleHealth, RunningModule, StopReason } from '../core/module.ts';
import { WarningBoard } from '../core/warnings.ts';
import type { Nft } from '../system/ports.ts';
import type { KernelSets } from '../system/unit-ports.ts';
import { Applier } from './applier.ts';
import type { CgroupNftConfig } from './config.ts';
import { Cooldown } from './cooldown.ts';
import { livingReferences } from './living.ts';
import { Margins } from './margin.ts';
import type { CgroupNftHost } from './ports.ts';
import { readRuleFiles } from './rule-files.ts';
import { Selection } from './selection.ts';
import { type CgroupNftDetail, type MemberRecord, mostEntries, originOf } from './status.ts';
import { unitEntries } from './status-entries.ts';
import { CgroupWatcher } from './watch.ts';

export class RunningCgroupNft implements RunningModule<CgroupNftConfig> {
  readonly done: Promise<void>;
  readonly #host: CgroupNftHost;
  readonly #board: WarningBoard;
  readonly #nft: Nft;
  readonly #kernel: KernelSets;
  readonly #watcher: CgroupWatcher;
  readonly #applier: Applier;
  readonly #margins: Margins;
  readonly #records = new Map<string, MemberRecord>();
  #config: CgroupNftConfig;
  #selection: Selection;
  #cooldown: Cooldown;
  #journal: { close(): Promise<void> } | undefined;
  #journalState: CgroupNftDetail['journal'] = 'unused';
  #events: { close(): Promise<void> } | undefined;
  #resync: Timer | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } = { resolve: () => {}, reject: () => {} };

  private constructor(
    host: CgroupNftHost,
    config: CgroupNftConfig,
    selection: Selection,
    nft: Nft,
    kernel: KernelSets,
  ) {
    this.#host = host;
    this.#config = config;
    this.#selection = selection;
    this.#nft = nft;
    this.#kernel = kernel;
    this.#board = new WarningBoard(
      () => host.clock.now(),
      (change, { code, subject, severity, text, remedy }) => {
        const level = change === 'cleared' ? 'info' : severity === 'error' ? 'error' : 'warn';
        host.log[level](`warning-${change}`, { code, subject, text, remedy });
      },
    );
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // The supervisor looks at it; without it a crash must not end the process before stop() has cleaned up.
    this.done.catch(() => {});
    this.#margins = new Margins({
      clock: host.clock,
      starts: host.starts,
      onMargin: (path, unit, margin) => this.#measured(path, unit, margin),
    });
    this.#watcher = new CgroupWatcher({
      tree: host.tree,
      interest: selection.interest,
      onChange: (changes) => {
        for (const { path } of changes.gone) this.#records.delete(path);
        this.#applier.cgroups(changes);
      },
      onFailed: (error) => this.#settle.reject(error),
    });
    const options = { clock: host.clock, log: host.log, board: this.#board, nft, kernel, tree: host.tree };
    this.#applier = new Applier(
      {
        ...options,
        members: () => this.#watcher.members,
        onApplied: (paths) => this.#applied(paths),
      },
      selection,
      config.table.name,
    );
    this.#cooldown = this.#cooling();
  }

  /** Rejects with `rule-file-invalid`, NftError and what the ports reject with; nothing is left behind then. */
  static async start(config: CgroupNftConfig, host: CgroupNftHost, signal: AbortSignal): Promise<RunningCgroupNft> {
    const selection = await selectionOf(config, host);
    signal.throwIfAborted();
    const kernel = await host.openKernelSets();
    let nft: Nft | undefined;
    let running: RunningCgroupNft | undefined;
    try {
      nft = await host.openNft();
      running = new RunningCgroupNft(host, config, selection, nft, kernel);
      // Before the first look at the ruleset, so that no change of others falls between the two.
      await running.#watchRuleset();
      await running.#applier.first(config.flush);
      signal.throwIfAborted();
      running.#follow();
      return running;
    } catch (error) {
      if (running === undefined) {
        await nft?.close();
        kernel.close();
      } else await running.#close('keep');
      throw error;
    }
  }

  health(): ModuleHealth {
    const total = this.#watcher.members.size;
    const applied = [...this.#records.values()].filter((record) => record.since !== null).length;
    const summary = `${applied} of ${total} cgroup${total === 1 ? '' : 's'} in the ruleset`;
    const detail = (): CgroupNftDetail => this.#detail();
    // Made when somebody looks: it reads counters of the kernel, and the supervisor asks every few seconds for the rest.
    return {
      ready: true,
      summary,
      warnings: this.#board.list(),
      get detail() {
        return detail();
      },
    };
  }

  #detail(): CgroupNftDetail {
    const { members } = this.#watcher;
    const table = this.#applier.groups?.table;
    const source = { members, records: this.#records, selection: this.#selection, kernel: this.#kernel, table };
    const entries = unitEntries({ ...source, warnings: this.#board.list() });
    return {
      entries,
      more: members.size - entries.length,
      waiting: this.#waiting(),
      table: this.#applier.groups?.kind ?? null,
      tableName: this.#config.table.name,
      watches: this.#watcher.watches,
      journal: this.#journalState,
    };
  }

  reload(next: CgroupNftConfig): Promise<void> {
    const turn = this.#queue.then(() => this.#reload(next));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  stop(reason: StopReason): Promise<void> {
    this.#stopping ??= this.#queue.then(() => this.#close(reason === 'shutdown' ? this.#config.on_stop : 'keep'));
    return this.#stopping;
  }

  async #close(mode: 'keep' | 'flush'): Promise<void> {
    this.#resync?.cancel();
    this.#cooldown.stop();
    this.#margins.stop();
    this.#watcher.close();
    await this.#journal?.close();
    await this.#events?.close();
    try {
      await this.#applier.stop(mode);
    } finally {
      await this.#nft.close();
      this.#kernel.close();
      this.#settle.resolve();
    }
  }

  async #reload(next: CgroupNftConfig): Promise<void> {
    if (this.#stopping !== undefined) throw new NetstewardError('stopping', 'cgroup-nft is stopping');
    const selection = await selectionOf(next, this.#host);
    const before = { config: this.#config, selection: this.#selection };
    try {
      await this.#select(next, selection);
    } catch (error) {
      await this.#select(before.config, before.selection).catch(() => this.#applier.again(false));
      throw error;
    }
    this.#cooldown.stop();
    this.#cooldown = this.#cooling();
    await this.#journal?.close();
    this.#journal = undefined;
    this.#follow();
  }

  async #select(config: CgroupNftConfig, selection: Selection): Promise<void> {
    this.#config = config;
    this.#selection = selection;
    this.#watcher.follow(selection.interest);
    await this.#applier.select(selection, config.table.name, config.flush);
  }

  /** SIGHUP of the drop-in, and a job of one of `reload_with_units`: the files are read again. */
  async #readAgain(): Promise<void> {
    try {
      await this.reload(this.#config);
      this.#host.log.debug('rule-files-read', { files: this.#config.files.length });
    } catch (error) {
      this.#board.raise('rule-files-refused', '', { reason: describeError(error) });
      return;
    }
    this.#board.clear('rule-files-refused', '');
  }

  async #watchRuleset(): Promise<void> {
    const events = await this.#host.openEvents();
    const own = (): ReadonlySet<number> => new Set(this.#nft.portId === undefined ? [] : [this.#nft.portId]);
    this.#nft.onLost(() => this.#settle.reject(new NetstewardError('nft-died', 'the nft process ended')));
    this.#events = events.watch(
      own,
      (change) => this.#applier.ruleset(change),
      (error) => this.#settle.reject(error),
    );
  }

  /** The journal is the second source: asked for where files or units of the configuration need it. */
  #follow(): void {
    const { files, reload_with_units: reload, reapply_with_units: reapply, resync } = this.#config;
    this.#resync?.cancel();
    if (resync > 0) this.#compareEvery(resync);
    if (files.length + reload.length + reapply.length === 0) {
      this.#journalState = 'unused';
      this.#board.clear('journal-unreadable', '');
      return;
    }
    this.#journal ??= this.#host.journal.follow({
      job: ({ unit }) => this.#cooldown.event(unit),
      lost: (reason) => {
        this.#journalState = 'lost';
        this.#board.raise('journal-unreadable', '', { reason });
      },
      found: () => {
        this.#journalState = 'read';
        this.#board.clear('journal-unreadable', '');
      },
    });
  }

  #compareEvery(interval: number): void {
    this.#resync = this.#host.clock.after(interval, () => {
      this.#watcher.resync();
      this.#compareEvery(interval);
    });
  }

  #cooling(): Cooldown {
    return new Cooldown(this.#host.clock, this.#config.cooldown, (unit) => {
      this.#host.log.debug('unit-job', { unit });
      if (this.#config.reload_with_units.includes(unit)) void this.#readAgain();
      else if (this.#config.reapply_with_units.includes(unit)) this.#applier.again(this.#config.flush);
      else this.#applier.unit(unit);
    });
  }

  #applied(paths: Iterable<string>): void {
    const now = this.#host.clock.now();
    const monotonic = this.#host.starts.now();
    for (const path of paths) {
      if (!this.#watcher.members.has(path) || this.#records.has(path)) continue;
      this.#records.set(path, { since: now, margin: undefined });
      this.#margins.applied(path, monotonic);
      this.#host.log.debug('cgroup-applied', { path });
    }
  }

  #measured(path: string, unit: string, margin: NonNullable<MemberRecord['margin']>): void {
    const record = this.#records.get(path);
    if (record === undefined) return;
    this.#records.set(path, { ...record, margin });
    if (margin.ms >= 0) this.#board.clear('unit-rule-late', unit);
    else this.#board.raise('unit-rule-late', unit, { unit, late: formatDuration(Math.ceil(-margin.ms)) });
  }

  #waiting(): readonly string[] {
    const { members } = this.#watcher;
    return this.#selection.statements
      .filter((statement) => statement.cgroups.length > 0)
      .filter((statement) => livingReferences(statement, members).every((paths) => paths.length === 0))
      .slice(0, mostEntries)
      .map((statement) => `${statement.unit} (${originOf(statement)})`);
  }
}

/** Rejects with `rule-file-invalid`, which names every problem. */
async function selectionOf(config: CgroupNftConfig, host: CgroupNftHost): Promise<Selection> {
  return new Selection(config.group, await readRuleFiles(host.files, config.files));
}
