/** All that nbrpc runs on, in memory: a network, a state file and sets that a test moves and reads, and nbrpc on them. */
import assert from 'node:assert/strict';
import type { RunningModule } from '../../src/core/module.ts';
import { type NbrpcConfig, parseNbrpc } from '../../src/nbrpc/config.ts';
import { nbrpcModule } from '../../src/nbrpc/index.ts';
import type { NbrpcHost } from '../../src/nbrpc/ports.ts';
import type { RunningDetail } from '../../src/nbrpc/running.ts';
import type { Sink } from '../../src/nbrpc/sink-of.ts';
import type { HostStatus } from '../../src/nbrpc/status.ts';
import type { DnsTransport } from '../../src/system/dns-client-ports.ts';
import type { SetContents } from '../../src/system/ports.ts';
import { FakeAddressSets } from './fake-address-sets.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeCommands } from './fake-commands.ts';
import { silentDns } from './fake-dns-transport.ts';
import { FakeFiles } from './fake-files.ts';
import { FakeHttpProbe } from './fake-http-probe.ts';
import { FakeOutputFiles } from './fake-output-files.ts';
import { FakeResolver } from './fake-resolver.ts';
import { FakeUplink } from './fake-uplink.ts';
import { MemoryLog } from './memory-log.ts';
import { MemoryStore } from './memory-store.ts';

/** Sets, and what they were opened for. */
export class OpenedSets extends FakeAddressSets {
  readonly sink: Sink;

  constructor(sink: Sink, onStop: 'keep' | 'flush') {
    super();
    this.sink = sink;
    this.onStop = onStop;
  }

  /** Every accepted contents, as text, in order. */
  get held(): readonly string[] {
    return this.holds.map(textOf);
  }
}

/** Its ports are its own properties, so that nbrpc may take them apart. */
export class FakeNbrpcHost implements NbrpcHost {
  readonly clock = new FakeClock();
  log = new MemoryLog();
  readonly files = new FakeFiles();
  readonly store = new MemoryStore();
  readonly resolver = new FakeResolver();
  readonly probe = new FakeHttpProbe();
  readonly uplink = new FakeUplink();
  readonly output = new FakeOutputFiles();
  readonly commands = new FakeCommands();
  dns: DnsTransport = silentDns;
  /** Every one that was opened, in order. */
  readonly opened: OpenedSets[] = [];
  /** What the next sets that are opened refuse everything with. */
  nextFailure: Error | undefined;

  readonly openResolver = () => this.resolver;
  readonly openProbe = () => this.probe;
  readonly openDns = () => this.dns;
  readonly id = () => 1;
  openSets: NbrpcHost['openSets'] = (sink, onStop) => {
    const sets = new OpenedSets(sink, onStop);
    sets.failure = this.nextFailure;
    this.opened.push(sets);
    return sets;
  };

  /** Keys of `[nbrpc]` that every configuration has unless it says otherwise. */
  readonly #common: Record<string, unknown>;

  /** `list`: the text of /a.list. */
  constructor(list = '', common: Record<string, unknown> = {}) {
    this.files.put('/a.list', list);
    this.#common = { check_lists: ['/a.list'], state: '/s.db', ...common };
  }

  /** The last that were opened. */
  get sets(): OpenedSets {
    const last = this.opened.at(-1);
    assert.ok(last !== undefined, 'no sets were opened');
    return last;
  }

  /** `table`: keys of `[nbrpc]`. */
  configOf(table: Record<string, unknown> = {}): NbrpcConfig {
    const parsed = parseNbrpc({ ...this.#common, ...table });
    assert.ok(parsed.ok, JSON.stringify(parsed));
    return parsed.config;
  }

  start(table: Record<string, unknown> = {}): Promise<RunningModule<NbrpcConfig>> {
    return nbrpcModule.start(this.configOf(table), this, new AbortController().signal);
  }
}

/** `blocked4:9.9.9.9,9.9.9.10 blocked6:`, addresses sorted. */
export const textOf = (contents: SetContents): string =>
  [...contents].map(([name, members]) => `${name}:${[...members].sort().join(',')}`).join(' ');

export const detailOf = (running: RunningModule<NbrpcConfig>): RunningDetail =>
  running.health().detail as RunningDetail;

export const hostOf = (running: RunningModule<NbrpcConfig>, name: string): HostStatus | undefined =>
  detailOf(running).hosts.find((host) => host.name === name);
