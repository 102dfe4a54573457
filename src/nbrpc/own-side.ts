/** Whether this machine's own side works: a dead uplink or resolver looks like every service being blocked at once. */
import type { Resolver, Uplink } from '../system/ports.ts';
import { type CheckSource, checkTarget } from './checker.ts';
import type { ListEntry } from './model.ts';
import { type ResolvedHost, resolveHost } from './resolve.ts';

export type OwnSide =
  | { readonly ok: true }
  | { readonly ok: false; readonly gate: 'link' | 'resolver' | 'control'; readonly reason: string };

export interface OwnSidePorts {
  readonly uplink: Uplink;
  readonly resolver: Resolver;
  /** Over the direct route, as all checks. */
  readonly checks: CheckSource;
}

export interface OwnSideSettings {
  /** Control services: that one of them works is enough; none: neither they nor the resolver are looked at. */
  readonly services: readonly ListEntry[];
  /** Milliseconds for one name. */
  readonly resolveTimeout: number;
}

/** Addresses of one control service that are tried. */
const mostAddresses = 4;

export class OwnSideGates {
  readonly #ports: OwnSidePorts;
  readonly #settings: OwnSideSettings;
  /** The one that worked last is asked first. */
  #first: ListEntry | undefined;

  constructor(ports: OwnSidePorts, settings: OwnSideSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  /** Link, resolver, control services. Rejects only for an aborted signal. */
  async look(signal: AbortSignal): Promise<OwnSide> {
    const link = await this.#ports.uplink.state();
    if (!link.up) return { ok: false, gate: 'link', reason: link.detail };
    const { services } = this.#settings;
    const first = this.#first ?? services[0];
    if (first === undefined) return { ok: true };
    // One request a pass is what the operators of these services see of us; the others are asked only when it fails.
    const tried = [await this.#try(first, signal)];
    if (!tried.some(({ works }) => works)) {
      const others = services.filter((service) => service !== first);
      tried.push(...(await Promise.all(others.map((service) => this.#try(service, signal)))));
    }
    const working = tried.find(({ works }) => works);
    if (working !== undefined) {
      this.#first = working.service;
      return { ok: true };
    }
    const gate = tried.some(({ answered }) => answered) ? 'control' : 'resolver';
    const reasons = tried.map(({ service, reason }) => `${service.host}: ${reason}`);
    return { ok: false, gate, reason: reasons.join('; ') };
  }

  async #try(service: ListEntry, signal: AbortSignal): Promise<Trial> {
    const { host, check } = service;
    const settings = { timeout: this.#settings.resolveTimeout, filter: true };
    const resolved = await resolveHost(this.#ports.resolver, host, null, settings, signal);
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
