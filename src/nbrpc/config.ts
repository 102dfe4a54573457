/** The `[nbrpc]` table of netsteward.toml. Durations become milliseconds. */
import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import { describeError } from '../core/errors.ts';
import type { ConfigTable, Parsed } from '../core/module.ts';
import { printable } from '../core/printable.ts';
import { duration, integer, parseWith } from '../core/schema.ts';
import { canonicalAddress } from './address.ts';
import { parseToken } from './check-list.ts';
import { exitKeys, exitProblems } from './exit-config.ts';
import { flowKeys, flowProblems } from './flow-config.ts';
import { guardKeys, guardProblems } from './guard-config.ts';
import type { ListEntry } from './model.ts';
import { type Policy, parsePolicy } from './policy-spec.ts';
import { neutralName, secondResolvers } from './reason-config.ts';
import { contractLimits } from './settings.ts';
import { usualTable } from './sink-of.ts';
import { type ZoneFormat, type ZoneSpec, zoneFormats, zoneSpec } from './zone.ts';

const hour = 3_600_000;
const longest = 10 * 365 * 24 * hour;

const path = v.pipe(v.string('must be a path'), v.check(isAbsolute, 'must be an absolute path'));

// What nft(8), "LEXICAL CONVENTIONS", takes as an identifier, less the slashes; NFT_NAME_MAXLEN is 256 with its NUL.
const nftName = (what: string) =>
  v.pipe(
    v.string(`must be the name of ${what}`),
    v.regex(
      /^[A-Za-z][A-Za-z0-9_.-]{0,254}$/,
      'must start with a letter and have only letters, digits, "_", "-" and "."',
    ),
  );

const policy = v.pipe(
  v.string('must be a policy such as "af-all" or "pick.4"'),
  v.rawTransform<string, Policy>(({ dataset, addIssue, NEVER }) => {
    const parsed = parsePolicy(dataset.value);
    if (parsed.ok) return parsed.policy;
    addIssue({ message: parsed.message });
    return NEVER;
  }),
);

export interface NameServer {
  /** Canonical text. */
  readonly address: string;
  readonly port: number;
}

const nameServer = v.pipe(
  v.string('must be an address such as "9.9.9.9" or "[2620:fe::fe]:53"'),
  v.rawTransform<string, NameServer>(({ dataset, addIssue, NEVER }) => {
    const server = parseNameServer(dataset.value);
    if (server !== undefined) return server;
    addIssue({ message: 'must be an address such as "9.9.9.9", "9.9.9.9:53", "2620:fe::fe" or "[2620:fe::fe]:53"' });
    return NEVER;
  }),
);

function parseNameServer(text: string): NameServer | undefined {
  const bare = canonicalAddress(text);
  if (bare !== undefined) return { address: bare, port: 53 };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/.exec(text);
  const address = canonicalAddress(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3] ?? '53');
  return address === undefined || port < 1 || port > 65_535 ? undefined : { address, port };
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

const portRange = v.pipe(
  v.string('must be a range of ports such as "61000-64999"'),
  v.rawTransform<string, PortRange>(({ dataset, addIssue, NEVER }) => {
    const match = /^(\d{1,5})-(\d{1,5})$/.exec(dataset.value);
    const [first, last] = [Number(match?.[1]), Number(match?.[2])];
    if (match !== null && first >= 1 && first <= last && last <= 65_535) return { first, last };
    addIssue({ message: 'must be a range of ports such as "61000-64999"' });
    return NEVER;
  }),
);

const timers = v.optional(
  v.strictObject({
    pass: v.optional(duration(100, longest), '4m'),
    host_addrs: v.optional(duration(0, longest), '7m'),
    addr_state: v.optional(duration(0, longest), '15h'),
    host_ok_state: v.optional(duration(0, longest), '41h'),
    host_na_state: v.optional(duration(0, longest), '10h'),
    host_addr_timeout: v.optional(duration(0, longest), '12d'),
  }),
  {},
);

const limits = v.optional(
  v.strictObject({
    iter_hosts: v.optional(integer(1, 1_000_000), contractLimits.iterHosts),
    iter_addrs: v.optional(integer(1, 1_000_000), contractLimits.iterAddrs),
    addrs_per_host: v.optional(integer(1, 10_000), contractLimits.addrsPerHost),
  }),
  {},
);

const check = v.optional(
  v.strictObject({
    timeout: v.optional(duration(100, hour), '30s'),
    body_limit: v.optional(integer(0, 100_000_000), 65_536),
    ca_file: v.optional(path),
    neutral_name: neutralName,
  }),
  {},
);

const resolver = v.optional(
  v.strictObject({
    servers: v.optional(v.pipe(v.array(nameServer), v.minLength(1, 'must name at least one server'))),
    second: secondResolvers,
    timeout: v.optional(duration(100, hour), '10s'),
  }),
  {},
);

const service = v.pipe(
  v.string('must be a check-list token such as "example.org:https=200"'),
  v.rawTransform<string, ListEntry>(({ dataset, addIssue, NEVER }) => {
    const parsed = /\s/.test(dataset.value) ? undefined : parseToken(dataset.value);
    if (parsed?.ok && ['https', 'http'].includes(parsed.entry.check.type)) return parsed.entry;
    const why =
      parsed === undefined || parsed.ok
        ? `must be an http or https check, not ${printable(dataset.value)}`
        : parsed.message;
    addIssue({ message: why });
    return NEVER;
  }),
);

// Of three networks, with answers that no sign-in page of a hotel gives.
export const controlServices = [
  'www.google.com:https/generate_204=204',
  'www.apple.com:https/library/test/success.html=200',
  'www.debian.org:https=200',
];

const control = v.optional(
  v.strictObject({
    uplink: v.optional(v.boolean('must be true or false'), true),
    services: v.optional(
      v.pipe(
        v.array(service, 'must be a list of check-list tokens; [] for none'),
        v.maxLength(16, 'must name at most 16 services'),
      ),
      controlServices,
    ),
  }),
  {},
);

const stateLog = v.strictObject({
  file: path,
  max_size: v.optional(integer(65_536, 1_000_000_000_000), 16_777_216),
});

const zone = v.strictObject({
  format: v.picklist(zoneFormats, `must be one of ${zoneFormats.join(', ')}`),
  file: path,
  select: v.optional(v.string('must be a regular expression'), ''),
  flags: v.optional(
    v.pipe(v.string('must be a text of flags'), v.regex(/^[+*>@%]*$/, 'must be made of the flags + * > @ %')),
    '',
  ),
  reload: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string('must be a text'),
          v.check((word) => !word.includes('\0'), 'cannot contain a zero byte'),
        ),
        'must be a list: the program, then its arguments',
      ),
      v.minLength(1, 'must name a program'),
      v.check(([program]) => program !== '', 'must name a program'),
    ),
  ),
  reload_timeout: v.optional(duration(100, hour), '30s'),
});

const zones = v.optional(
  v.pipe(
    v.array(
      v.pipe(
        zone,
        v.rawTransform<v.InferOutput<typeof zone>, ZoneConfig>(({ dataset, addIssue, NEVER }) => {
          const { select, flags, ...rest } = dataset.value;
          try {
            return { ...rest, spec: zoneSpec(flags, select) };
          } catch (error) {
            const at = { type: 'object', origin: 'value', input: dataset.value, key: 'select', value: select } as const;
            addIssue({ message: `must be a regular expression: ${printable(describeError(error))}`, path: [at] });
            return NEVER;
          }
        }),
      ),
      'must be tables: [[nbrpc.zone]]',
    ),
    v.check((all) => new Set(all.map(({ file }) => file)).size === all.length, 'must name each file only once'),
  ),
  [],
);

/** A file that is kept at the known addresses of some hosts. */
export interface ZoneConfig {
  readonly format: ZoneFormat;
  readonly file: string;
  readonly spec: ZoneSpec;
  /** Run after the file has changed: program and arguments. */
  readonly reload?: readonly string[] | undefined;
  /** Milliseconds. */
  readonly reload_timeout: number;
}

const mark = integer(1, 0xffff_ffff);
const { exempt_source_ports: usualPorts } = usualTable;

const table = v.pipe(
  v.strictObject({
    name: v.optional(nftName('an nftables table'), usualTable.name),
    mark: v.optional(mark, usualTable.mark),
    mask: v.optional(mark, usualTable.mask),
    mark_forwarded: v.optional(v.boolean('must be true or false'), usualTable.mark_forwarded),
    mark_own: v.optional(v.boolean('must be true or false'), usualTable.mark_own),
    exempt_source_ports: v.optional(portRange, `${usualPorts.first}-${usualPorts.last}`),
    exempt_uid: v.optional(integer(0, 0xffff_fffe)),
  }),
  v.forward(
    // A bit of the mark outside of the mask would never be set; no bit inside would mark nothing.
    v.check((value) => (BigInt(value.mark) & ~BigInt(value.mask)) === 0n, 'must have no bits outside of mask'),
    ['mark'],
  ),
);

const setName = v.optional(nftName('an nftables set'));

const sets = v.pipe(
  v.strictObject({
    family: v.optional(v.picklist(['inet', 'ip', 'ip6'], 'must be "inet", "ip" or "ip6"'), 'inet'),
    table: v.optional(nftName('an nftables table'), 'filter'),
    blocked4: setName,
    blocked6: setName,
    direct4: setName,
    direct6: setName,
    drop4: setName,
    drop6: setName,
    listed4: setName,
    listed6: setName,
    seen4: setName,
    seen6: setName,
  }),
  v.check((value) => namesOf(value).length > 0, 'must name at least one of blocked4, blocked6, direct4, direct6'),
  v.check((value) => {
    const { listed4, listed6, seen4, seen6 } = value;
    const all = [...namesOf(value), ...[listed4, listed6, seen4, seen6].filter((name) => name !== undefined)];
    return new Set(all).size === all.length;
  }, 'must name each set only once'),
);

function namesOf(value: Readonly<Record<string, string | undefined>>): readonly string[] {
  const { blocked4, blocked6, direct4, direct6, drop4, drop6 } = value;
  return [blocked4, blocked6, direct4, direct6, drop4, drop6].filter((name) => name !== undefined);
}

const schema = v.pipe(
  v.strictObject({
    check_lists: v.pipe(
      v.array(path, 'must be a list of paths'),
      v.minLength(1, 'must name at least one file'),
      v.check((paths) => new Set(paths).size === paths.length, 'must name each file only once'),
    ),
    state: v.optional(path, '/var/lib/netsteward/nbrpc.db'),
    default_policy: v.optional(policy, 'af-all'),
    on_stop: v.optional(v.picklist(['keep', 'flush'], 'must be "keep" or "flush"'), 'keep'),
    agent: v.optional(path),
    timers,
    limits,
    check,
    resolver,
    control,
    state_log: v.optional(stateLog),
    zone: zones,
    table: v.optional(table),
    sets: v.optional(sets),
    ...guardKeys,
    ...exitKeys,
    ...flowKeys,
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    for (const { path, message } of flowProblems(value)) {
      addIssue({ message, path: [{ type: 'object', origin: 'value', input: value, key: path[0], value: true }] });
    }
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    for (const { path, message } of exitProblems(value, value.table ?? usualTable)) {
      const items = path.map((key) => ({ type: 'object', origin: 'value', input: {}, key: `${key}`, value }) as const);
      const [first, ...rest] = items;
      if (first !== undefined) addIssue({ message, path: [first, ...rest] });
    }
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    const mask = (value.table ?? usualTable).mask;
    for (const { path, message } of guardProblems(value, mask)) {
      const [key, inner] = path;
      const at = { type: 'object', origin: 'value', input: value, key, value: value[key] } as const;
      const below = { ...at, key: inner ?? '' };
      addIssue({ message, path: inner === undefined ? [at] : [at, below] });
    }
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || dataset.value.table === undefined || dataset.value.sets === undefined) return;
    const { value } = dataset;
    addIssue({
      message: 'cannot stand beside [nbrpc.table]: netsteward keeps its own table, or sets of yours',
      path: [{ type: 'object', origin: 'value', input: value, key: 'sets', value: value.sets }],
    });
  }),
);

export type NbrpcTable = v.InferOutput<typeof table>;
export type NbrpcSets = v.InferOutput<typeof sets>;
export type NbrpcConfig = v.InferOutput<typeof schema>;

export function parseNbrpc(source: ConfigTable): Parsed<NbrpcConfig> {
  return parseWith(schema, source);
}
