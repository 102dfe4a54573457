/** From a resolver's answer to the addresses of a host that count: canonical, public, of the wanted family, not too many. */
import { isIPv4 } from 'node:net';
import { printable } from '../core/printable.ts';
import type { ResolveOutcome, Resolver } from '../system/ports.ts';
import { canonicalAddress, familyOf, isPublicAddress } from './address.ts';
import type { Family } from './model.ts';

/** More addresses in one answer are not taken: they would only crowd out the checks of other hosts. */
export const mostAddresses = 100;

export interface ResolveSettings {
  /** Milliseconds. */
  readonly timeout: number;
  /** Off in a rehearsal, whose addresses are as good as any: no filter by publicity or family. */
  readonly filter: boolean;
}

export interface ResolvedHost {
  readonly host: string;
  readonly addresses: readonly string[];
  /** Answers that were dropped: no addresses at all, or not public; as text that is safe to show. */
  readonly junk: readonly string[];
  /** How many good addresses were over the limit. */
  readonly surplus: number;
  /** The resolver said something of this name, even that it does not exist. */
  readonly answered: boolean;
  /** Why there is no address, where the resolver said so. */
  readonly failure: string | undefined;
}

/** Rejects only for an aborted signal. */
export async function resolveHost(
  resolver: Resolver,
  host: string,
  family: Family | null,
  settings: ResolveSettings,
  signal: AbortSignal,
): Promise<ResolvedHost> {
  // A literal is its own answer; a resolver that speaks DNS would look for a name of digits.
  const outcome: ResolveOutcome =
    settings.filter && isIPv4(host)
      ? { ok: true, addresses: [host] }
      : await resolver.resolve({ name: host, timeout: settings.timeout }, signal);
  if (!outcome.ok) {
    const failure = printable(outcome.detail === '' ? outcome.kind : `${outcome.kind}, ${outcome.detail}`);
    const answered = outcome.kind === 'nxdomain';
    return { host, addresses: [], junk: [], surplus: 0, answered, failure: failure.slice(0, 300) };
  }
  const good = new Set<string>();
  const junk = new Set<string>();
  for (const text of outcome.addresses) {
    const address = canonicalAddress(text);
    if (address === undefined) junk.add(printable(text.slice(0, 60)));
    else if (!settings.filter) good.add(address);
    else if (!isPublicAddress(address)) junk.add(address);
    else if (family === null || familyOf(address) === family) good.add(address);
  }
  const all = [...good].sort();
  const failure = outcome.addresses.length === 0 ? 'no addresses' : undefined;
  const most = settings.filter ? mostAddresses : all.length;
  return {
    host,
    addresses: all.slice(0, most),
    junk: [...junk].sort().slice(0, mostAddresses),
    surplus: all.length - Math.min(most, all.length),
    answered: true,
    failure,
  };
}
