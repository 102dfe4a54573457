/** The `[dnstest]` table of netsteward.toml: which resolvers are watched, and what is done when one fails. Durations become milliseconds. */
import * as v from 'valibot';
import type { Problem } from '../core/diagnostic.ts';
import type { ConfigTable, Parsed } from '../core/module.ts';
import { duration, integer, parseWith } from '../core/schema.ts';
import { readHostPort } from './host-port.ts';
import { readNameTemplate } from './name-template.ts';
import { hashKey, path, serve, wrongServe } from './serve-config.ts';
import { labelOf, readResolver } from './transport-address.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const word = v.pipe(v.string('must be a word'), v.minLength(1, 'must not be empty'));
const command = v.array(word, 'must be a list of words: a program and its arguments');

/** A unit that systemctl(1) takes for one: no glob, no option. */
const unit = v.pipe(
  v.string('must be a unit'),
  v.regex(/^[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*\.[a-z]+$/, 'must be a unit with its suffix, such as "unbound.service"'),
);

const resolverAddress = v.pipe(
  v.string('must be a resolver'),
  v.rawCheck<string>(({ dataset, addIssue }) => {
    const problem = dataset.typed ? readResolver(dataset.value).problem : undefined;
    if (problem !== undefined) addIssue({ message: `must be the address of a resolver: ${problem}` });
  }),
);

const serverAddress = v.pipe(
  resolverAddress,
  v.check((text) => text !== 'system', 'must be an address: through "system" nobody can tell who answers'),
);

const resolver = v.strictObject({
  address: resolverAddress,
  flush: v.optional(command, []),
  reload: v.optional(unit),
  restart: v.optional(unit),
  hook: v.optional(command, []),
  fallback_file: v.optional(path),
  fallback_content: v.optional(v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty'))),
  fallback_command: v.optional(command, []),
  fallback_resolver: v.optional(serverAddress),
  cure_timeout: v.optional(duration(100, hour), '2m'),
  settle: v.optional(duration(0, hour), '3s'),
});

const guard = v.strictObject({
  uplink: v.optional(v.boolean('must be true or false'), true),
  ping: v.optional(v.array(word, 'must be a list of hosts'), []),
  tcp: v.optional(
    v.array(
      v.pipe(
        v.string('must be an address with a port'),
        v.check(
          (text) => readHostPort(text) !== undefined,
          'must be a numeric address with a port, such as "192.0.2.1:443" or "[2001:db8::1]:443"',
        ),
      ),
      'must be a list of addresses with ports',
    ),
    [],
  ),
  timeout: v.optional(duration(100, minute), '5s'),
});

const schema = v.strictObject({
  name: v.optional(
    v.pipe(
      v.string('must be a name'),
      v.rawCheck<string>(({ dataset, addIssue }) => {
        const problem = dataset.typed ? readNameTemplate(dataset.value).problem : undefined;
        if (problem !== undefined) addIssue({ message: `must be a name: ${problem}` });
      }),
      v.check(
        (text) => text.includes('@'),
        'must have an "@", which becomes random letters: a cache may know a fixed name',
      ),
    ),
  ),
  hash_key: v.optional(hashKey, ''),
  hash_key_file: v.optional(path),
  old_keys: v.optional(v.array(hashKey, 'must be a list of keys'), []),
  query: v.optional(v.picklist(['A', 'AAAA'], 'must be "A" or "AAAA"'), 'A'),
  any: v.optional(v.boolean('must be true or false'), false),
  mixed_case: v.optional(v.boolean('must be true or false'), false),
  control: v.optional(serverAddress),
  check_timeout: v.optional(duration(10, 5 * minute), '5s'),
  slow: v.optional(duration(1, 5 * minute)),
  ca: v.optional(path),
  interval: v.optional(duration(1000, day), '150s'),
  retries: v.optional(integer(0, 1000), 6),
  timeout: v.optional(duration(0, day), '100s'),
  rest: v.optional(duration(1000, 7 * day), '15m'),
  longest_rest: v.optional(duration(1000, 30 * day), '1d'),
  calm: v.optional(duration(0, 30 * day), '1h'),
  grace: v.optional(duration(0, day), '5m'),
  state: v.optional(path, '/var/lib/netsteward/dnstest.db'),
  guard: v.optional(guard, {}),
  serve: v.optional(serve),
  resolver: v.optional(v.array(resolver, 'must be tables: [[dnstest.resolver]]'), []),
});

/** Plain data: it crosses threads. */
export type DnstestConfig = v.InferOutput<typeof schema>;
export type ResolverConfig = DnstestConfig['resolver'][number];

export function parseDnstest(table: ConfigTable): Parsed<DnstestConfig> {
  const parsed = parseWith(schema, table);
  if (!parsed.ok) return parsed;
  const problems = [...contradictions(parsed.config)];
  return problems.length === 0 ? parsed : { ok: false, problems };
}

function* contradictions(config: DnstestConfig): Generator<Problem> {
  const { resolver: resolvers, rest, longest_rest, serve: serving } = config;
  if (resolvers.length > 0 && config.name === undefined) yield { path: ['name'], message: 'is missing' };
  if (resolvers.length === 0 && serving === undefined) {
    yield {
      path: ['resolver'],
      message: 'must have at least one [[dnstest.resolver]], where there is no [dnstest.serve]',
    };
  }
  if (serving !== undefined) {
    for (const problem of wrongServe(serving)) yield { ...problem, path: ['serve', ...problem.path] };
  }
  if (longest_rest < rest) yield { path: ['longest_rest'], message: 'must not be shorter than rest' };
  const labels = new Set<string>();
  const files = new Set<string>();
  for (const [index, each] of resolvers.entries()) {
    const at = ['resolver', index];
    const label = labelOf(each.address);
    if (labels.has(label)) yield { path: [...at, 'address'], message: `${label} is there twice` };
    labels.add(label);
    for (const problem of wrongFallback(each)) yield { ...problem, path: [...at, ...problem.path] };
    const { fallback_file: file } = each;
    if (file === undefined) continue;
    if (files.has(file)) yield { path: [...at, 'fallback_file'], message: `${file} is another resolver's already` };
    files.add(file);
  }
}

function* wrongFallback(each: ResolverConfig): Generator<Problem> {
  const { fallback_file: file, fallback_content: content } = each;
  if (file !== undefined && each.address === 'system') {
    const message = 'is not for "system": nobody could tell when the first resolver works again; name its address';
    yield { path: ['fallback_file'], message };
  }
  if (file !== undefined && content === undefined) yield { path: ['fallback_content'], message: 'is missing' };
}
