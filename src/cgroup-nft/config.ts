/** The `[cgroup-nft]` table of netsteward.toml. Durations become milliseconds. */
import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import type { ConfigTable, Parsed } from '../core/module.ts';
import { duration, integer, parseWith } from '../core/schema.ts';
import type { PortRange } from '../system/nft-script.ts';
import { unitPatternProblem } from './glob.ts';
import type { Direction } from './groups-table.ts';
import { unitNameProblem } from './unit-name.ts';

const hour = 3_600_000;

const path = v.pipe(v.string('must be a path'), v.check(isAbsolute, 'must be an absolute path'));

// Less than what nft takes (NFT_NAME_MAXLEN 256): the level is added to it.
const groupName = v.pipe(
  v.string('must be a name'),
  v.regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must start with a letter and have at most 64 letters, digits, "_" and "-"'),
);

const tableName = v.pipe(
  v.string('must be the name of a table'),
  v.regex(
    /^[A-Za-z][A-Za-z0-9_.-]{0,254}$/,
    'must start with a letter and have only letters, digits, "_", "-" and "."',
  ),
);

const unit = v.pipe(
  v.string('must be the name of a unit'),
  v.check(
    (name) => unitNameProblem(name) === undefined,
    'must be the name of a unit with its ending, such as "nftables.service"',
  ),
);

const unitPattern = v.pipe(
  v.string('must be a unit or a path of a cgroup'),
  v.rawCheck<string>(({ dataset, addIssue }) => {
    const problem = dataset.typed ? unitPatternProblem(dataset.value) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  }),
);

const ports = v.pipe(
  v.union([v.string(), v.number(), v.bigint()], 'must be a port such as 25 or a range such as "6000-6063"'),
  v.rawTransform<string | number | bigint, PortRange>(({ dataset, addIssue, NEVER }) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(dataset.value));
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match !== null && from >= 1 && from <= to && to <= 65_535) return { from, to };
    addIssue({ message: 'must be a port such as 25 or a range such as "6000-6063"' });
    return NEVER;
  }),
);

const directions = v.optional(
  v.pipe(
    v.picklist(['out', 'in', 'both'], 'must be "out", "in" or "both"'),
    v.transform((word): readonly Direction[] => (word === 'both' ? ['out', 'in'] : [word])),
  ),
  'out',
);

const group = v.pipe(
  v.strictObject({
    name: groupName,
    units: v.pipe(v.array(unitPattern, 'must be a list of units'), v.minLength(1, 'must name at least one unit')),
    mark: integer(0, 0xffffffff),
    mask: v.optional(integer(1, 0xffffffff)),
    protocols: v.optional(v.array(v.picklist(['tcp', 'udp'], 'must be "tcp" or "udp"')), []),
    ports: v.optional(v.array(ports, 'must be a list of ports'), []),
    direction: directions,
  }),
  v.transform(({ direction, ...rest }) => ({ ...rest, mask: rest.mask ?? rest.mark, directions: direction })),
  v.check(({ mask }) => mask > 0, 'mark must not be 0 without a mask'),
  v.check(({ mark, mask }) => (mark & ~mask) === 0, 'mark has bits outside of mask'),
);

const unique = (groups: { readonly name: string }[]): boolean =>
  new Set(groups.map(({ name }) => name)).size === groups.length;

const schema = v.pipe(
  v.strictObject({
    files: v.optional(v.array(path, 'must be a list of paths'), []),
    flush: v.optional(v.boolean('must be true or false'), false),
    reload_with_units: v.optional(v.array(unit), []),
    reapply_with_units: v.optional(v.array(unit), []),
    cooldown: v.optional(duration(0, hour), '300ms'),
    resync: v.optional(duration(0, 24 * hour), '10m'),
    nice: v.optional(integer(-20, 19), -20),
    realtime: v.optional(v.boolean('must be true or false'), true),
    on_stop: v.optional(v.picklist(['keep', 'flush'], 'must be "keep" or "flush"'), 'keep'),
    table: v.optional(v.strictObject({ name: v.optional(tableName, 'netsteward-units') }), {}),
    group: v.optional(
      v.pipe(
        v.array(group),
        v.check((groups) => unique(groups), 'has two groups of one name'),
      ),
      [],
    ),
  }),
  v.check(({ files, group: groups }) => files.length + groups.length > 0, 'must have files or a [[cgroup-nft.group]]'),
);

export type CgroupNftConfig = v.InferOutput<typeof schema>;
export type GroupConfig = CgroupNftConfig['group'][number];

export function parseCgroupNft(table: ConfigTable): Parsed<CgroupNftConfig> {
  return parseWith(schema, table);
}
