/** The update server: datagrams in, accepted updates out to the zone files and to the update commands. */
import type { Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import { type Accepted, type Candidate, checkSignature, type Denied, judge, type Scene, screen } from './accept.ts';
import { readAddress } from './address.ts';
import { CheckTurns } from './check-turns.ts';
import type { KeyPolicy } from './policy.ts';
import type { DyndnsPorts } from './ports.ts';
import { type Change, Publisher } from './publisher.ts';
import { undone, unfinished } from './redo.ts';
import { RefusedLog } from './refused-log.ts';
import { isNewer, pendingUpdates, type ReplayState, settled, withAccepted, withSpent } from './replay.ts';
import { ReplayStore } from './replay-store.ts';
import { type Trouble, troublesOf } from './troubles.ts';
import { verifyPublished } from './verify-published.ts';
import { editZone } from './zone-edit.ts';
import { type ZoneSettings, type ZoneView, ZoneViews } from './zone-view.ts';
import { ZoneWriter } from './zone-writer.ts';

export interface ServerSettings {
  readonly zones: readonly (ZoneSettings & {
    /** Program and arguments; empty: nothing is run. */
    readonly updateCommand: readonly string[];
    /** Milliseconds that the command may take. */
    readonly commandTimeout: number;
  })[];
  readonly stateFile: string;
  /** Seconds; 0: any timestamp. */
  readonly clockWindow: number;
  readonly updateTimestamps: boolean;
  readonly verify: { readonly server: string; readonly port: number } | undefined;
  readonly policyOf: (keyId: string) => KeyPolicy;
}

/** Milliseconds that a look at the zone files holds: a key that was just added may send its first packet. */
const lookEvery = 1000;
/** Milliseconds between two looks while no packet comes: for a copy from before an update that somebody has saved over it. */
const watchEvery = 5000;
/** Packets that wait for such a look. */
const mostHeld = 256;

interface Waiting {
  readonly keyId: string;
  readonly source: string;
  readonly familiar: boolean;
  readonly candidate: Candidate;
}

export class DyndnsServer {
  readonly #ports: DyndnsPorts;
  readonly #settings: ServerSettings;
  readonly #replay: ReplayStore;
  readonly #views: ZoneViews;
  readonly #turns: CheckTurns<Waiting>;
  readonly #refused: RefusedLog;
  readonly #writer: ZoneWriter;
  /** One for all zones with the same command: it never runs beside itself. */
  readonly #publishers = new Map<string, Publisher>();
  readonly #told = new Map<string, string>();
  #held: { bytes: Uint8Array; source: string }[] = [];
  #looking = false;
  #nextLook: Timer | undefined;
  #stopped = false;
  #lastPacket: number;
  #received = 0;
  #accepted = 0;

  private constructor(ports: DyndnsPorts, settings: ServerSettings, replay: ReplayStore, views: ZoneViews) {
    this.#ports = ports;
    this.#settings = settings;
    this.#replay = replay;
    this.#views = views;
    const { clock, log, zones: files } = ports;
    this.#refused = new RefusedLog(clock, log);
    this.#turns = new CheckTurns(clock, (next) => this.#check(next));
    this.#lastPacket = clock.monotonic();
    this.#writer = new ZoneWriter({
      clock,
      files,
      views,
      updateTimestamps: settings.updateTimestamps,
      policyOf: settings.policyOf,
      ready: () => this.#durable(),
      onWritten: (zone, changes) => this.#written(zone, changes),
      onDone: () => this.#settle(),
      onWithheld: (keyId, names) => log.warn('names-withheld', { keyId, names: names.slice(0, 10) }),
      onFailure: (file, reason) => log.error('zone-not-written', { file, reason }),
    });
    for (const { updateCommand, commandTimeout } of settings.zones) this.#addPublisher(updateCommand, commandTimeout);
  }

  /** Rejects with NetstewardError where a zone or the state cannot be read. What was left undone is done first of all. */
  static async open(ports: DyndnsPorts, settings: ServerSettings): Promise<DyndnsServer> {
    const views = await ZoneViews.open(ports.zones, ports.clock, settings.zones);
    const replay = new ReplayStore(ports.store, ports.commitSync, settings.stateFile);
    const server = new DyndnsServer(ports, settings, replay, views);
    server.#tellProblems(views.all);
    server.#resume();
    server.#reapply(views.all);
    server.#watch();
    return server;
  }

  /** Of a socket; never throws. */
  datagram(bytes: Uint8Array, source: string): void {
    if (this.#stopped) return;
    this.#received += 1;
    this.#lastPacket = this.#ports.clock.monotonic();
    this.#turns.arrived(this.#lastPacket);
    if (this.#looking || this.#views.age >= lookEvery) {
      this.#look();
      if (this.#held.length < mostHeld) {
        this.#held.push({ bytes, source });
        return;
      }
    }
    this.#take(bytes, source);
  }

  /** Whether anything is on its way; what has failed and waits to be tried again is not. */
  get busy(): boolean {
    const publishing = [...this.#publishers.values()].some(({ running }) => running);
    return this.#turns.busy || this.#looking || publishing || this.#writer.running;
  }

  /** Milliseconds since the last packet; 0 while anything is still to be done. */
  get idleFor(): number {
    const published = [...this.#publishers.values()].every(({ idle }) => idle);
    const idle = !this.busy && published && this.#writer.idle;
    return idle ? this.#ports.clock.monotonic() - this.#lastPacket : 0;
  }

  /** What became of packets since the start. */
  get counts(): Readonly<Record<string, number>> {
    const { replaced, dropped } = this.#turns.queue;
    return { received: this.#received, accepted: this.#accepted, replaced, dropped, ...this.#refused.counts };
  }

  get views(): readonly ZoneView[] {
    return this.#views.all;
  }

  get state(): ReplayState {
    return this.#replay.state;
  }

  /** Why updates do not reach the zones or DNS at the moment; `subject`: a zone file, or an update command. */
  get troubles(): readonly Trouble[] {
    return troublesOf(this.#views.all, this.#writer.failing, this.#publishers);
  }

  /** Ends what is on its way in order; what is left undone stands in the state. Idempotent. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#nextLook?.cancel();
    await this.#turns.stop();
    await this.#writer.stop();
    await Promise.all([...this.#publishers.values()].map((publisher) => publisher.stop()));
    this.#replay.close();
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#views
      .refresh()
      .then((changed) => this.#refreshed(changed))
      .catch((error: unknown) => this.#ports.log.error('zones-not-read', { reason: describeError(error) }))
      .finally(() => {
        this.#looking = false;
        const held = this.#held;
        this.#held = [];
        for (const { bytes, source } of held) this.#take(bytes, source);
      });
  }

  #watch(): void {
    this.#nextLook = this.#ports.clock.after(watchEvery, () => {
      this.#look();
      this.#watch();
    });
  }

  #refreshed(changed: readonly ZoneView[]): void {
    if (changed.length === 0 || this.#stopped) return;
    this.#tellProblems(changed);
    this.#reapply(changed.filter(({ failure }) => failure === undefined));
  }

  #scene(state: ReplayState): Scene {
    const now = this.#ports.clock.now() / 1000;
    return { keys: this.#views.keys, state, now, clockWindow: this.#settings.clockWindow };
  }

  #take(bytes: Uint8Array, source: string): void {
    if (this.#stopped) return;
    const { state } = this.#replay;
    const candidate = screen(bytes, source, this.#scene(state));
    if (typeof candidate === 'string') {
      this.#refused.add(candidate, source);
      return;
    }
    const { keyId } = candidate.packet;
    const plain = source.startsWith('::ffff:') ? source.slice(7) : source;
    const familiar = state.get(keyId)?.[candidate.family]?.address === plain;
    this.#turns.put({ keyId, source, familiar, candidate });
  }

  async #check(next: Waiting): Promise<void> {
    const refusal = checkSignature(next.candidate);
    if (refusal === undefined) await this.#accept(next.candidate);
    else this.#refused.add(refusal, next.source, next.keyId);
  }

  /** A genuine packet: decided upon by the zones and the state as they are now, and saved before anything is done. */
  async #accept(candidate: Candidate): Promise<void> {
    const { log, clock } = this.#ports;
    const { family, source, packet } = candidate;
    const { keyId, timestamp } = packet;
    this.#refreshed(await this.#views.refresh());
    let verdict: Accepted | Denied | undefined;
    let before: ReplayState = new Map();
    let writes = false;
    try {
      this.#replay.update((state) => {
        before = state;
        verdict = judge(candidate, this.#scene(state), this.#settings.policyOf(keyId), (accepted) =>
          this.#changes(accepted, state),
        );
        const now = clock.now() / 1000;
        if ('refusal' in verdict) {
          const refused = verdict.spent ? readAddress(source) : undefined;
          // Remembered, so that it cannot be played again; but not its address, which must never come into a zone.
          return refused === undefined
            ? state
            : withSpent(state, { keyId, family, timestamp, address: refused.text, now });
        }
        writes = this.#writes(verdict, state);
        return withAccepted(state, { keyId, family, timestamp, address: verdict.address.text, now, writes });
      });
    } catch (error) {
      log.error('update-not-taken', { keyId, source, reason: describeError(error) });
      return;
    }
    if (verdict === undefined) return;
    if ('refusal' in verdict) {
      this.#refused.add(verdict.refusal, source, keyId);
      if (verdict.spent) void this.#durable();
      return;
    }
    this.#accepted += 1;
    const { address } = verdict;
    log.info('update-accepted', { keyId, address: address.text, changes: writes });
    if (!writes) return void this.#durable();
    const known = before;
    this.#writer.add({
      keyId,
      address,
      timestamp,
      isNewer: (header) => isNewer(known, keyId, family, timestamp, header),
    });
  }

  /** The commit of what was accepted. Never rejects: a disk that fails to sync costs the next power cut, not the update. */
  async #durable(): Promise<void> {
    try {
      await this.#replay.durable();
    } catch (error) {
      this.#ports.log.error('state-not-synced', { file: this.#settings.stateFile, reason: describeError(error) });
    }
  }

  /** Also while an older update waits, or an editor saves: what the zone says now is about to change. */
  #writes(accepted: Accepted, state: ReplayState): boolean {
    const { keyId, address } = accepted;
    if (this.#settings.updateTimestamps || this.#writer.has(keyId, address.family)) return true;
    return this.#views.all.some(({ halfSaved }) => halfSaved) || this.#changes(accepted, state);
  }

  #changes({ keyId, address, timestamp }: Accepted, state: ReplayState): boolean {
    const policy = this.#settings.policyOf(keyId);
    const allowsName = (name: string): boolean => policy.allowsName(name);
    const newer = (header: number): boolean => isNewer(state, keyId, address.family, timestamp, header);
    return this.#views.all.some(
      ({ zone }) =>
        editZone(zone, { keyId, address, timestamp }, { isNewer: newer, allowsName, mostFacts: 0 }).changed > 0,
    );
  }

  /** After a crash. */
  #resume(): void {
    const jobs = unfinished(this.#replay.state, (keyId) => this.#views.keys.has(keyId));
    for (const job of jobs) this.#writer.add(job);
    if (jobs.length > 0) for (const publisher of this.#publishers.values()) publisher.publish([]);
  }

  /** After a file came back from an editor or a backup. */
  #reapply(views: readonly ZoneView[]): void {
    for (const { settings, zone } of views) {
      const jobs = undone(this.#replay.state, zone, this.#settings.policyOf).filter(
        // A newer one, or this very one, is on its way.
        ({ keyId, address }) => !this.#writer.has(keyId, address.family),
      );
      if (jobs.length === 0) continue;
      const keyIds = [...new Set(jobs.map(({ keyId }) => keyId))];
      this.#ports.log.warn('stale-copy-saved', { file: settings.file, keyIds: keyIds.slice(0, 10) });
      for (const job of jobs) this.#writer.add(job);
    }
  }

  #written(zone: ZoneSettings, changes: readonly Change[]): void {
    const { log } = this.#ports;
    for (const { keyId, name, from, to } of changes.slice(0, 10)) {
      log.info('name-moved', { name, from, to, keyId, zone: zone.file });
    }
    const { updateCommand = [] } = this.#settings.zones.find(({ file }) => file === zone.file) ?? {};
    this.#publishers.get(JSON.stringify(updateCommand))?.publish(changes);
  }

  #addPublisher(argv: readonly string[], timeout: number): void {
    const place = JSON.stringify(argv);
    if (argv.length === 0 || this.#publishers.has(place)) return;
    const { clock, log, commands, nameServer } = this.#ports;
    const { verify: authority } = this.#settings;
    const verify =
      authority &&
      ((changes: readonly Change[], signal: AbortSignal) =>
        verifyPublished({ nameServer, clock, ...authority }, changes, signal));
    this.#publishers.set(
      place,
      new Publisher({
        clock,
        log,
        commands,
        argv,
        timeout,
        ...(verify === undefined ? {} : { verify }),
        onPublished: () => this.#settle(),
        onFailure: (reason) => log.error('not-published', { reason }),
      }),
    );
  }

  /** Once all is in the zones and in DNS, nothing has to be done again after a crash. */
  #settle(): void {
    if (!this.#writer.idle) return;
    if ([...this.#publishers.values()].some(({ idle }) => !idle)) return;
    const pending = pendingUpdates(this.#replay.state);
    if (pending.length === 0 || this.#stopped) return;
    try {
      this.#replay.update((state) =>
        pending.reduce((next, { keyId, family, timestamp }) => settled(next, keyId, family, timestamp), state),
      );
    } catch (error) {
      // It stays pending: a later start publishes once more than it had to.
      this.#ports.log.warn('state-not-saved', { reason: describeError(error) });
    }
  }

  /** A message for each broken line, once while it says the same. */
  #tellProblems(views: readonly ZoneView[]): void {
    const { log } = this.#ports;
    for (const { settings, zone, failure } of views) {
      const { file } = settings;
      const lines = zone.problems.map(({ line, message }) => `${file}:${line}: ${message}`);
      const text = failure ?? lines.join('\n');
      if ((this.#told.get(file) ?? '') === text) continue;
      this.#told.set(file, text);
      if (failure !== undefined) log.error('zone-not-read', { file, reason: failure });
      else for (const line of lines) log.warn('zone-block-unusable', { reason: line });
    }
  }
}
