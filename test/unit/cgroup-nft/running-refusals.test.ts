/** cgroup-nft on fakes, refused or failing: what cannot be is named, tried again, and holds up nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunningCgroupNft } from '../../../src/cgroup-nft/running.ts';
import { NftError } from '../../../src/system/nft-error.ts';
import { nftScript } from '../../../src/system/nft-script.ts';
import { administrators, configOf, files, filter, groups, ownTable, rule, rulesFile, Stage, staged } from './stage.ts';

test('a chain that is missing is waited for, and said; its rules are there as soon as it is', async () => {
  const stage = new Stage(rule('a.service', 'system.slice/a.service'));
  stage.tree.mkdirAll('system.slice/a.service');
  await stage.start({ files });
  assert.deepEqual(stage.warnings, ['unit-chain-missing inet filter vpn']);
  assert.equal(stage.running.health().summary, '0 of 1 cgroup in the ruleset');
  await stage.change(...administrators);
  await stage.quiet();
  assert.deepEqual(stage.warnings, []);
  assert.equal(stage.packetsMeet('vpn').length, 2);
  assert.equal(stage.running.health().summary, '1 of 1 cgroup in the ruleset');
  await stage.change({ op: 'delete-table', table: filter });
  await stage.quiet();
  assert.deepEqual(stage.warnings, ['unit-chain-missing inet filter vpn']);
  await stage.running.stop('shutdown');
});

test('a rule that nft refuses is named, and all others are in force, those of its unit too', async () => {
  const rules = `${rule('a.service', 'system.slice/a.service', 'tcp dprt 2 accept')}${rule('a.service', 'system.slice/a.service')}${rule('c.service', 'system.slice/a.service', 'drop')}`;
  const stage = await staged(rules);
  await stage.start({ files });
  assert.deepEqual(stage.warnings, ['unit-rule-refused inet filter vpn a.service']);
  const [warning] = stage.running.health().warnings;
  assert.match(
    warning?.text ?? '',
    /^a rule of a\.service is not in force \(\/etc\/nftables\.conf:1: .*dprt.*\): .*syntax/,
  );
  const a = stage.id('system.slice/a.service');
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), [
    `socket cgroupv2 level 2 ${a} accept`,
    `socket cgroupv2 level 2 ${a} drop`,
  ]);
  stage.files.put(rulesFile, rule('c.service', 'system.slice/a.service'));
  await stage.running.reload(configOf({ files }));
  assert.deepEqual(stage.warnings, []);
  await stage.running.stop('shutdown');
});

test('a rule that needs a set is taken as soon as the ruleset has that set', async () => {
  const stage = await staged(rule('a.service', 'system.slice/a.service', 'tcp dport @ports accept'));
  await stage.start({ files });
  assert.deepEqual(stage.warnings, ['unit-rule-refused inet filter vpn a.service']);
  await stage.change({ op: 'add-set', table: filter, set: 'ports', type: 'ipv4_addr' });
  await stage.quiet();
  assert.deepEqual(stage.warnings, []);
  assert.equal(stage.packetsMeet('vpn').length, 2);
  await stage.running.stop('shutdown');
});

test('an element that nft refuses is named, and the others are in', async () => {
  const stage = await staged(
    `# a.service :: add element inet filter units { "system.slice/a.service" . dprt }
# b.service :: add element inet filter units { "system.slice/a.service" }\n`,
  );
  await stage.start({ files });
  assert.deepEqual(stage.warnings, ['unit-rule-refused inet filter units a.service']);
  assert.deepEqual(stage.ruleset.elements(filter, 'units'), [stage.id('system.slice/a.service').slice(1)]);
  await stage.running.stop('shutdown');
});

test('what fails is said, tried again after a while, and then right', async () => {
  const stage = await staged(rule('b.service', 'system.slice/b.service'));
  await stage.start({ files, group: groups });
  let failures = 0;
  stage.ruleset.before = () => {
    failures += 1;
    throw new NftError('other', 'Error: Cannot allocate memory\nmore of it');
  };
  stage.tree.mkdir('system.slice/b.service');
  await stage.quiet(5000);
  assert.deepEqual(stage.warnings, ['units-not-applied inet filter vpn']);
  assert.ok(failures < 60, `no storm of retries: ${failures}`);
  stage.ruleset.before = () => {};
  await stage.quiet(60_000);
  assert.deepEqual(stage.warnings, []);
  assert.equal(stage.packetsMeet('vpn').length, 2);
  await stage.running.stop('shutdown');
});

test('one part that fails holds up none of the others', async () => {
  const stage = await staged(rule('b.service', 'system.slice/b.service'));
  stage.child = true;
  await stage.start({ files, group: groups });
  // The own table cannot be changed any more: its owner is another socket.
  stage.crash();
  const nft = stage.ruleset.open();
  await nft.apply(nftScript({ op: 'add-table', table: ownTable, flags: ['owner'] }));
  await assert.rejects(stage.start({ files, group: groups }), { code: 'table-owned' });
  await nft.close();
  await stage.start({ files, group: groups });
  assert.equal(stage.ownSet('vpn.level2').length, 1);
  await stage.running.stop('shutdown');
});

test('cgroup2 that is mounted elsewhere, and a kernel without the match, end the start with a reason', async () => {
  const stage = await staged('');
  const host = stage.host();
  const tree = Object.assign(Object.create(stage.tree), { root: '/sys/fs/cgroup/unified' });
  const signal = new AbortController().signal;
  const config = configOf({ group: groups });
  await assert.rejects(RunningCgroupNft.start(config, { ...host, tree }, signal), { code: 'cgroup2-elsewhere' });
  stage.ruleset.failNext = new NftError('missing', 'Error: Could not process rule: No such file or directory');
  await assert.rejects(RunningCgroupNft.start(config, host, signal), { code: 'socket-cgroup-unknown' });
  assert.equal(stage.ruleset.watchers, 0);
});

test('names that nft cannot say are passed over, and spoil nothing for others', async () => {
  const stage = await staged('');
  stage.tree.mkdir('system.slice/evil"; flush ruleset; ".service');
  await stage.start({ group: groups });
  stage.tree.mkdir('system.slice/line\nend.service');
  stage.tree.mkdir('system.slice/b.service');
  await stage.quiet();
  assert.equal(stage.ownSet('vpn.level2').length, 2);
  const since = stage.detail.entries.filter((entry) => entry.since === null).map(({ path }) => path);
  assert.equal(since.length, 2, 'those are shown as not applied');
  await stage.running.stop('shutdown');
});
