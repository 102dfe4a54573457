/** The nbrpc module under the prompt schedule on fakes, for its tests: minutes pass in microseconds. */
import assert from 'node:assert/strict';
import type { RunningModule } from '../../../src/core/module.ts';
import { type NbrpcConfig, parseNbrpc, type Sink } from '../../../src/nbrpc/config.ts';
import { nbrpcModule } from '../../../src/nbrpc/index.ts';
import type { RunningDetail } from '../../../src/nbrpc/running.ts';
import type { AddressSets, SetContents } from '../../../src/system/ports.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { silentDns } from '../../fakes/fake-dns-transport.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { FakeHttpProbe } from '../../fakes/fake-http-probe.ts';
import { FakeOutputFiles } from '../../fakes/fake-output-files.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { FakeUplink } from '../../fakes/fake-uplink.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

export const minute = 60_000;
const reset = { kind: 'failure', stage: 'tls', reason: 'reset', detail: 'ECONNRESET' } as const;
/** The own addresses of the exits. */
export const [a, b] = ['10.9.0.2', '10.9.1.2'];

export class Bench {
  readonly clock = new FakeClock();
  log = new MemoryLog();
  readonly files = new FakeFiles();
  readonly store = new MemoryStore();
  readonly resolver = new FakeResolver();
  readonly probe = new FakeHttpProbe();
  readonly uplink = new FakeUplink();
  /** As they stand, and each change of them. */
  sets = '';
  readonly changes: string[] = [];

  constructor(list: string) {
    this.files.put('/a.list', list);
    this.resolver.answer('control.example', '9.9.9.1');
  }

  start(table: Record<string, unknown> = {}): Promise<RunningModule<NbrpcConfig>> {
    const { clock, log, files, store, resolver, probe, uplink } = this;
    const sets: AddressSets = {
      hold: (contents: SetContents) => {
        this.sets = [...contents]
          .filter(([, members]) => members.size > 0)
          .map(([name, members]) => `${name}:${[...members].sort().join(',')}`)
          .join(' ');
        this.changes.push(this.sets);
        return Promise.resolve();
      },
      setOnStop: () => {},
      status: () => ({ connected: true, table: 'owner', lastError: undefined, refills: 0 }),
      close: () => Promise.resolve(),
    };
    const host = {
      clock,
      log,
      files,
      store,
      uplink,
      output: new FakeOutputFiles(),
      commands: new FakeCommands(),
      openResolver: () => resolver,
      openProbe: () => probe,
      openDns: () => silentDns,
      id: () => 1,
      openSets: (_sink: Sink) => sets,
    };
    return nbrpcModule.start(configOf(table), host, new AbortController().signal);
  }

  flips(): readonly string[] {
    return this.log.of('flip').map(({ fields }) => {
      const { host, from, to, exit } = fields as Record<string, string | undefined>;
      return `${host} ${from}>${to}${exit === undefined ? '' : ` ${exit}`}`;
    });
  }

  /** Seconds, as the newest flip says. */
  took(): number {
    return Number(this.log.of('flip').at(-1)?.fields.took);
  }

  warnings(): readonly string[] {
    return this.log.lines
      .filter(({ event }) => event === 'warning-raised' || event === 'warning-cleared')
      .map(({ event, fields }) => `${event === 'warning-raised' ? '+' : '-'}${fields.code} ${fields.subject}`.trim());
  }

  /** Through this own address nothing comes back, or everything. */
  exitWorks(source: string, works: boolean, ...hosts: string[]): void {
    for (const host of hosts) {
      const answer = { kind: 'answer', status: 200, bytes: 9, location: undefined } as const;
      this.probe.through(source, host, '*', works ? answer : reset);
    }
  }

  /** Minutes until this holds; fails after `most`. */
  async until(holds: () => boolean, most: number): Promise<number> {
    const start = this.clock.monotonic();
    while (!holds()) {
      assert.ok(this.clock.monotonic() - start < most * minute, `not within ${most} minutes: ${this.sets}`);
      await this.clock.advance(1000);
    }
    return (this.clock.monotonic() - start) / minute;
  }
}

export function configOf(table: Record<string, unknown>): NbrpcConfig {
  const control = { services: ['control.example:https=200'] };
  const parsed = parseNbrpc({ check_lists: ['/a.list'], state: '/s.db', control, ...table });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

export const two = {
  table: { mask: 0x30000 },
  exit: [
    { name: 'wg0', source: [a] },
    { name: 'wg1', source: [b], mark: 0x20000 },
  ],
};
export const detailOf = (running: RunningModule<NbrpcConfig>): RunningDetail =>
  running.health().detail as RunningDetail;
export const hostOf = (running: RunningModule<NbrpcConfig>, name: string) =>
  detailOf(running).hosts.find((host) => host.name === name);
