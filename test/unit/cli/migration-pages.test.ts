/** docs/migrate-*.md against the command line and the configuration: each flag and each key that they name, and none left out. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandShape, commandShape } from '../../../src/cli/command-shape.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { parseToml } from '../../../src/core/toml.ts';
import { checkout } from '../../checkout.ts';

const docs = join(checkout, 'docs');
const page = (name: string): string => readFileSync(join(docs, name), 'utf8');

/** Flags of the originals, from their own --help; each page's tables name them in the first column. */
const originals: Readonly<Record<string, string>> = {
  'nbrpc.py':
    '-f --check-list-file -d --db -p --check-list-default-policy -U --update-all -S --sync-on-start -P --print-state ' +
    '-u --update-host -F --failing-checks -n --force-n-checks -Z --zone-for -z --zone-format -i --interval -t --timeout ' +
    '-l --limit -X --policy-update-cmd -x --policy-replace-cmd -s --policy-socket -q --quiet --debug --debug-curl-cmd',
  'nbrpc-policy-nft.py':
    '-s --socket -r --recv-timeout -4 --nft-set4 -6 --nft-set6 -t --nft-table -f --nft-family -q --quiet -p --nft-print',
  scnpm: '-f --flush -u --reload-with-unit -a --reapply-with-unit -c --cooldown -d --debug -h --help',
  'tddu-server.py': '-g --genkey -b --bind -v --ip-af --systemd -u --uid --update-timestamps -d --debug',
  'tddu-client.py': '-g -b --bind -v -r --random-addr -n --packets --send-delay -d',
  'dns-test-daemon': '-k --hash-key -b --bind --cache-ttl -q --any -p --ping -c -d --debug',
};

interface Section {
  readonly page: string;
  readonly original: string;
  /** Below `netsteward`: `['dyndns', 'serve']`. */
  readonly command: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The tables below headings "`nbrpc.py` → `netsteward nbrpc`", up to the next heading. */
function sections(name: string): readonly Section[] {
  return page(name)
    .split(/^## /m)
    .flatMap((text) => {
      const [, original, command] = /^`([^`]+)` → `netsteward ([^`]+)`\n/.exec(text) ?? [];
      if (original === undefined || command === undefined) return [];
      const rows = text
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .map((line) => line.slice(1, -1).split('|'));
      return [{ page: name, original, command: command.split(' '), rows }];
    });
}

const pages = readdirSync(docs).filter((name) => name.startsWith('migrate-'));
const all = pages.flatMap(sections);

const flagsIn = (text = ''): readonly string[] =>
  [...text.matchAll(/`(--?[a-z0-9][a-z0-9-]*)`/gi)].map(([, flag = '']) => flag);

function optionsOf(path: readonly string[]): readonly string[] {
  let at: CommandShape = commandShape(buildProgram());
  for (const name of path) at = at.commands.find((inner) => inner.name === name) ?? assert.fail(`no ${path.join(' ')}`);
  return at.options.flatMap((option) => option.flags);
}

test('every original has a section in one of the four pages', () => {
  assert.deepEqual(pages.sort(), [
    'migrate-cgroup-nft.md',
    'migrate-dnstest.md',
    'migrate-dyndns.md',
    'migrate-nbrpc.md',
  ]);
  assert.deepEqual(all.map(({ original }) => original).sort(), Object.keys(originals).sort());
});

for (const { page: name, original, command, rows } of all) {
  test(`${name} names every flag of ${original}, each with one that netsteward ${command.join(' ')} takes`, () => {
    const flags = (originals[original] ?? '').split(' ');
    // The table of names of -i, -t and -l has them in its second column.
    const named = rows.filter(([first]) => flagsIn(first).length > 0);
    assert.deepEqual(named.flatMap(([first]) => flagsIn(first)).sort(), [...flags].sort());
    for (const [theirs, ours] of named) {
      for (const flag of flagsIn(theirs)) assert.ok(flagsIn(ours).includes(flag), `${flag} → ${ours}`);
    }
  });

  test(`${name} names every flag of netsteward ${command.join(' ')}, and none that it has not`, () => {
    const options = optionsOf(command);
    const named = new Set(rows.flatMap(([, ours]) => flagsIn(ours)));
    assert.deepEqual([...named].sort(), [...options].sort());
  });
}

/** `dyndns.zone.file` and the like, as docs/config.md has them; config-reference.test.ts holds that page against the code. */
function configKeys(): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const text of page('config.md').split(/^## /m)) {
    const [, table] = /^`\[+([^\]]+)\]+`/.exec(text) ?? [];
    if (table === undefined) continue;
    for (const [, key] of text.matchAll(/^\| `(\w+)` \|/gm)) keys.add(`${table}.${key}`);
  }
  return keys;
}

test('every key that a migration page names is a key of the configuration', () => {
  const known = configKeys();
  const tables = new Set([...known].map((key) => key.split('.')[0] ?? ''));
  let seen = 0;
  for (const { page: name, rows } of all) {
    for (const [, key = ''] of rows.flatMap(([, , third = '']) => [...third.matchAll(/`([a-z-]+\.[a-z0-9_.]+)`/g)])) {
      if (!tables.has(key.split('.')[0] ?? '')) continue;
      assert.ok(known.has(key), `${name}: ${key}`);
      seen += 1;
    }
  }
  assert.ok(seen > 50, `only ${seen} keys`);
});

test('every configuration that a migration page shows is TOML, and has known keys alone', () => {
  const known = configKeys();
  for (const name of pages) {
    const [, toml] = /```toml\n(.*?)```/s.exec(page(name)) ?? assert.fail(`${name} shows none`);
    const walk = (value: unknown, path: readonly string[]): void => {
      for (const each of Array.isArray(value) ? value : [value]) {
        const isTable = typeof each === 'object' && each !== null;
        if (isTable) for (const [key, inner] of Object.entries(each)) walk(inner, [...path, key]);
        else assert.ok(known.has(path.join('.')), `${name}: ${path.join('.')}`);
      }
    };
    walk(parseToml(toml ?? '', name).value, []);
  }
});
