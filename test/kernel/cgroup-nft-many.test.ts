/** Ten thousand cgroups, thousands of rules, a tree that changes faster than anybody can follow: the kernel has all that lives in the end. */
import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { openCgroupTree } from '../../src/system/linux/cgroupfs.ts';
import { NetlinkKernelSets } from '../../src/system/linux/kernel-sets.ts';
import { eventually } from '../system/eventually.ts';
import { cgroupRoot, insideCgroups, makeUnit, removeUnit, repeatInCgroups } from './cgroup-namespace.ts';
import { administrators, filter, load, ownTable, started, stopAll } from './cgroup-nft-run.ts';

const top = 't.slice';
const unit = (at: number): string => `${top}/u${at}.service`;
const group = { name: 'vpn', units: [`${top}/*.service`], mark: 0x10000 };

async function living(): Promise<bigint[]> {
  const tree = await openCgroupTree();
  return (tree.children(top) ?? []).map((name) => tree.id(`${top}/${name}`) ?? 0n).sort();
}

const sorted = (ids: Iterable<bigint>): bigint[] => [...ids].sort();

if (!insideCgroups) {
  test('as root', (t) => repeatInCgroups(t, import.meta.url));
  test('as root of a user namespace, where a socket may send 200 kB at once', (t) =>
    repeatInCgroups(t, import.meta.url, { user: true }));
} else {
  afterEach(async () => {
    await stopAll();
    removeUnit(top);
  });

  test('ten thousand members and two thousand rules are in force', async () => {
    const members = 10_000;
    const rules = 2000;
    const kernel = await NetlinkKernelSets.open();
    load(administrators);
    for (let at = 0; at < members; at++) makeUnit(unit(at));
    const file = Array.from(
      { length: rules },
      (_, at) =>
        `# u${at}.service :: add rule inet filter vpn socket cgroupv2 level 2 "${unit(at)}" tcp dport ${1000 + at} accept\n`,
    ).join('');
    const elements = `# all.service :: add element inet filter units { "${top}/*.service" }\n`;
    const running = await started({ rules: file + elements, raw: { group: [group] } });
    assert.deepEqual(running.health().warnings, []);
    const ids = await living();
    assert.deepEqual(sorted(kernel.cgroups(ownTable, 'vpn.level2')?.keys() ?? []), ids);
    assert.deepEqual(sorted(kernel.cgroups(filter, 'units')?.keys() ?? []), ids);
    const found = kernel.rulesOf(filter);
    assert.equal(found.get('netsteward-vpn')?.length, rules);
    assert.equal([...found.values()].filter((each) => each.length === 1).length, rules);
    assert.equal(running.health().summary, `${members} of ${members} cgroups in the ruleset`);
    kernel.close();
  });

  test('a tree that changes some thousand times a second is followed, and its end is what the kernel has', async () => {
    const kernel = await NetlinkKernelSets.open();
    load(administrators);
    makeUnit(unit(0));
    const file = `# u1.service :: add rule inet filter vpn socket cgroupv2 level 2 "${unit(1)}" accept
# all.service :: add rule inet filter vpn socket cgroupv2 level 2 "${top}/u1?.service" accept
# all.service :: add element inet filter units { "${top}/u2?.service" }\n`;
    const running = await started({ rules: file, raw: { group: [group] } });
    const there = new Set([0]);
    let changes = 0;
    // Numbers that look random and are the same each time (Lehmer's generator).
    let random = 1;
    for (let turns = 0; turns < 400; turns++) {
      for (let each = 0; each < 25; each++) {
        random = (random * 48_271) % 2_147_483_647;
        const at = random % 60;
        if (there.delete(at)) rmdirSync(`${cgroupRoot}/${unit(at)}`);
        else {
          mkdirSync(`${cgroupRoot}/${unit(at)}`);
          there.add(at);
        }
        changes += 1;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(changes, 10_000);
    const ids = await living();
    await eventually(
      'the own table',
      () => sorted(kernel.cgroups(ownTable, 'vpn.level2')?.keys() ?? []).join() === ids.join(),
    );
    const within = (first: number, last: number): number => [...there].filter((at) => at >= first && at <= last).length;
    const counts = (): string =>
      [...kernel.rulesOf(filter)]
        .map(([chain, rules]) => `${chain} ${rules.length}`)
        .sort()
        .join();
    await eventually('elements', () => kernel.cgroups(filter, 'units')?.size === within(20, 29));
    await eventually('rules', () => {
      const all = [...kernel.rulesOf(filter)].filter(([chain]) => chain.startsWith('netsteward-vpn-'));
      return all.reduce((sum, [, rules]) => sum + rules.length, 0) === within(1, 1) + within(10, 19);
    });
    assert.ok(counts().includes('netsteward-vpn 2'), counts());
    assert.deepEqual(running.health().warnings, []);
    kernel.close();
  });
}
