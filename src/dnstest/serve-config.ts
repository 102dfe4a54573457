/** The `[dnstest.serve]` table: the test zone's server in the supervisor; and keys, which server and checks share. */
import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import type { Problem } from '../core/diagnostic.ts';
import { duration } from '../core/schema.ts';
import { NameHash } from './name-hash.ts';
import { answererOf, bindingsOf, readBind } from './serve-answerer.ts';
import { servedZones } from './serve-zones.ts';

export const path = v.pipe(v.string('must be a path'), v.check(isAbsolute, 'must be an absolute path'));

export const hashKey = v.pipe(
  v.string('must be a key'),
  v.rawCheck<string>(({ dataset, addIssue }) => {
    const problem = dataset.typed ? problemOf(() => new NameHash(dataset.value)) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  }),
);

const bind = v.pipe(
  v.string('must be an address'),
  v.check(
    (text) => readBind(text) !== undefined,
    'must be a numeric address with or without a port, such as "192.0.2.1" or "[2001:db8::1]:5353"',
  ),
);

const text = v.string('must be text');

/** Milliseconds; RFC 2181 section 8: 2^31 - 1 seconds. */
const longestTtl = (2 ** 31 - 1) * 1000;

export const serve = v.strictObject({
  bind: v.optional(v.array(bind, 'must be a list of addresses'), ['127.0.0.1']),
  hash_key: v.optional(hashKey),
  hash_key_file: v.optional(path),
  zones: v.pipe(v.array(text, 'must be a list of names'), v.minLength(1, 'must have at least one name')),
  ns: v.optional(v.array(text, 'must be a list of name servers'), []),
  cache_ttl: v.optional(duration(0, longestTtl), '5m'),
});

export type ServeConfig = v.InferOutput<typeof serve>;

/** Paths are those inside the table. */
export function* wrongServe(config: ServeConfig): Generator<Problem> {
  if (config.bind.length === 0) yield { path: ['bind'], message: 'must have at least one address' };
  const bindings = bindingsOf(config).map(({ address, port }) => `${address} ${port}`);
  if (new Set(bindings).size < bindings.length) yield { path: ['bind'], message: 'has an address twice' };
  const zones = problemOf(() => servedZones(config.zones, [], []).map((zone) => answererOf('', config, [zone])));
  if (zones !== undefined) yield { path: ['zones'], message: zones };
  else {
    const ns = problemOf(() => answererOf('', config, servedZones(config.zones, config.ns, [])));
    if (ns !== undefined) yield { path: ['ns'], message: ns.replace(/^--ns /, '') };
  }
}

function problemOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
