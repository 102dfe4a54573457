/** The `[dyndns]` table of netsteward.toml. Durations become milliseconds. */
import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import type { Problem } from '../core/diagnostic.ts';
import type { ConfigTable, Parsed } from '../core/module.ts';
import { duration, parseWith } from '../core/schema.ts';
import { readBind } from './binding.ts';
import { idOf, policiesOf } from './key-policies.ts';
import { readVerifyKey } from './keys.ts';
import { optionalKinds } from './record.ts';

const hour = 3_600_000;

const path = v.pipe(v.string('must be a path'), v.check(isAbsolute, 'must be an absolute path'));
const words = v.array(v.string('must be a word'), 'must be a list of words');

const zone = v.strictObject({
  file: path,
  update_command: v.optional(words, []),
  timeout: v.optional(duration(1000, hour), '2m'),
  records: v.optional(
    v.array(v.picklist(optionalKinds, `must be one of ${optionalKinds.join(' ')}`), 'must be a list of line kinds'),
    [],
  ),
});

const verifyKey = v.pipe(
  v.string('must be a verify key'),
  v.rawCheck<string>(({ dataset, addIssue }) => {
    const problem = dataset.typed ? readVerifyKey(dataset.value).problem : undefined;
    if (problem !== undefined) addIssue({ message: `must be a verify key: this is ${problem}` });
  }),
);

const key = v.strictObject({
  key: verifyKey,
  names: v.optional(words, ['*']),
  sources: v.optional(words, ['public']),
  minimum_interval: v.optional(duration(0, 24 * hour), '0s'),
});

const unique = (values: readonly string[]): boolean => new Set(values).size === values.length;

const schema = v.strictObject({
  bind: v.optional(
    v.pipe(
      v.string('must be an address with a port'),
      v.check(
        (text) => readBind(text) !== undefined,
        'must be a numeric address with a port, such as "[::]:5533" or "192.0.2.1:5533"',
      ),
    ),
    '[::]:5533',
  ),
  state: v.optional(path, '/var/lib/netsteward/dyndns.db'),
  clock_window: v.optional(duration(0, 24 * hour), '600s'),
  update_timestamps: v.optional(v.boolean('must be true or false'), false),
  verify: v.optional(
    v.pipe(
      v.string('must be an address'),
      v.check((text) => isIP(text) !== 0, 'must be the numeric address of a name server, such as "127.0.0.1"'),
    ),
  ),
  zone: v.pipe(
    v.array(zone, 'must be tables: [[dyndns.zone]]'),
    v.minLength(1, 'must have at least one [[dyndns.zone]]'),
    v.check((zones) => unique(zones.map(({ file }) => file)), 'has a file twice'),
  ),
  key: v.optional(
    v.pipe(
      v.array(key, 'must be tables: [[dyndns.key]]'),
      v.check((keys) => unique(keys.map((one) => idOf(one.key))), 'has a key twice'),
    ),
    [],
  ),
});

/** Plain data: it crosses threads. */
export type DyndnsConfig = v.InferOutput<typeof schema>;

export function parseDyndns(table: ConfigTable): Parsed<DyndnsConfig> {
  const parsed = parseWith(schema, table);
  if (!parsed.ok) return parsed;
  const problems: Problem[] = [];
  policiesOf(parsed.config, problems);
  return problems.length === 0 ? parsed : { ok: false, problems };
}
