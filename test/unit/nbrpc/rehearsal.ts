/** A whole nbrpc in memory for the tests: state file, lists, names and checks, moved pass by pass. */
import { runAltRoutePass } from '../../../src/nbrpc/alt-route.ts';
import type { CheckSource, CheckTarget } from '../../../src/nbrpc/checker.ts';
import type { CheckResult } from '../../../src/nbrpc/model.ts';
import { type PassMode, type PassReport, type PassSettings, runPass } from '../../../src/nbrpc/pass.ts';
import { formatLines, policyLines } from '../../../src/nbrpc/policy.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { policy } from './build-state.ts';

export class Rehearsal implements CheckSource {
  readonly files = new FakeFiles();
  readonly resolver = new FakeResolver();
  readonly clock = new FakeClock();
  readonly disk = new MemoryStore();
  readonly store = StateStore.open({ store: this.disk, path: '/state.db', clock: this.clock });
  readonly results = new Map<string, CheckResult>();
  readonly checkedTargets: string[] = [];
  delay: (target: CheckTarget) => Promise<void> = () => Promise.resolve();
  settings: PassSettings = {
    lists: ['/a.list'],
    timers: contractTimers,
    limits: contractLimits,
    defaultPolicy: policy('af-all'),
    resolveTimeout: 10_000,
    filterAddresses: false,
  };

  constructor(list = '', timers: Partial<PassSettings['timers']> = {}) {
    this.settings = { ...this.settings, timers: { ...contractTimers, ...timers } };
    if (list !== '') this.files.put('/a.list', list);
  }

  async check(target: CheckTarget): Promise<CheckResult> {
    this.checkedTargets.push(`${target.host} ${target.address}`);
    await this.delay(target);
    return this.results.get(`${target.host} ${target.address}`) ?? { kind: 'none' };
  }

  /** `1.1.1.1=ok 1.1.1.2=na 1.1.1.3`: what DNS answers for the host, and what its checks say. */
  set(host: string, text: string): void {
    const items = text.split(' ').filter((part) => part !== '');
    this.resolver.answer(host, ...items.map((item) => item.split('=')[0] ?? ''));
    for (const item of items) this.result(host, item);
  }

  /** The result of one address alone, in DNS or not. */
  result(host: string, item: string): void {
    const [address = '', word] = item.split('=');
    const result: CheckResult =
      word === 'ok' ? { kind: 'ok' } : word === 'na' ? { kind: 'fail', reason: 'tls reset' } : { kind: 'none' };
    this.results.set(`${host} ${address}`, result);
  }

  /** One pass; all checks forced where `mode` does not say otherwise. */
  pass(now: number, mode: Partial<PassMode> = {}): Promise<PassReport> {
    const ports = { files: this.files, resolver: this.resolver, checks: this };
    const full = { now, forced: true, limits: { iterHosts: 9999, iterAddrs: 9999 }, ...mode };
    return runPass(ports, this.store, this.settings, full, new AbortController().signal);
  }

  alt(now: number): Promise<unknown> {
    const mode = { now, forced: true, interval: 0, limit: 99 };
    return runAltRoutePass(this, this.store, mode, new AbortController().signal);
  }

  dump(): string {
    return formatLines(policyLines(this.store.state, this.settings.defaultPolicy));
  }

  /** `ok@10`, `null@0` */
  host(name: string): string {
    const record = this.store.state.host(name)?.record;
    return record === undefined ? 'gone' : `${record.state}@${record.changed}`;
  }

  addresses(name: string): string {
    const all = [...(this.store.state.host(name)?.addresses.values() ?? [])];
    return all.map((address) => `${address.address}=${address.state}`).join(' ');
  }
}
