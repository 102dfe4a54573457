/** `netsteward cgroup-nft check` with real nft: carets under the user's words, and nothing changed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { existingCgroups } from '../../src/cgroup-nft/nft-check.ts';
import { checkRules, type RuleCheckPorts } from '../../src/cli/cgroup-nft-check.ts';
import { openCgroupTree } from '../../src/system/linux/cgroupfs.ts';
import { LinuxFiles } from '../../src/system/linux/files.ts';
import { type NftKind, openNft } from '../../src/system/linux/nft-open.ts';
import { mainJs } from '../checkout.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

if (!insideNamespace) {
  test('checks of rules in a network namespace of its own', (t) => repeatInNamespace(t, import.meta.url));
} else {
  inside();
}

function inside(): void {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-check-'));
  after(() => rmSync(folder, { recursive: true }));

  before(() => {
    // nft looks for cgroups in /sys/fs/cgroup alone; here it may be one folder further down.
    const unified = '/sys/fs/cgroup/unified';
    if (existsSync(unified)) run('mount', '--bind', unified, '/sys/fs/cgroup');
  });

  afterEach(() => void run('nft', 'flush', 'ruleset'));

  function run(command: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  }

  async function ports(kind?: NftKind): Promise<RuleCheckPorts> {
    return {
      files: new LinuxFiles(),
      tree: await openCgroupTree(),
      units: { of: () => Promise.resolve(undefined) },
      openNft: () => openNft(kind),
    };
  }

  const ruleset = `flush ruleset
table inet filter {
  set ports { type inet_service; elements = { 25, 587 } }
  set units { type cgroupsv2; }
  chain allowed { }
  chain output { type filter hook output priority 0; policy accept; jump allowed; }
}
`;

  function write(text: string, name = 'rules.conf'): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** What was found in a file, as `line:column severity message`, and the words that are marked. */
  async function check(text: string, kind?: NftKind): Promise<readonly string[]> {
    const path = write(text);
    const texts = new Map<string, string>();
    const { remarks, withoutNft } = await checkRules([path], await ports(kind), texts);
    assert.equal(withoutNft, undefined);
    return remarks.map(({ line, column, severity, message, width }) => {
      const words = text.split('\n')[(line ?? 1) - 1]?.slice((column ?? 1) - 1) ?? '';
      const marked = width === undefined ? '' : ` <${width === 'line' ? words : words.slice(0, width)}>`;
      return `${line}:${column} ${severity} ${message.split('\n', 1)[0]?.replaceAll(folder, '')}${marked}`;
    });
  }

  const rule = (words: string, chain = 'inet filter allowed'): string => `# a.service :: ${chain} ${words}\n`;
  const a = 'socket cgroupv2 level 2 "system.slice/a.service"';

  for (const kind of ['libnftables', 'nft -i'] as const) {
    test(`${kind}: rules that are right get no remark, although neither their units nor the ruleset are there`, async () => {
      const good = [
        rule(`${a} tcp dport @ports accept`),
        rule(`socket cgroupv2 level 2 { "system.slice/a.service", "system.slice/b*.service" } meta mark set 1`),
        rule(`socket cgroupv2 level 2 vmap { "system.slice/a.service" : accept, "system.slice/b.service" : drop }`),
        '# a.service :: add element inet filter units { "system.slice/a.service", "system.slice/b.service" }\n',
      ];
      assert.deepEqual(await check(ruleset + good.slice(0, 2).join('') + good[3], kind), []);
      assert.deepEqual(
        (await check(ruleset + good[2], kind)).filter((found) => !found.includes('"drop" holds only while')),
        [],
      );
    });

    test(`${kind}: nft's caret stands under the word of the user's rule, in the line where he wrote it`, async () => {
      const text = `${ruleset}# a.service :: inet filter allowed \\
#   ${a} \\
#   tcp dprt 25 accept
${rule(`${a} tcp dport 25 accept`)}${rule(`${a} ip daddr @nowhere accept`)}`;
      assert.deepEqual(await check(text, kind), [
        '10:9 error rule of a.service: syntax error, unexpected string <dprt>',
        '12:94 error rule of a.service: No such file or directory <@nowhere>',
      ]);
    });
  }

  test('every wrong rule of many is found, and no right one is blamed', async () => {
    const words = Array.from({ length: 300 }, (_, index) =>
      index % 30 === 7 ? 'tcp dprt 1 accept' : 'tcp dport 1 accept',
    );
    const found = await check(ruleset + words.map((each) => rule(`${a} ${each}`)).join(''));
    assert.deepEqual(
      found.map((line) => Number(line.split(':', 1)[0])),
      Array.from({ length: 10 }, (_, index) => 8 + 7 + 30 * index),
    );
  });

  test('of more mistakes than anybody reads the first are told', async () => {
    const found = await check(ruleset + rule(`${a} tcp dprt 1 accept`).repeat(80));
    assert.equal(found.filter((line) => line.includes('unexpected string')).length, 50);
    assert.ok(found.some((line) => line.endsWith('error nft refuses more rules than these')));
  });

  test('a chain or set that neither the file nor the kernel has is a warning, and its rules are looked at all the same', async () => {
    const missing = 'neither the file nor the kernel has a';
    const wait = 'the rule waits until there is one';
    const text = [
      rule(`${a} accept`, 'inet filter later'),
      rule(`${a} tcp dport @unknown accept`, 'ip other output'),
      rule(`${a} tcp dprt 1 accept`, 'ip other output'),
      '# a.service :: add element inet filter none { "system.slice/a.service" }\n',
    ];
    assert.deepEqual(await check(ruleset + text.join('')), [
      `8:3 warning rule of a.service: ${missing} chain later in the table inet filter: ${wait} <a.service>`,
      `9:3 warning rule of a.service: ${missing} chain output in the table ip other: ${wait} <a.service>`,
      '10:85 error rule of a.service: syntax error, unexpected string <dprt>',
      `11:3 warning rule of a.service: ${missing} set none in the table inet filter: ${wait} <a.service>`,
    ]);
  });

  test('what the kernel has counts too, also where the file flushes the ruleset', async () => {
    run('nft', 'add table inet docker; add chain inet docker user; add set inet docker s { type inet_service; }');
    assert.deepEqual(await check(ruleset + rule(`${a} tcp dport @s accept`, 'inet docker user')), []);
  });

  test('a file that is no ruleset by itself is held against the kernel, and nft says why it is none', async () => {
    run('nft', 'add table inet filter; add chain inet filter allowed');
    const found = await check(`chain x { }\n${rule(`${a} accept`)}${rule(`${a} tcp dprt 1 accept`)}`);
    assert.equal(found.length, 2);
    assert.match(
      found[0] ?? '',
      /^undefined:undefined warning no ruleset that loads by itself, so its rules were held against the kernel's: /,
    );
    assert.equal(found[1], '3:89 error rule of a.service: syntax error, unexpected string <dprt>');
  });

  test('several files are one ruleset: the rules of one may be for the chains of another', async () => {
    const paths = [write(ruleset, 'one.conf'), write(rule(`${a} tcp dport @ports accept`), 'two.conf')];
    const { remarks } = await checkRules(paths, await ports());
    assert.deepEqual(remarks, []);
  });

  test('elements of a set of another type are refused where they stand', async () => {
    const found = await check(`${ruleset}# a.service :: add element inet filter ports { "system.slice/a.service" }\n`);
    assert.match(found[0] ?? '', /^8:48 error rule of a\.service: .* <"system\.slice\/a\.service">$/);
  });

  test('what the kernel allows in certain hooks alone is found where the ruleset is loaded', async () => {
    run('nft', '-f', write(ruleset));
    assert.deepEqual(await check(ruleset + rule(`${a} masquerade`)), [
      '8:3 warning rule of a.service: with the ruleset that is loaded now: Operation not supported <a.service>',
    ]);
    const fragment = await check(rule(`${a} masquerade`));
    assert.deepEqual(fragment, ['1:3 error rule of a.service: Operation not supported <a.service>']);
  });

  test('the command tells it with the line and the caret, ends with 78, and changes nothing', () => {
    const path = write(
      `${ruleset}${rule(`${a} tcp dprt 25 accept`)}${rule('socket cgroupv2 level 1 "system.slice/a.service" accept')}`,
    );
    run('nft', 'add table inet mine');
    const before = run('nft', 'list', 'ruleset');
    const { status, stdout, stderr } = spawnSync(process.execPath, [mainJs, 'cgroup-nft', 'check', path], {
      encoding: 'utf8',
    });
    assert.deepEqual([status, stdout], [78, `${path}: 2 rules of 1 unit, 1 error, 1 warning\n`]);
    assert.equal(
      stderr,
      `${path}:8:89: error: rule of a.service: syntax error, unexpected string
    # a.service :: inet filter allowed socket cgroupv2 level 2 "system.slice/a.service" tcp dprt 25 accept
${' '.repeat(4 + 88)}^^^^
${path}:9:60: warning: rule of a.service: level 1 never matches "system.slice/a.service", which has 2 names: write level 2, or name "system.slice" if all below it is meant
    # a.service :: inet filter allowed socket cgroupv2 level 1 "system.slice/a.service" accept
${' '.repeat(4 + 59)}^
`,
    );
    assert.equal(run('nft', 'list', 'ruleset'), before);
  });

  test('warnings alone end with 0, and so does a file without rules', () => {
    const warned = write(ruleset + rule('socket cgroupv2 level 1 "system.slice/a.service" accept'), 'warned.conf');
    const empty = write(ruleset, 'empty.conf');
    for (const path of [warned, empty]) {
      assert.equal(spawnSync(process.execPath, [mainJs, 'cgroup-nft', 'check', path]).status, 0);
    }
  });

  test('without CAP_NET_ADMIN it says that nft was not asked, and what was looked at', () => {
    const path = write(ruleset + rule(`${a} tcp dprt 25 accept`));
    const command = [
      '--bounding-set=-net_admin',
      '--inh-caps=-net_admin',
      process.execPath,
      mainJs,
      'cgroup-nft',
      'check',
      path,
    ];
    const { status, stdout, stderr } = spawnSync('setpriv', command, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `${path}: 1 rule of 1 unit, fine\n`);
    assert.match(stderr, /^nft itself was not asked: this process may not use nftables: it lacks CAP_NET_ADMIN/m);
    assert.match(stderr, /\nChecked without it: the form of the rules, levels and paths\.\n$/);
  });

  test('where cgroup2 is not where nft looks for it, no rule is blamed for that', async () => {
    const path = write(ruleset + rule(`${a} tcp dprt 25 accept`));
    const elsewhere = { root: '/nowhere', children: () => ['no-such-cgroup'] };
    const tree = Object.assign(await openCgroupTree(), elsewhere);
    const { remarks, withoutNft } = await checkRules([path], { ...(await ports()), tree });
    assert.deepEqual(
      [remarks, withoutNft],
      [[], 'nft looks for cgroups in /sys/fs/cgroup, and cgroup2 is mounted at /nowhere'],
    );
  });

  test('cgroups that stand in for others are taken from the top of the tree, and never are too few', () => {
    const tree = new Map([
      ['', ['b', 'odd"name', 'a']],
      ['b', ['c']],
    ]);
    const children = (path: string): readonly string[] => tree.get(path) ?? [];
    assert.deepEqual(existingCgroups({ children }, 2), ['b', 'a']);
    assert.deepEqual(existingCgroups({ children }, 5), ['b', 'a', 'b/c', '.', 'cgroup.procs']);
    assert.deepEqual(existingCgroups({ children: () => undefined }, 1), ['.']);
  });
}
