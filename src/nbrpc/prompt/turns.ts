/** Whose turn it is: what is to be asked next of all addresses, and asking it then. */
import type { Clock, Timer } from '../../core/clock.ts';
import { familyOf } from '../address.ts';
import type { Exit } from '../exits.ts';
import type { AddressRecord, Family } from '../model.ts';
import { needsProbe } from '../no-probe.ts';
import type { HostEntry } from '../state.ts';
import type { StateStore } from '../store.ts';
import { verdictOf, wasAsked } from './address.ts';
import { Agenda, type Entry } from './agenda.ts';
import type { Asking } from './asking.ts';
import type { ExitWatch } from './exit-watch.ts';
import type { Live, LiveStates } from './live.ts';
import { type Plan, planOf } from './plan.ts';
import type { PromptSettings } from './settings.ts';

export interface TurnsOptions {
  readonly clock: Clock;
  readonly store: StateStore;
  readonly prompt: PromptSettings;
  readonly promptOf?: ((address: string) => PromptSettings) | undefined;
  readonly exits: readonly Exit[];
  readonly live: LiveStates;
  readonly watch: ExitWatch;
  readonly asking: Asking;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #agenda = new Agenda<string>();
  /** What stands in the agenda and was not taken from it. */
  readonly #entries = new Map<string, Entry>();
  /** Addresses in the agenda, by host. */
  readonly #planned = new Map<string, readonly string[]>();
  /** Families that cannot be asked directly; undefined: nothing is asked at all. */
  #without: readonly Family[] | undefined;
  #newcomers = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Something is asked. */
  get open(): boolean {
    return this.#without !== undefined;
  }

  /** From now on; `without`: families that have no route. */
  begin(without: readonly Family[]): void {
    if (without.join() === this.#without?.join()) return;
    this.#without = without;
    this.planAll();
  }

  /** Until begin(). */
  pause(): void {
    this.#without = undefined;
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** There may be new addresses. */
  counted(): void {
    [, this.#newcomers] = this.count();
  }

  planAll(): void {
    this.counted();
    for (const { record } of this.#options.store.state.hosts()) this.planHost(record.name);
    this.#arm();
  }

  planHost(host: string): void {
    const entry = this.#options.store.state.host(host);
    const planned = this.#planned.get(host);
    for (const address of planned ?? []) if (!entry?.addresses.has(address)) this.#drop(keyOf(host, address));
    if (entry === undefined || !needsProbe(entry.record.check)) {
      for (const address of planned ?? []) this.#drop(keyOf(host, address));
      this.#planned.delete(host);
    } else {
      this.#planned.set(host, [...entry.addresses.keys()]);
      for (const address of entry.addresses.keys()) this.#plan(entry, address);
    }
    this.#arm();
  }

  /** Their settings are others now. */
  reconsider(addresses: ReadonlySet<string>): void {
    for (const [host, planned] of this.#planned) {
      if (planned.some((address) => addresses.has(address))) this.planHost(host);
    }
  }

  /** Asks all addresses of a host directly, now, but for those that were asked just before; how many, of how many that can be. */
  askNow(host: string): readonly [asked: number, of: number] {
    const entry = this.#options.store.state.host(host);
    if (entry === undefined || this.#without === undefined || !needsProbe(entry.record.check)) return [0, 0];
    const { asking, clock, prompt } = this.#options;
    const able = [...entry.addresses.values()].filter(({ address }) => !this.#without?.includes(familyOf(address)));
    // Failures in quick succession would not be the several ones that confirm each other.
    const due = able.filter(({ address, checked }) => {
      const age = clock.now() / 1000 - checked;
      return !asking.isBusy(host, address, 'direct') && (age >= prompt.again || age < 0);
    });
    for (const { address } of due) asking.direct({ host, address, check: entry.record.check }, true);
    this.planHost(host);
    return [due.length, able.length];
  }

  /** What is known of an address, and what is asked of it next; undefined: nothing. */
  look(host: string, record: AddressRecord): { readonly known: Live; readonly next: Plan | undefined } {
    const entry = this.#options.store.state.host(host);
    const asked = entry !== undefined && this.open && needsProbe(entry.record.check);
    const next = asked ? this.#planOf(entry, record.address) : undefined;
    return { known: this.#options.live.of(host, record, this.#now()), next };
  }

  #plan(entry: HostEntry, address: string): void {
    const plan = this.#planOf(entry, address);
    const at = plan === undefined ? Number.POSITIVE_INFINITY : Math.min(plan.direct, plan.exits?.at ?? plan.direct);
    const key = keyOf(entry.record.name, address);
    if (plan === undefined || at === Number.POSITIVE_INFINITY) this.#drop(key);
    else this.#put(key, { at, pressing: plan.pressing, interval: plan.interval });
  }

  #put(key: string, entry: Entry): void {
    const before = this.#entries.get(key);
    // The heap of the agenda keeps what was put again until its time comes.
    if (before?.at === entry.at && before.pressing === entry.pressing && before.interval === entry.interval) return;
    this.#entries.set(key, entry);
    this.#agenda.put(key, entry);
  }

  #drop(key: string): void {
    this.#entries.delete(key);
    this.#agenda.drop(key);
  }

  /** What can be asked now or later; nothing of a route that is being asked. */
  #planOf({ record, addresses }: HostEntry, address: string): Plan | undefined {
    const known = addresses.get(address);
    if (known === undefined) return undefined;
    const { exits, live, asking } = this.#options;
    const prompt = this.#options.promptOf?.(address) ?? this.#options.prompt;
    const { name: host, exit: current } = record;
    const { dead } = this.#options.watch;
    const askable = exits.filter(({ name, source }) => !dead.has(name) && source[familyOf(address)] !== undefined);
    const around = {
      exits: askable.map(({ name }) => name),
      current,
      blocked: [...addresses.values()].filter(({ state }) => state === 'na').length,
      exitsAsked: asking.exitsAsked(host, address),
      newcomers: this.#newcomers,
    };
    const plan = planOf(live.of(host, known, this.#now()), around, prompt);
    const unasked =
      this.#options.asking.isBusy(host, address, 'direct') || this.#without?.includes(familyOf(address)) === true;
    return {
      ...plan,
      direct: unasked ? Number.POSITIVE_INFINITY : plan.direct,
      exits: this.#options.asking.isBusy(host, address, 'exit') ? null : plan.exits,
    };
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const next = this.#agenda.peek();
    if (next === undefined || this.#without === undefined || this.#closed) return;
    const { clock } = this.#options;
    this.#timer = clock.after(Math.max(0, next.at * 1000 - clock.monotonic()), () => this.#askDue());
  }

  #askDue(): void {
    // A timer may fire a little early.
    const now = this.#now() + 0.01;
    for (let next = this.#agenda.peek(); next !== undefined && next.at <= now; next = this.#agenda.peek()) {
      this.#agenda.take();
      this.#entries.delete(next.key);
      const [host = '', address = ''] = next.key.split(' ');
      const entry = this.#options.store.state.host(host);
      const plan = entry === undefined ? undefined : this.#planOf(entry, address);
      if (entry === undefined || plan === undefined) continue;
      const asked = { host, address, check: entry.record.check };
      if (plan.direct <= now) this.#options.asking.direct(asked);
      if (plan.exits !== null && plan.exits.at <= now) this.#options.asking.exits(asked, plan.exits.names);
      this.#plan(entry, address);
    }
    this.#arm();
  }

  /** Addresses that are asked directly, and those of them that still wait for their first check. */
  count(): readonly [all: number, waiting: number] {
    let all = 0;
    let waiting = 0;
    for (const { record, addresses } of this.#options.store.state.hosts()) {
      if (!needsProbe(record.check)) continue;
      for (const [address, known] of addresses) {
        if (this.#without?.includes(familyOf(address))) continue;
        all += 1;
        const { state } = this.#options.live.of(record.name, known, this.#now());
        if (verdictOf(state) === 'unknown' && !wasAsked(state)) waiting += 1;
      }
    }
    return [all, waiting];
  }

  /** Seconds of the monotonic clock. */
  #now(): number {
    return this.#options.clock.monotonic() / 1000;
  }
}

const keyOf = (host: string, address: string): string => `${host} ${address}`;
