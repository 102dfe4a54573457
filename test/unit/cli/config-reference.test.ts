/** docs/config.md against the code: it names every key and no other, and its defaults and examples are true. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { composeRegistry } from '../../../src/cli/compose.ts';
import type { ConfigTable, Parsed } from '../../../src/core/module.ts';
import { parseWith } from '../../../src/core/schema.ts';
import { parseToml } from '../../../src/core/toml.ts';
import type { BoundModule } from '../../../src/supervisor/bound-module.ts';
import { generalSchema } from '../../../src/supervisor/general-config.ts';
import { checkout } from '../../checkout.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

type Parse = (table: ConfigTable) => Promise<Parsed<unknown>>;

const modules = new Map<string, BoundModule>();
for (const [name, load] of composeRegistry(new MemoryLog())) modules.set(name, await load());

/** What the whole configuration is made of: what belongs to no module, and every module that this version has. */
const parts: Readonly<Record<string, Parse>> = {
  '': async (table) => parseWith(generalSchema, table),
  ...Object.fromEntries(
    [...modules].map(([name, module]) => [name, async (table: ConfigTable) => module.parse(table)]),
  ),
};

/**
 * The keys that a parser asks its table for: it is given tables that claim to have every key. Keys are dotted paths;
 * `zone[].file` is one of each table in an array.
 */
async function keysOf(parse: Parse): Promise<ReadonlySet<string>> {
  const asked = new Set<string>();
  const arrays = new Set<string>();
  const tableAt = (path: string): object =>
    new Proxy(
      {},
      {
        has(_, key) {
          asked.add(`${path}${String(key)}`);
          return true;
        },
        get: (_, key) => {
          if (typeof key !== 'string') return undefined;
          const inner = `${path}${key}`;
          return arrays.has(inner) ? [tableAt(`${inner}[].`)] : tableAt(`${inner}.`);
        },
      },
    );
  const ask = async (): Promise<unknown> => parse(tableAt('') as ConfigTable);
  await ask();
  // What asks for nothing inside a table may do so inside an array of tables.
  for (const key of leaves(asked)) arrays.add(key);
  await ask();
  return leaves(asked);
}

/** Without those that are tables of others. */
function leaves(keys: ReadonlySet<string>): Set<string> {
  const all = [...keys];
  return new Set(
    all.filter((key) => !all.some((other) => other.startsWith(`${key}.`) || other.startsWith(`${key}[].`))),
  );
}

interface Row {
  readonly key: string;
  readonly value: string;
  /** TOML, `required`, or — for none. */
  readonly fallback: string;
}

interface Section {
  /** `nbrpc.timers` */
  readonly table: string;
  readonly array: boolean;
  readonly example: string;
  readonly rows: readonly Row[];
}

const page = readFileSync(join(checkout, 'docs', 'config.md'), 'utf8');

const sections: readonly Section[] = page
  .split(/^## /m)
  .slice(1)
  .map((text) => {
    const [, open = '', table = ''] = /^`(\[\[?)([\w.-]+)\]\]?`\n/.exec(text) ?? assert.fail(`no table: ${text}`);
    const [, example = ''] = /^```toml\n([^`]*)^```$/m.exec(text) ?? assert.fail(`${table} has no example`);
    const rows = [...text.matchAll(/^\| `(\w+)` \| ([^|]*) \| (?:`([^`|]+)`|(required|—)) \| .*\|$/gm)].map(
      ([, key = '', value = '', toml, word = '']) => ({ key, value, fallback: toml ?? word }),
    );
    assert.equal(rows.length, text.match(/^\| `/gm)?.length, `${table} has rows of another form`);
    return { table, array: open === '[[', example, rows };
  });

const documented = sections.flatMap(({ table, array, rows }) =>
  rows.map(({ key }) => `${table}${array ? '[]' : ''}.${key}`),
);

test('every key of the schemas is documented, and every documented key is in a schema', async () => {
  const known: string[] = [];
  for (const [part, parse] of Object.entries(parts)) {
    for (const key of await keysOf(parse)) known.push(part === '' ? key : `${part}.${key}`);
  }
  assert.deepEqual([...documented].sort(), known.sort());
});

test('the keys that a parser asks for are found in tables and in arrays of tables', async () => {
  assert.ok((await keysOf(parts[''] ?? assert.fail())).has('control.socket'));
  const nbrpc = await keysOf(parts.nbrpc ?? assert.fail());
  for (const key of ['check_lists', 'timers.pass', 'table.exempt_uid', 'sets.direct6', 'zone[].select']) {
    assert.ok(nbrpc.has(key), key);
  }
});

/** Without which a module's table is refused. */
const needed: Readonly<Record<string, ConfigTable>> = {
  nbrpc: { check_lists: ['/x'] },
  'cgroup-nft': { group: [{ name: 'any', units: ['any.service'], mark: 1 }] },
  dyndns: { zone: [{ file: '/x' }] },
  dnstest: { name: '@.x', resolver: [{ address: '127.0.0.1' }] },
};

/** The configuration of an example with what a whole one needs. */
async function parseExample(
  section: Section,
  change: (table: Record<string, unknown>) => void = () => {},
): Promise<Parsed<unknown>> {
  const document = structuredClone(parseToml(section.example, 'example').value) as Record<string, unknown>;
  const [part = ''] = section.table.split('.');
  const whole = part in parts ? part : '';
  let table: unknown = document;
  for (const key of section.table.split('.')) table = (table as Record<string, unknown>)[key];
  change((section.array ? (table as unknown[])[0] : table) as Record<string, unknown>);
  for (const [key, value] of Object.entries(needed[whole] ?? {})) {
    const own = section.table === whole && section.rows.some((row) => row.key === key);
    if (!own) document[whole] = { [key]: value, ...(document[whole] as object) };
  }
  const parse = parts[whole] ?? assert.fail();
  return parse((whole === '' ? document : document[whole]) as ConfigTable);
}

const configOf = (parsed: Parsed<unknown>, what: string): unknown => {
  assert.ok(parsed.ok, `${what}: ${parsed.ok ? '' : JSON.stringify(parsed.problems)}`);
  return parsed.config;
};

test('the example of each table is taken, and has all of its keys', async () => {
  for (const section of sections) {
    await parseExample(section, (table) =>
      assert.deepEqual(Object.keys(table).sort(), section.rows.map(({ key }) => key).sort(), section.table),
    );
    configOf(await parseExample(section), section.table);
  }
});

test('each documented default is what leaving the key out means', async () => {
  for (const section of sections) {
    for (const { key, fallback } of section.rows) {
      const what = `${section.table}.${key}`;
      const without = await parseExample(section, (table) => {
        assert.ok(delete table[key]);
      });
      if (fallback === 'required') {
        assert.deepEqual(without.ok ? 'taken' : without.problems.map(({ message }) => message), ['is missing'], what);
        continue;
      }
      const left = configOf(without, what);
      if (fallback === '—') continue;
      const { value } = parseToml(`value = ${fallback}`, what).value;
      const written = await parseExample(section, (table) => {
        table[key] = value;
      });
      assert.deepEqual(left, configOf(written, what), `${what} = ${fallback}`);
    }
  }
});

test('what is documented as a path may be relative: the module says that it is a file name', () => {
  for (const [name, { paths }] of modules) {
    const documentedPaths = sections
      .filter(({ table }) => table.split('.')[0] === name)
      .flatMap(({ table, array, rows }) => {
        const inner = [...table.split('.').slice(1), ...(array ? ['*'] : [])];
        return rows
          .filter(({ value }) => /^(?:list of )?paths?\b/.test(value))
          .map(({ key, value }) => [...inner, key, ...(value.startsWith('list') ? ['*'] : [])].join('.'));
      });
    assert.deepEqual(documentedPaths.sort(), [...paths].sort());
  }
});

test('the page names every table of the example configuration', () => {
  const example = readFileSync(join(checkout, 'netsteward.example.toml'), 'utf8');
  const tables = new Set(sections.map(({ table }) => table));
  for (const [, table = ''] of example.matchAll(/^(?:# )?\[\[?([\w.-]+)\]\]?$/gm)) assert.ok(tables.has(table), table);
});
