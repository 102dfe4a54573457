/** cgroup-nft on the real kernel: own table, administrator's chains and sets, others who flush and reload, packets. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CgroupNftDetail } from '../../src/cgroup-nft/index.ts';
import { NetlinkKernelSets } from '../../src/system/linux/kernel-sets.ts';
import { eventually } from '../system/eventually.ts';
import { cgroupRoot, insideCgroups, makeUnit, remakeUnit, removeUnit, repeatInCgroups } from './cgroup-namespace.ts';
import {
  administrators,
  filter,
  hisOutput,
  listed,
  load,
  ownTable,
  packetsMeet,
  rulesFile,
  started,
  stopAll,
} from './cgroup-nft-run.ts';

const top = 't.slice';
const unit = (name: string): string => `${top}/${name}.service`;
const rule = (name: string, rest = 'accept', chain = 'vpn'): string =>
  `# ${name}.service :: add rule inet filter ${chain} socket cgroupv2 level 2 "${unit(name)}" ${rest}\n`;
const lists = (name: string, rest = 'accept'): string => `socket cgroupv2 level 2 "${unit(name)}" ${rest}`;
const group = { name: 'vpn', units: [`${top}/*.service`], mark: 0x10000 };

const idsIn = (kernel: NetlinkKernelSets, table: typeof filter | typeof ownTable, set: string): readonly bigint[] =>
  [...(kernel.cgroups(table, set)?.keys() ?? [])].sort();

async function fresh(): Promise<NetlinkKernelSets> {
  removeUnit(top);
  load(administrators);
  return NetlinkKernelSets.open();
}

if (!insideCgroups) {
  test('all of this in namespaces, as root', (t) => repeatInCgroups(t, import.meta.url));
} else {
  afterEach(stopAll);

  for (const kind of ['libnftables', 'nft -i'] as const) {
    test(`members come and go: own table, chain and set follow (${kind})`, async () => {
      const kernel = await fresh();
      makeUnit(unit('a'));
      const rules = `${rule('a')}${rule('b', 'tcp dport 25 drop')}# b.service :: add element inet filter units { "${unit('b')}" }\n`;
      const running = await started({ rules, kind, raw: { group: [group] } });
      const { openCgroupTree } = await import('../../src/system/linux/cgroupfs.ts');
      const tree = await openCgroupTree();
      const id = (name: string): bigint => tree.id(unit(name)) ?? 0n;
      assert.deepEqual(idsIn(kernel, ownTable, 'vpn.level2'), [id('a')]);
      assert.deepEqual(packetsMeet('vpn'), ['tcp dport 2 accept', lists('a')]);
      makeUnit(unit('b'));
      remakeUnit(unit('a'));
      await eventually('both in the own table', () => {
        return idsIn(kernel, ownTable, 'vpn.level2').join() === [id('a'), id('b')].sort().join();
      });
      await eventually('b in the set', () => idsIn(kernel, filter, 'units').join() === `${id('b')}`);
      await eventually(
        'rules of both',
        () => packetsMeet('vpn').join() === ['tcp dport 2 accept', lists('a'), lists('b', 'tcp dport 25 drop')].join(),
      );
      removeUnit(unit('b'));
      await eventually('b is gone from all', () => {
        const left = [...idsIn(kernel, ownTable, 'vpn.level2'), ...idsIn(kernel, filter, 'units')];
        return left.join() === `${id('a')}` && packetsMeet('vpn').length === 2;
      });
      assert.deepEqual(listed('output'), hisOutput);
      await running.stop('shutdown');
      assert.equal(kernel.hasTable(ownTable), false, 'an owner table ends with its socket');
      assert.deepEqual(packetsMeet('vpn'), ['tcp dport 2 accept', lists('a')], 'on_stop = keep');
      kernel.close();
    });
  }

  test('packets of a member are marked from its first one on, and counted; those of others are not', async () => {
    const kernel = await fresh();
    makeUnit(unit('other'));
    const running = await started({ raw: { group: [{ ...group, units: [`${top}/me.service`] }] } });
    const send = 'echo $$ > "$0/cgroup.procs" && exec 3<>/dev/udp/127.0.0.1/9 && printf x >&3 && printf x >&3';
    makeUnit(unit('me'));
    const { openCgroupTree } = await import('../../src/system/linux/cgroupfs.ts');
    const id = (await openCgroupTree()).id(unit('me')) ?? 0n;
    await eventually('its element', () => kernel.cgroups(ownTable, 'vpn.level2')?.has(id) === true);
    for (const name of ['me', 'other']) execFileSync('bash', ['-c', `${send} || true`, `${cgroupRoot}/${unit(name)}`]);
    const found = kernel.cgroups(ownTable, 'vpn.level2')?.get(id)?.packets ?? 0;
    // The second may be refused by the socket, since nobody listens there.
    assert.ok(found === 1 || found === 2, `${found} packets`);
    const [entry] = (running.health().detail as CgroupNftDetail).entries;
    assert.deepEqual(
      entry?.counters.map(({ of, packets }) => [of, packets]),
      [['group vpn', found]],
    );
    await running.stop('shutdown');
    kernel.close();
  });

  test('through 40 flushes and reloads by others the own table’s elements are there at every look', async () => {
    const kernel = await fresh();
    makeUnit(unit('a'));
    const running = await started({ raw: { group: [group] } });
    const prober = spawn(process.execPath, [
      fileURLToPath(new URL('./cgroup-nft-prober.js', import.meta.url)),
      ...['inet', 'netsteward-units', 'vpn.level2', unit('a')],
    ]);
    prober.stderr.pipe(process.stderr);
    await once(prober.stdout, 'data');
    for (let reloads = 0; reloads < 40; reloads++) {
      await run('nft', ['flush', 'ruleset']);
      await run('nft', ['-f', '-'], administrators);
      makeUnit(unit(`x${reloads}`));
    }
    const report = once(prober.stdout, 'data');
    prober.stdin.end();
    const { looks, missed } = JSON.parse(String(await report)) as { looks: number; missed: number };
    assert.ok(looks > 200, `${looks} looks`);
    assert.equal(missed, 0, `${missed} of ${looks} looks`);
    await eventually('all 41', () => kernel.cgroups(ownTable, 'vpn.level2')?.size === 41);
    await running.stop('shutdown');
    kernel.close();
  });

  test('rules and elements in the administrator’s table are back after each reload while units restart; his own stay in order', async () => {
    const kernel = await fresh();
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) makeUnit(unit(name));
    const rules =
      names.map((name) => rule(name)).join('') +
      names.map((name) => `# ${name}.service :: add element inet filter units { "${unit(name)}" }\n`).join('');
    const running = await started({ rules });
    for (let reloads = 0; reloads < 30; reloads++) {
      await run('nft', ['-f', '-'], administrators);
      remakeUnit(unit(names[reloads % 4] ?? ''));
      if (reloads % 3 === 0) continue;
      await eventually(`all after reload ${reloads}`, () => kernel.rulesOf(filter).get('vpn')?.length === 2);
    }
    const wanted = ['tcp dport 2 accept', ...names.map((name) => lists(name))];
    await eventually('all rules', () => packetsMeet('vpn').join('\n') === wanted.join('\n'));
    await eventually('all elements', () => kernel.cgroups(filter, 'units')?.size === 4);
    assert.deepEqual(listed('output'), hisOutput);
    assert.deepEqual(running.health().warnings, []);
    await running.stop('shutdown');
    kernel.close();
  });

  test('a table, a chain and a set that come later are filled when they do', async () => {
    const kernel = await fresh();
    makeUnit(unit('a'));
    const rules = `# a.service :: add rule ip later chain1 socket cgroupv2 level 2 "${unit('a')}" accept
# a.service :: add element ip later names { "${unit('a')}" }\n`;
    const running = await started({ rules });
    assert.deepEqual(
      running
        .health()
        .warnings.map(({ subject }) => subject)
        .sort(),
      ['ip later chain1', 'ip later names'],
    );
    load('add table ip later');
    load('add chain ip later chain1; add set ip later names { type cgroupsv2; }');
    const later = { family: 'ip', name: 'later' } as const;
    await eventually('both', () => kernel.cgroups(later, 'names')?.size === 1 && kernel.rulesOf(later).size === 3);
    await eventually('no warning', () => running.health().warnings.length === 0);
    load('delete table ip later');
    await eventually('both are missed again', () => running.health().warnings.length === 2);
    await running.stop('shutdown');
    kernel.close();
  });

  test('a rule that nft refuses is named with nft’s words, and the others are in force', async () => {
    const kernel = await fresh();
    makeUnit(unit('a'));
    const rules = `${rule('a', 'tcp dprt 25 accept')}${rule('a', 'tcp dport 26 accept')}${rule('b', 'jump nowhere')}
# b.service :: inet filter vpn meta skuid 7 jump nowhere
# e.service :: add element inet filter units { "${unit('a')}" . 25 }
# f.service :: add element inet filter units { "${unit('a')}" }\n`;
    const running = await started({ rules });
    const texts = running.health().warnings.map(({ text }) => text);
    assert.equal(texts.length, 3, texts.join('\n'));
    assert.match(
      texts[0] ?? '',
      new RegExp(`^a rule of a\\.service is not in force \\(${rulesFile}:1: .*dprt.*\\): Error: syntax error`),
    );
    assert.match(
      texts[1] ?? '',
      /^a rule of b\.service is not in force \(.*:5: meta skuid 7 jump nowhere\): Error: .*No such file/,
    );
    assert.match(texts[2] ?? '', /^a rule of e\.service is not in force \(.*:6: /);
    assert.deepEqual(packetsMeet('vpn'), ['tcp dport 2 accept', lists('a', 'tcp dport 26 accept')]);
    assert.equal(kernel.cgroups(filter, 'units')?.size, 1);
    load('add chain inet filter nowhere');
    await eventually('the rule that lacked a chain', () => packetsMeet('vpn').includes('meta skuid 7 jump nowhere'));
    await running.stop('shutdown');
    kernel.close();
  });

  test('elements of maps and concatenations come and go beside the administrator’s own', async () => {
    const kernel = await fresh();
    load('add map inet filter verdicts { type cgroupsv2 . inet_service : verdict; flags interval; }');
    makeUnit(unit('a'));
    makeUnit(unit('his'));
    load(`add element inet filter verdicts { "${unit('his')}" . 1 : drop }`);
    const rules = `# a.service :: add element inet filter verdicts { "${unit('*')}" . 25-30 : accept }\n`;
    const running = await started({ rules });
    const comments = (): (string | undefined)[] =>
      (kernel.elements(filter, 'verdicts') ?? []).map(({ comment }) => comment);
    assert.equal(comments().length, 3);
    makeUnit(unit('b'));
    await eventually('one more', () => comments().length === 4);
    removeUnit(unit('a'));
    removeUnit(unit('b'));
    await eventually('two less', () => comments().length === 2);
    assert.equal(comments().filter((comment) => comment === undefined).length, 1);
    load('flush map inet filter verdicts');
    await eventually('ours is back', () => comments().length === 1);
    await running.stop('shutdown');
    kernel.close();
  });

  test('an element with a comment of the administrator’s, or without spaces around its colon, goes with its unit too', async () => {
    const kernel = await fresh();
    load('add map inet filter verdicts { type cgroupsv2 . inet_service : verdict; }');
    makeUnit(unit('a'));
    const long = 'x'.repeat(128);
    const rules = `# a.service :: add element inet filter verdicts { "${unit('a')}" . 40 comment "mail":accept, \\
#   "${unit('a')}" . 41:accept, "${unit('a')}" . 42 comment "${long}" : drop }\n`;
    const running = await started({ rules });
    const comments = (): readonly string[] =>
      (kernel.elements(filter, 'verdicts') ?? []).map(({ comment = '' }) => comment.replace(/[0-9a-f]{12}$/, 'ID'));
    const short = `${long.slice(0, 104)} netsteward ID`;
    assert.deepEqual([...comments()].sort(), ['mail netsteward ID', 'netsteward ID', short].sort());
    remakeUnit(unit('a'));
    const ids = (): readonly string[] => [...(kernel.cgroups(filter, 'verdicts')?.keys() ?? [])].map(String);
    const { openCgroupTree } = await import('../../src/system/linux/cgroupfs.ts');
    const id = String((await openCgroupTree()).id(unit('a')));
    await eventually('just the new one', () => comments().length === 3 && ids().every((each) => each === id));
    removeUnit(unit('a'));
    await eventually('none', () => comments().length === 0);
    await running.stop('shutdown');
    kernel.close();
  });

  test('with on_stop = flush nothing of ours is left', async () => {
    const kernel = await fresh();
    makeUnit(unit('a'));
    const rules = `${rule('a')}# a.service :: add element inet filter units { "${unit('a')}" }\n`;
    const running = await started({ rules, raw: { group: [group], on_stop: 'flush' } });
    assert.equal(kernel.chains().filter(({ name }) => name.startsWith('netsteward-')).length, 2);
    await running.stop('shutdown');
    assert.deepEqual(listed('vpn'), ['tcp dport 2 accept']);
    assert.equal(kernel.chains().filter(({ name }) => name.startsWith('netsteward-')).length, 0);
    assert.equal(kernel.cgroups(filter, 'units')?.size, 0);
    assert.equal(kernel.hasTable(ownTable), false);
    kernel.close();
  });

  test('the nft child is killed: its table is there again, and all in it', async () => {
    const kernel = await fresh();
    makeUnit(unit('a'));
    const running = await started({ rules: rule('a'), kind: 'nft -i', raw: { group: [group] } });
    const children = (): string =>
      spawnSync('pgrep', ['-P', String(process.pid), '-x', 'nft'], { encoding: 'utf8' }).stdout.trim();
    const killed = children();
    assert.match(killed, /^\d+$/, 'one child');
    process.kill(Number(killed), 'SIGKILL');
    // Its table goes with its socket, before it can be followed by another.
    await eventually('another child', () => !['', killed].includes(children()));
    await eventually('the table', () => kernel.cgroups(ownTable, 'vpn.level2')?.size === 1);
    makeUnit(unit('b'));
    await eventually('a new member', () => kernel.cgroups(ownTable, 'vpn.level2')?.size === 2);
    await running.stop('shutdown');
    kernel.close();
  });

  test('directories with names that are made to be commands do no harm', async () => {
    const kernel = await fresh();
    makeUnit(unit('a'));
    makeUnit(`${top}/x"; flush ruleset; ".service`);
    // The kernel refuses line ends in names of cgroups, but no other sign (kernel/cgroup/cgroup.c).
    makeUnit(`${top}/x" } ; add table inet evil ; #.service`);
    const running = await started({
      rules: `# a.service :: inet filter vpn socket cgroupv2 level 2 "${top}/*.service" accept\n`,
      raw: { group: [group] },
    });
    makeUnit(`${top}/y"; delete table inet filter; ".service`);
    makeUnit(unit('b'));
    await eventually('b', () => kernel.cgroups(ownTable, 'vpn.level2')?.size === 2);
    await eventually('rules of both', () => packetsMeet('vpn').length === 3);
    assert.deepEqual(listed('output'), hisOutput);
    assert.equal(kernel.hasTable({ family: 'inet', name: 'evil' }), false);
    await running.stop('shutdown');
    kernel.close();
  });
}

/** In the background: this process has the module to run. */
async function run(program: string, args: readonly string[], input = ''): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  // It may end before it has read anything.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
}
