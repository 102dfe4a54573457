/** Texts of rules with cgroups in them, as nft and the kernel take them: real nft, real directories of a cgroup2 tree, real packets. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compilePattern, matchesPath } from '../../src/cgroup-nft/glob.ts';
import type { UnitStatement } from '../../src/cgroup-nft/rule.ts';
import { parseRuleFile, printRuleFile } from '../../src/cgroup-nft/rule-file.ts';
import { expandStatement, readRuleStatement } from '../../src/cgroup-nft/statement.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

/** Of this name, test/system removes what a killed run leaves behind. */
const top = `netsteward-test-${process.pid}-0`;
const units = ['a.service', 'foo@x.service', 'x\\x2dy.service', '_memory.service', 'app-1.scope', 'app-2.scope'];
const living = [top, ...units.map((unit) => `${top}/${unit}`), `${top}/a.service/deep`];
const libnftablesMount = '/sys/fs/cgroup';

function cgroup2Mount(): string | undefined {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((mount) => / - cgroup2 /.test(mount));
  return line?.split(' ')[4];
}

function lacking(): string | undefined {
  const mount = cgroup2Mount();
  if (mount === undefined) return 'no cgroup2 is mounted';
  try {
    mkdirSync(join(mount, top));
    rmdirSync(join(mount, top));
    return undefined;
  } catch (error) {
    return `no cgroup can be made in ${mount}: ${error}`;
  }
}

function statementsOf(text: string): readonly UnitStatement[] {
  const parsed = parseRuleFile(text, 'f');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.statements;
}

function expanded(text: string): readonly string[] {
  const [statement] = statementsOf(`# a.service :: add rule inet f c ${text}`);
  assert.ok(statement !== undefined);
  const paths = statement.cgroups.map(({ path }) => {
    const pattern = compilePattern(path);
    return living.filter((one) => matchesPath(pattern, one));
  });
  return expandStatement(statement, paths);
}

function load(script: string): string {
  const { status, stderr, error } = spawnSync('nft', ['-f', '-'], { input: script, encoding: 'utf8' });
  if (error !== undefined) throw error;
  return status === 0 ? '' : stderr;
}

const listing = (): string => execFileSync('nft', ['list', 'table', 'inet', 'f'], { encoding: 'utf8' });
const fresh = 'table inet f {}; delete table inet f; add table inet f; add chain inet f c';

/** Each form that src/cgroup-nft/statement.ts reads, and how many rules it becomes. */
const forms: readonly (readonly [number, string])[] = [
  [1, `socket cgroupv2 level 2 "${top}/a.service" accept`],
  [1, `socket cgroupv2 level 2 ${top}/a.service accept`],
  [1, `socket cgroupv2 level 2 ${top}/foo@x.service accept`],
  [1, `socket cgroupv2 level 2 "/${top}//a.service/" accept`],
  [1, `socket cgroupv2 level 2 "${top}/x\\x2dy.service" accept`],
  [1, `socket cgroupv2 level 2 "${top}/_memory.service" tcp dport { 25, 587 } ct state new accept`],
  [1, `socket cgroupv2 level 0x2 != "${top}/a.service" accept comment "x; # {"`],
  [1, `socket cgroupv2 level 2!="${top}/a.service" accept`],
  [1, `socket cgroupv2 level 2 ne "${top}/a.service" accept`],
  [2, `socket cgroupv2 level 2 "${top}/app-*.scope" limit rate 1/second accept`],
  [1, `socket cgroupv2 level 2 != "${top}/app-[0-9].scope" accept`],
  [1, `socket cgroupv2 level 2 { "${top}/app-*.scope", "${top}/gone.service", "${top}/a.service", } accept`],
  [1, `socket cgroupv2 level 2 != {"${top}/app-?.scope"} accept`],
  [1, `socket cgroupv2 level 2 vmap { "${top}/app-*.scope" : drop, "${top}/app-1.scope":accept, * : continue }`],
  [1, `meta mark set socket cgroupv2 level 2 map { "${top}/app-*.scope" : 0x1 }`],
  [1, `socket cgroupv2 level 2 . tcp dport { "${top}/app-*.scope" . 25, "${top}/a.service" . 80-90 } accept`],
  [1, `meta l4proto . socket cgroupv2 level 2 . tcp dport { tcp . "${top}/*.service" . 25 } accept`],
  [1, `socket cgroupv2 level 2 . tcp dport vmap { "${top}/a.service" . 25 : accept }`],
  [2, `socket cgroupv2 level 1 "${top}" socket cgroupv2 level 2 "${top}/app-*.scope" accept`],
  [1, 'ip6 saddr fe80::1 ether saddr 00:11:22:33:44:55 iifname eth* meta mark set (meta mark & 0xff) accept'],
  [0, `socket cgroupv2 level 2 "${top}/gone.service" accept`],
  [0, `socket cgroupv2 level 2 { "${top}/gone*.service" } accept`],
];

if (!insideNamespace) {
  test("rules' texts are taken by nft as they are meant (in a namespace)", async (t) => {
    const missing = lacking();
    if (missing === undefined) await repeatInNamespace(t, import.meta.url);
    else t.skip(`NOT TESTED: ${missing}`);
  });
} else {
  before(() => {
    // libnftables looks below /sys/fs/cgroup alone (SYSFS_CGROUPSV2_PATH), wherever the tree is mounted on this machine.
    const mount = cgroup2Mount() ?? '';
    if (mount !== libnftablesMount) execFileSync('mount', ['--bind', mount, libnftablesMount]);
    for (const path of living) mkdirSync(join(libnftablesMount, path));
  });
  after(() => {
    for (const path of living.toReversed()) rmdirSync(join(libnftablesMount, path));
  });

  for (const [count, form] of forms) {
    test(`nft takes the living of: ${form.replaceAll(`${top}/`, '')}`, () => {
      const texts = expanded(form);
      assert.equal(texts.length, count);
      assert.equal(load([fresh, ...texts.map((text) => `add rule inet f c ${text}`), ''].join('\n')), '');
      const rules = listing()
        .split('\n')
        .filter((line) => line.startsWith('\t\t'));
      assert.equal(rules.length, count);
      for (const [index, text] of texts.entries()) {
        const read = readRuleStatement(text);
        assert.ok(read.ok);
        // nft lists what it has resolved as a path again, and what it has not as a number.
        for (const { path } of read.cgroups)
          assert.ok(rules[index]?.includes(`"${path}"`), `${rules[index]} has ${path}`);
      }
    });
  }

  test('elements go into a set of cgroups', () => {
    const [element] = statementsOf(`# a.service :: add element inet f s { "${top}/app-*.scope", "${top}/a.service" }`);
    assert.ok(element !== undefined);
    const paths = expandStatement(element, [[`${top}/app-1.scope`, `${top}/app-2.scope`], [`${top}/a.service`]]);
    const script = `${fresh}; add set inet f s { type cgroupsv2; }; add element inet f s { ${paths.join(', ')} }\n`;
    assert.equal(load(script), '');
    assert.equal(listing().match(/"netsteward-test[^"]*"/g)?.length, 3);
    const [entry] = statementsOf(`# a.service :: add element inet f m { "${top}/app-*.scope" . 25 : goto c }`);
    assert.ok(entry !== undefined);
    const entries = expandStatement(entry, [[`${top}/app-1.scope`, `${top}/app-2.scope`]]);
    const map = 'add map inet f m { type cgroupsv2 . inet_service : verdict; }';
    assert.equal(load(`${fresh}; ${map}; add element inet f m { ${entries.join(', ')} }\n`), '');
    assert.equal(listing().match(/app-[12]\.scope" \. 25 : goto c/g)?.length, 2);
  });

  test('a printed file is nothing but comments to nft', () => {
    const printed = printRuleFile(forms.flatMap(([, form]) => statementsOf(`# a.service :: inet f c ${form}`)));
    assert.equal(load(`${fresh}\n${printed}`), '');
    assert.doesNotMatch(listing(), /accept/);
  });

  test('what is refused for what it would smuggle would be obeyed by nft', () => {
    for (const text of [
      'accept; add chain inet f x',
      'accept comment "y\\"; add chain inet f x #"',
      'accept\nadd chain inet f x',
    ]) {
      assert.equal(readRuleStatement(text).ok, false);
      assert.equal(load(`${fresh}; add rule inet f c ${text}\n`), '');
      assert.match(listing(), /chain x/);
    }
  });

  test('a level that is not the number of names never matches, lower or higher', () => {
    const wanted = new Map<string, boolean>();
    const rules = [top, `${top}/a.service`, `${top}/a.service/deep`].flatMap((path, index) =>
      [0, 1, 2, 3, 4].map((level) => {
        wanted.set(`l${level}d${index + 1}`, level === index + 1);
        return `add rule inet f o udp dport 9 socket cgroupv2 level ${level} "${path}" counter comment "l${level}d${index + 1}"`;
      }),
    );
    const chain = 'add chain inet f o { type filter hook output priority 0; }';
    assert.equal(load([fresh, chain, ...rules, ''].join('\n')), '');
    const folder = join(libnftablesMount, top, 'a.service/deep');
    const send = `echo $$ > '${folder}/cgroup.procs'; echo x > /dev/udp/127.0.0.1/9`;
    execFileSync('bash', ['-c', send]);
    const counted = [...listing().matchAll(/counter packets (\d+) .*comment "(\w+)"/g)];
    assert.deepEqual(new Map(counted.map(([, packets, name]) => [name ?? '', packets !== '0'])), wanted);
  });
}
