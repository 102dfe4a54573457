/** kill -9 of cgroup-nft between any two of its changes to the ruleset: started again, all is exactly right, and nothing is left over. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NetlinkKernelSets } from '../../src/system/linux/kernel-sets.ts';
import { insideCgroups, makeUnit, removeUnit, repeatInCgroups } from './cgroup-namespace.ts';
import { administrators, filter, hisOutput, listed, load, ownTable, packetsMeet, started } from './cgroup-nft-run.ts';

const top = 't.slice';
const rule = (trigger: string, name: string, chain = 'vpn'): string =>
  `# ${trigger}.service :: add rule inet filter ${chain} socket cgroupv2 level 2 "${top}/${name}.service" accept\n`;
const element = (name: string, set: string): string =>
  `# ${name}.service :: add element inet filter ${set} { "${top}/${name}.service" }\n`;
const group = { name: 'vpn', units: [`${top}/*.service`], mark: 1 };

/** What an earlier run had, of which the later ones want less. */
const before = `${rule('a', 'a')}${rule('old', 'a')}${rule('b', 'b', 'output')}${element('a', 'units')}${element('b', 'units')}${element('b', 'more')}`;
const [first, second] = [`${rule('a', 'a')}${rule('c', 'c')}${element('c', 'units')}`, rule('a', 'b', 'output')];

if (!insideCgroups) {
  test('in namespaces, as root', (t) => repeatInCgroups(t, import.meta.url));
} else {
  test('killed before any of its changes', async (t) => {
    const child = fileURLToPath(new URL('./cgroup-nft-crash-child.js', import.meta.url));
    writeFileSync('/run/first', first);
    writeFileSync('/run/second', second);
    const raw = JSON.stringify({ files: ['/run/first', '/run/second'], group: [group] });
    const kernel = await NetlinkKernelSets.open();
    for (let steps = 1; ; steps++) {
      removeUnit(top);
      load(administrators);
      load('add set inet filter more { type cgroupsv2; }');
      for (const name of ['a', 'b', 'his']) makeUnit(`${top}/${name}.service`);
      load(`add element inet filter units { "${top}/his.service" }`);
      const earlier = await started({ rules: before, raw: { group: [group] } });
      await earlier.stop('shutdown');
      assert.equal(kernel.chains().filter(({ name }) => name.startsWith('netsteward-')).length, 5);
      const { stdout, stderr, signal } = spawnSync(process.execPath, [child, String(steps), raw], { encoding: 'utf8' });
      assert.equal(signal, 'SIGKILL', stderr);
      // A cgroup that is gone while nobody looks leaves a dead id behind.
      for (const name of ['a', 'b', 'c']) makeUnit(`${top}/${name}.service`);
      removeUnit(`${top}/c.service`);
      makeUnit(`${top}/c.service`);

      const running = await started({ rules: `${rule('a', 'a')}${element('c', 'units')}`, raw: { group: [group] } });
      const text = `after ${steps} steps`;
      assert.deepEqual(
        packetsMeet('vpn'),
        ['tcp dport 2 accept', `socket cgroupv2 level 2 "${top}/a.service" accept`],
        text,
      );
      assert.deepEqual(listed('output'), hisOutput, text);
      assert.equal(kernel.chains().filter(({ name }) => name.startsWith('netsteward-')).length, 2, text);
      const { openCgroupTree } = await import('../../src/system/linux/cgroupfs.ts');
      const tree = await openCgroupTree();
      const ids = (...names: string[]): bigint[] => names.map((name) => tree.id(`${top}/${name}.service`) ?? 0n).sort();
      const found = (table: typeof filter | typeof ownTable, set: string): bigint[] =>
        [...(kernel.cgroups(table, set)?.keys() ?? [])].sort();
      assert.deepEqual(found(filter, 'units'), ids('c', 'his'), text);
      assert.deepEqual(found(filter, 'more'), [], text);
      assert.deepEqual(found(ownTable, 'vpn.level2'), ids('a', 'b', 'c', 'his'), text);
      assert.deepEqual(running.health().warnings, [], text);
      await running.stop('shutdown');
      if (stdout.includes('done')) {
        assert.ok(steps > 10, `only ${steps} changes`);
        t.diagnostic(`killed before each of ${steps - 1} changes`);
        break;
      }
    }
    kernel.close();
  });
}
