/** Zones of the known addresses, as `nbrpc -Z` prints them (pure). */
import { isIPv4 } from 'node:net';
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

export const zoneFormats = ['unbound', 'hosts', 'dnsmasq', 'rpz'] as const;
export type ZoneFormat = (typeof zoneFormats)[number];

/** `[PREFIX]REGEX`; throws NetstewardError `usage` for a pattern that is none. */
export function parseZoneSpec(text: string): ZoneSpec {
  const [, prefix = '', pattern = ''] = /^([+*>@%]*)(.*)$/s.exec(text) ?? [];
  return zoneSpec(prefix, pattern);
}

/** The two parts of it by themselves; throws NetstewardError `usage` for a pattern that is none. */
export function zoneSpec(prefix: string, pattern: string): ZoneSpec {
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
  const [, flags = '', rest = ''] = /^(?:\(\?([aimsu]+)\))?(.*)$/s.exec(pattern) ?? [];
  const source = rest
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replaceAll(/(^|[^\\])\\A/g, '$1^')
    .replaceAll(/(^|[^\\])\\Z/g, '$1$');
  try {
    // `a` and `u` choose between ASCII and Unicode classes, which are one to names of ASCII.
    return new RegExp(source, [...new Set(flags.replaceAll(/[au]/g, ''))].join(''));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NetstewardError('usage', `${pattern}: ${reason}`, { cause: error });
  }
}

export interface ZoneShape {
  readonly format: ZoneFormat;
  /** At least 0 and less than 1, for the shuffle. */
  readonly random: () => number;
  /** Of a response policy zone: larger each time that the content changes (RFC 1982). */
  readonly serial: number;
}

/** A host that several specs want is there once, with all they want. */
export function printZone(
  state: StateView,
  specs: readonly ZoneSpec[],
  fallback: Policy,
  { format, random, serial }: ZoneShape,
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
    blocks.push(blockOf[format](name, addresses));
  }
  const head = format === 'rpz' ? rpzHead(serial) : '';
  return head + blocks.join(format === 'unbound' ? '\n' : '');
}

type Block = (name: string, addresses: readonly AddressRecord[]) => string;

const blockOf: Readonly<Record<ZoneFormat, Block>> = {
  unbound: unboundBlock,
  hosts: hostsBlock,
  dnsmasq: dnsmasqBlock,
  rpz: rpzBlock,
};

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

const bare = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name);

/** dnsmasq(8): nothing of the name is asked elsewhere, as with unbound's static zones. It would not start with a name that it does not like. */
function dnsmasqBlock(name: string, addresses: readonly AddressRecord[]): string {
  const host = bare(name);
  if (addresses.length === 0 || host.includes('=') || isIPv4(host)) return '';
  return `local=/${host}/\n${addresses.map(({ address }) => `host-record=${host},${address}\n`).join('')}`;
}

/** A response policy zone (draft-vixie-dnsop-dns-rpz §3): owner names are relative to the zone, so they have no dot at the end. */
function rpzBlock(name: string, addresses: readonly AddressRecord[]): string {
  const records = addresses.map(
    ({ address }) => `${bare(name)} ${familyOf(address) === 4 ? 'A' : 'AAAA'} ${address}\n`,
  );
  return records.join('');
}

function rpzHead(serial: number): string {
  return `$TTL 300\n@ SOA localhost. hostmaster.localhost. ${serial} 3600 600 604800 300\n@ NS localhost.\n`;
}
