/** cgroup-nft while it runs: cgroups and journal to the applier, reload, health, stop. */
import { type Backoff, backoffDelay } from '../core/backoff.ts';
import type { Timer } from '../core/clock.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { ModuleHealth, RunningModule, StopReason } from '../core/module.ts';
import { WarningBoard } from '../core/warnings.ts';
import type { Nft } from '../system/ports.ts';
import type { KernelRuleset, UnitJob } from '../system/unit-ports.ts';
import { Applier } from './applier.ts';
import type { CgroupNftConfig } from './config.ts';
import { Cooldown } from './cooldown.ts';
import { LateUnits } from './late-units.ts';
import { Margins, measuredUnit } from './margin.ts';
import type { CgroupNftHost } from './ports.ts';
import { readRules } from './rule-files.ts';
import { Selection } from './selection.ts';
import { elsewhereRemedy, mustMatchSockets, rootProblem } from './socket-match.ts';
import { type CgroupNftDetail, type MemberRecord, mostEntries, originOf } from './status.ts';
import { unitEntries } from './status-entries.ts';
import { CgroupWatcher, type MemberChanges } from './watch.ts';

/** Before notifications of the ruleset are asked for again, after they ended. */
const watchRetry: Backoff = { first: 100, most: 30_000 };

/** What a configuration and its files come to. */
interface Wanted {
  readonly selection: Selection;
  readonly remarks: readonly string[];
}

export class RunningCgroupNft implements RunningModule<CgroupNftConfig> {
  readonly done: Promise<void>;
  readonly #host: CgroupNftHost;
  readonly #board: WarningBoard;
  readonly #nft: Nft;
  readonly #kernel: KernelRuleset;
  readonly #watcher: CgroupWatcher;
  readonly #applier: Applier;
  readonly #margins: Margins;
  readonly #late: LateUnits;
  readonly #records = new Map<string, MemberRecord>();
  #config: CgroupNftConfig;
  #wanted: Wanted;
  #cooldown: Cooldown;
  #journal: { close(): Promise<void> } | undefined;
  #journalState: CgroupNftDetail['journal'] = 'unused';
  #events: { close(): Promise<void> } | undefined;
  #eventFailures = 0;
  #eventTimer: Timer | undefined;
  #resync: Timer | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #closed = false;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } = { resolve: () => {}, reject: () => {} };

  private constructor(host: CgroupNftHost, config: CgroupNftConfig, wanted: Wanted, nft: Nft, kernel: KernelRuleset) {
    this.#host = host;
    this.#config = config;
    this.#wanted = wanted;
    this.#nft = nft;
    this.#kernel = kernel;
    const { clock, log, tree, starts } = host;
    this.#board = new WarningBoard(
      () => clock.now(),
      (change, { code, subject, severity, text, remedy }) => {
        const level = change === 'cleared' ? 'info' : severity === 'error' ? 'error' : 'warn';
        log[level](`warning-${change}`, { code, subject, text, remedy });
      },
    );
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // The supervisor looks at it; without it a crash must not end the process before stop() has cleaned up.
    this.done.catch(() => {});
    this.#late = new LateUnits(this.#board);
    this.#margins = new Margins({
      clock,
      starts,
      onMargin: (path, unit, margin) => this.#measured(path, unit, margin),
    });
    this.#watcher = new CgroupWatcher({
      tree,
      interest: wanted.selection.interest,
      onChange: (changes) => {
        // First of all: what is new has to be in the kernel before its process begins.
        this.#applier.cgroups(changes);
        this.#forget(changes);
      },
      onFailed: (error) => this.#settle.reject(error),
    });
    const members = (): ReadonlyMap<string, bigint> => this.#watcher.members;
    const shared = kernel.changeOver(nft.kind === 'libnftables' ? nft.portId : undefined);
    this.#applier = new Applier(
      {
        clock,
        log,
        board: this.#board,
        nft,
        kernel,
        shared,
        tree,
        members,
        onApplied: (paths) => this.#applied(paths),
      },
      wanted.selection,
      config.table.name,
    );
    this.#cooldown = this.#cooling();
    nft.onLost(() => this.#nftLost());
  }

  /**
   * Rejects with `cgroup2-elsewhere`, `socket-cgroup-unknown`, `rule-file-invalid`, `unit-chain-missing` (with flush), NftError
   * and what the ports reject with; nothing of the module runs then.
   */
  static async start(config: CgroupNftConfig, host: CgroupNftHost, signal: AbortSignal): Promise<RunningCgroupNft> {
    const elsewhere = rootProblem(host.tree);
    if (elsewhere !== undefined) throw new NetstewardError('cgroup2-elsewhere', elsewhere, { remedy: elsewhereRemedy });
    const wanted = await wantedBy(config, host);
    signal.throwIfAborted();
    const kernel = await host.openKernelSets();
    let nft: Nft | undefined;
    let running: RunningCgroupNft | undefined;
    try {
      nft = await host.openNft();
      await mustMatchSockets(nft);
      running = new RunningCgroupNft(host, config, wanted, nft, kernel);
      // Before the first look at the ruleset, so that no change of others falls between the two.
      await running.#watchRuleset();
      await running.#applier.first(config.flush);
      running.#applier.rehearse();
      signal.throwIfAborted();
      running.#tellRemarks();
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
    const { selection, remarks } = this.#wanted;
    const source = { members, records: this.#records, selection, kernel: this.#kernel, table };
    const entries = unitEntries({ ...source, warnings: this.#board.list() });
    return {
      entries,
      more: members.size - entries.length,
      waiting: this.#waiting(),
      ...(remarks.length > 0 && { remarks }),
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
    this.#closed = true;
    this.#resync?.cancel();
    this.#eventTimer?.cancel();
    this.#cooldown.stop();
    this.#margins.stop();
    this.#watcher.close();
    try {
      await this.#journal?.close();
      await this.#events?.close();
      await this.#applier.stop(mode);
    } finally {
      await this.#nft.close();
      this.#kernel.close();
      this.#settle.resolve();
    }
  }

  async #reload(next: CgroupNftConfig): Promise<void> {
    if (this.#stopping !== undefined) throw new NetstewardError('stopping', 'cgroup-nft is stopping');
    const wanted = await wantedBy(next, this.#host);
    const before = { config: this.#config, wanted: this.#wanted };
    try {
      await this.#select(next, wanted);
    } catch (error) {
      await this.#select(before.config, before.wanted).catch(() => this.#applier.again(false));
      throw error;
    }
    if (before.config.cooldown !== next.cooldown) {
      this.#cooldown.stop();
      this.#cooldown = this.#cooling();
    }
    this.#board.clear('rule-files-refused', '');
    this.#tellRemarks();
    this.#follow();
  }

  async #select(config: CgroupNftConfig, wanted: Wanted): Promise<void> {
    this.#config = config;
    this.#wanted = wanted;
    this.#margins.restart();
    this.#watcher.follow(wanted.selection.interest);
    await this.#applier.select(wanted.selection, config.table.name, config.flush);
    const units = new Set([...this.#watcher.members.keys()].flatMap((path) => measuredUnit(path) ?? []));
    this.#late.keep(units);
  }

  /** SIGHUP of the drop-in, and a job of one of `reload_with_units`: the files are read again. */
  async #readAgain(): Promise<void> {
    try {
      await this.reload(this.#config);
      this.#host.log.debug('rule-files-read', { files: this.#config.files.length });
    } catch (error) {
      if (!this.#closed) this.#board.raise('rule-files-refused', '', { reason: describeError(error) });
    }
  }

  #tellRemarks(): void {
    for (const remark of this.#wanted.remarks) this.#host.log.info('rule-not-a-rule', { remark });
  }

  async #watchRuleset(): Promise<void> {
    const events = await this.#host.openEvents();
    // By netlink port id: what comes back of our own must not be looked at.
    const own = (): ReadonlySet<number> => {
      return new Set([this.#nft.portId, this.#kernel.portId].filter((port) => port !== undefined));
    };
    this.#events = events.watch(
      own,
      (change) => {
        this.#eventFailures = 0;
        this.#applier.ruleset(change);
      },
      (error) => this.#eventsEnded(error),
    );
  }

  /** Notifications are asked for anew, and what was missed is looked for. */
  #eventsEnded(error: unknown): void {
    if (this.#closed) return;
    this.#events = undefined;
    this.#eventFailures += 1;
    this.#host.log.warn('ruleset-events-ended', { reason: describeError(error) });
    this.#eventTimer = this.#host.clock.after(backoffDelay(this.#eventFailures, watchRetry), () => {
      this.#watchRuleset().then(
        () => this.#applier.ruleset({ portIds: new Set(), tables: '*', sets: '*' }),
        (again: unknown) => this.#eventsEnded(again),
      );
    });
  }

  /** Its child process died, and with it the own table. */
  #nftLost(): void {
    if (this.#closed) return;
    this.#host.log.warn('nft-ended', { kind: this.#nft.kind });
    this.#applier.lost();
  }

  /** The journal is the second source: asked for where files or units of the configuration need it. */
  #follow(): void {
    const { files, reload_with_units: reload, reapply_with_units: reapply, resync } = this.#config;
    this.#resync?.cancel();
    if (resync > 0) this.#compareEvery(resync);
    if (files.length + reload.length + reapply.length === 0) {
      void this.#journal?.close();
      this.#journal = undefined;
      this.#journalState = 'unused';
      this.#board.clear('journal-unreadable', '');
      return;
    }
    this.#journal ??= this.#host.journal.follow({
      job: (job) => this.#job(job),
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
      // Whatever was missed, or refused for a reason that has passed.
      this.#applier.ruleset({ portIds: new Set(), tables: '*', sets: '*' });
      this.#compareEvery(interval);
    });
  }

  /** Any user can have a unit of any name: one of his must not reload everything. */
  #job({ unit, user }: UnitJob): void {
    const triggers = this.#wanted.selection.triggersOf(unit).length > 0;
    if (triggers || (!user && this.#ofAll(unit))) this.#cooldown.event(unit);
  }

  #ofAll(unit: string): boolean {
    return this.#config.reload_with_units.includes(unit) || this.#config.reapply_with_units.includes(unit);
  }

  #cooling(): Cooldown {
    return new Cooldown(this.#host.clock, this.#config.cooldown, (unit) => {
      this.#host.log.debug('unit-job', { unit });
      if (this.#config.reload_with_units.includes(unit)) void this.#readAgain();
      else if (this.#config.reapply_with_units.includes(unit)) this.#applier.again(this.#config.flush);
      else this.#applier.unit(unit);
    });
  }

  /** Of what is gone; one that was made anew counts as new. */
  #forget({ gone }: MemberChanges): void {
    for (const { path, id } of gone) {
      if (this.#records.delete(path)) this.#host.log.debug('cgroup-gone', { path, id: `${id}` });
      this.#margins.gone(path);
    }
  }

  #applied(paths: Iterable<string>): void {
    const now = this.#host.clock.now();
    const monotonic = this.#host.starts.now();
    for (const path of paths) {
      const id = this.#watcher.members.get(path);
      if (id === undefined || this.#records.has(path)) continue;
      this.#records.set(path, { since: now, margin: undefined });
      this.#margins.applied(path, monotonic);
      this.#host.log.debug('cgroup-applied', { path, id: `${id}` });
    }
  }

  #measured(path: string, unit: string, margin: NonNullable<MemberRecord['margin']>): void {
    const record = this.#records.get(path);
    if (record === undefined) return;
    this.#records.set(path, { ...record, margin });
    this.#late.measured(unit, margin.ms);
  }

  #waiting(): readonly string[] {
    const { selection } = this.#wanted;
    // By member, not by statement: globs of 10 000 rules held against each of 10 000 cgroups would take seconds.
    const living = new Set([...this.#watcher.members.keys()].flatMap((path) => selection.touchedBy(path).statements));
    return selection.statements
      .filter((statement) => statement.cgroups.length > 0 && !living.has(statement))
      .slice(0, mostEntries)
      .map((statement) => `${statement.unit} (${originOf(statement)})`);
  }
}

/** Rejects with `rule-file-invalid`, which names every problem. */
async function wantedBy(config: CgroupNftConfig, host: CgroupNftHost): Promise<Wanted> {
  const { statements, remarks } = await readRules(host.files, config.files);
  return { selection: new Selection(config.group, statements), remarks };
}
