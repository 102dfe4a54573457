/** Zones of the known addresses, as `nbrpc -Z` prints them (pure). */
import { NetstewardError } from '../core/errors.ts';
import { familyOf } from './address.ts';
import { type AddressRecord, type Family, triOfAddress } from './model.ts';
import { newestSeen } from './policy.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import { addressesByUse, hostsByDomain } from './print.ts';
import type { HostEntry, StateView } from './state.ts';

/** Which addresses of a host are exported. */
interface Filter {
  readonly family: Family | null;
  readonly newest: boolean;
  readonly tri: boolean | null;
  readonly shuffle: boolean;
}

export interface ZoneSpec {
  readonly pattern: RegExp;
  /** Absent: the flags of the host's own policy. */
  readonly filter: Filter | undefined;
}

export type ZoneFormat = 'unbound' | 'hosts';

/** `[PREFIX]REGEX`; throws NetstewardError `usage` for a pattern that is none. */
export function parseZoneSpec(text: string): ZoneSpec {
  const [, prefix = '', pattern = ''] = /^([+*>@%]*)(.*)$/s.exec(text) ?? [];
  const has = (sign: string): boolean => prefix.includes(sign);
  const filter: Filter = {
    // Both families asked for is the same as none.
    family: has('+') === has('*') ? null : has('+') ? 4 : 6,
    newest: has('@'),
    tri: has('>') ? true : null,
    shuffle: has('%'),
  };
  return { pattern: compile(pattern), filter: prefix === '' ? undefined : filter };
}

/** What Python's `re` writes otherwise than ECMAScript does, as far as host names need it. */
function compile(pattern: string): RegExp {
  const [, flags = '', rest = ''] = /^(?:\(\?([aims]+)\))?(.*)$/s.exec(pattern) ?? [];
  const source = rest
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replaceAll(/(^|[^\\])\\A/g, '$1^')
    .replaceAll(/(^|[^\\])\\Z/g, '$1$');
  try {
    return new RegExp(source, [...new Set(flags.replace('a', ''))].join(''));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NetstewardError('usage', `-Z ${pattern}: ${reason}`, { cause: error });
  }
}

/** `random`: at least 0 and less than 1, for the shuffle. A host that several specs want is there once, with all they want. */
export function printZone(
  state: StateView,
  specs: readonly ZoneSpec[],
  fallback: Policy,
  format: ZoneFormat,
  random: () => number,
): string {
  const blocks: string[] = [];
  for (const entry of hostsByDomain(state)) {
    const { name, policy } = entry.record;
    const filters = specs
      .filter(({ pattern }) => pattern.test(name))
      .map(({ filter }) => filter ?? ownFilter(policyOf(policy, fallback)));
    if (filters.length === 0) continue;
    const addresses = wantedAddresses(entry, filters);
    if (filters.some(({ shuffle }) => shuffle)) shuffleInPlace(addresses, random);
    blocks.push(format === 'hosts' ? hostsBlock(name, addresses) : unboundBlock(name, addresses));
  }
  return blocks.join(format === 'hosts' ? '' : '\n');
}

function ownFilter({ family, zoneNewest, zoneTri, zoneShuffle }: Policy): Filter {
  return { family, newest: zoneNewest, tri: zoneTri, shuffle: zoneShuffle };
}

function wantedAddresses(entry: HostEntry, filters: readonly Filter[]): AddressRecord[] {
  const newest = newestSeen(entry.addresses.values());
  return addressesByUse(entry).filter((address) =>
    filters.some(
      (filter) =>
        (filter.family === null || filter.family === familyOf(address.address)) &&
        (!filter.newest || address.seen === newest) &&
        (filter.tri === null || filter.tri === triOfAddress(address.state)),
    ),
  );
}

/** Fisher-Yates. */
function shuffleInPlace(items: AddressRecord[], random: () => number): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [items[last], items[other]];
    if (a === undefined || b === undefined) return;
    items[last] = b;
    items[other] = a;
  }
}

/** unbound.conf(5): the names were validated when their list was read, and hold no quote. */
function unboundBlock(name: string, addresses: readonly AddressRecord[]): string {
  const zone = `local-zone: ${name.endsWith('.') ? name : `${name}.`} static\n`;
  const data = addresses.map(({ address }) => {
    const type = familyOf(address) === 4 ? 'A' : 'AAAA';
    return `local-data: '${name} ${type} ${address}'\n`;
  });
  return zone + data.join('');
}

function hostsBlock(name: string, addresses: readonly AddressRecord[]): string {
  return addresses.map(({ address }) => `${address} ${name}\n`).join('');
}
