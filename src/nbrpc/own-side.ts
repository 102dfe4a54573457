/** Whether this machine's own side works: a dead uplink or resolver looks like every service being blocked at once. */
import { isIPv4 } from 'node:net';
import type { Resolver, Uplink } from '../system/ports.ts';
import { type CheckSource, checkTarget } from './checker.ts';
import type { Family, ListEntry } from './model.ts';
import { newestSeen } from './policy.ts';
import { type ResolvedHost, resolveHost } from './resolve.ts';
import type { StateView } from './state.ts';

export type OwnSide =
  /** `without`: families that this machine has no route for, whose addresses cannot be checked from here; absent for none. */
  | { readonly ok: true; readonly without?: readonly Family[] }
  | { readonly ok: false; readonly gate: 'link' | 'resolver' | 'control'; readonly reason: string };

export interface OwnSidePorts {
  readonly uplink: Uplink;
  readonly resolver: Resolver;
  /** Whether its names can be believed, as the watch of resolvers says; undefined: nobody watches it. */
  readonly believable?: () => boolean | undefined;
  /** Over the direct route, as all checks. */
  readonly checks: CheckSource;
}

export interface OwnSideSettings {
  /** Whether the link of the default route is looked at; absent: it is. */
  readonly uplink?: boolean;
  /** Control services: that one of them works is enough; none: the resolver alone is asked, for names of our own. */
  readonly services: readonly ListEntry[];
  /** Milliseconds for one name. */
  readonly resolveTimeout: number;
}

/** Addresses of one control service that are tried. */
const mostAddresses = 4;
/** A name that every resolver of the internet can say something of; asked for when it says nothing of our own. */
const neutralName = 'a.root-servers.net';
/** Names of our own that it is tried with before. */
const mostTrials = 3;

export class OwnSideGates {
  readonly #ports: OwnSidePorts;
  readonly #settings: OwnSideSettings;
  /** The one that worked last is asked first. */
  #first: ListEntry | undefined;

  constructor(ports: OwnSidePorts, settings: OwnSideSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  /**
   * Link, resolver, control services. `names`: some that the resolver may be asked for, those that it has answered first;
   * none: it is not looked at alone. Rejects only for an aborted signal.
   */
  async look(signal: AbortSignal, names: () => readonly string[] = () => []): Promise<OwnSide> {
    const { uplink = true, services } = this.#settings;
    const link = uplink ? await this.#ports.uplink.state() : { up: true as const };
    if (!link.up) return { ok: false, gate: 'link', reason: link.detail };
    // It may answer all that is asked here, from its cache or with lies: dnstest asks what no cache can know.
    if (this.#ports.believable?.() === false) {
      return {
        ok: false,
        gate: 'resolver',
        reason: 'the watch of resolvers (dnstest) says that it does not answer right',
      };
    }
    const failure = services.length === 0 ? await this.#resolver(names(), signal) : await this.#services(signal);
    return failure ?? { ok: true, ...(link.without?.length ? { without: link.without } : {}) };
  }

  async #services(signal: AbortSignal): Promise<OwnSide | undefined> {
    const { services } = this.#settings;
    const first = this.#first ?? services[0];
    if (first === undefined) return undefined;
    // One request a pass is what the operators of these services see of us; the others are asked only when it fails.
    const tried = [await this.#try(first, signal)];
    if (!tried.some(({ works }) => works)) {
      const others = services.filter((service) => service !== first);
      tried.push(...(await Promise.all(others.map((service) => this.#try(service, signal)))));
    }
    const working = tried.find(({ works }) => works);
    if (working !== undefined) {
      this.#first = working.service;
      return undefined;
    }
    const gate = tried.some(({ answered }) => answered) ? 'control' : 'resolver';
    const reasons = tried.map(({ service, reason }) => `${service.host}: ${reason}`);
    return { ok: false, gate, reason: reasons.join('; ') };
  }

  /** One answer of any kind shows that the resolver is there; a name of our own may be dead by its own fault. */
  async #resolver(names: readonly string[], signal: AbortSignal): Promise<OwnSide | undefined> {
    const [first, ...others] = names;
    if (first === undefined) return undefined;
    const asked = [await this.#ask(first, signal)];
    if (asked.some(({ answered }) => answered)) return undefined;
    asked.push(...(await Promise.all([...others, neutralName].map((name) => this.#ask(name, signal)))));
    if (asked.some(({ answered }) => answered)) return undefined;
    const reasons = asked.map((resolved) => `${resolved.host}: ${unresolved(resolved)}`);
    return { ok: false, gate: 'resolver', reason: reasons.join('; ') };
  }

  #ask(host: string, signal: AbortSignal): Promise<ResolvedHost> {
    const settings = { timeout: this.#settings.resolveTimeout, filter: true };
    return resolveHost(this.#ports.resolver, host, null, settings, signal);
  }

  async #try(service: ListEntry, signal: AbortSignal): Promise<Trial> {
    const { host, check } = service;
    const resolved = await this.#ask(host, signal);
    if (resolved.addresses.length === 0) {
      return { service, works: false, answered: resolved.answered, reason: unresolved(resolved) };
    }
    const results = await Promise.all(
      resolved.addresses
        .slice(0, mostAddresses)
        .map((address) => checkTarget(this.#ports.checks, { host, address, check }, signal)),
    );
    const reasons = results.map((result) =>
      result.kind === 'fail' ? result.reason : result.kind === 'untried' ? result.detail : 'no result',
    );
    const works = results.some(({ kind }) => kind === 'ok');
    return { service, works, answered: true, reason: [...new Set(reasons)].slice(0, 2).join(', ') };
  }
}

interface Trial {
  readonly service: ListEntry;
  readonly works: boolean;
  /** The resolver said something, even that there is no such name. */
  readonly answered: boolean;
  readonly reason: string;
}

function unresolved({ junk, failure }: ResolvedHost): string {
  return junk.length > 0
    ? `answered with ${junk.slice(0, 3).join(', ')}`
    : `does not resolve: ${failure ?? 'no addresses'}`;
}

/** Names of our own that the resolver should know best: those that it has answered last. */
export function trialNames(state: StateView): readonly string[] {
  const names = [...state.hosts()]
    .filter(({ record }) => !isIPv4(record.name))
    .map(({ record, addresses }) => ({ name: record.name, seen: newestSeen(addresses.values()) }));
  names.sort((a, b) => b.seen - a.seen);
  return names.slice(0, mostTrials).map(({ name }) => name);
}
