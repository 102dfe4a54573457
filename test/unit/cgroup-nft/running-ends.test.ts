/** cgroup-nft on fakes after crashes, ends and flushes by others: what stays, what goes, and that all is right again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunningCgroupNft } from '../../../src/cgroup-nft/running.ts';
import { administrators, configOf, files, filter, groups, ownTable, rule, rulesFile, staged } from './stage.ts';

test('rules are put back after a flush by others, at the end of their chain; nothing of theirs is touched', async () => {
  const stage = await staged(rule('a.service', 'system.slice/a.service'));
  await stage.start({ files, group: groups });
  stage.ruleset.flush();
  await stage.change(...administrators, {
    op: 'add-statement',
    table: filter,
    chain: 'vpn',
    statement: 'tcp dport 2 accept',
  });
  await stage.quiet();
  const a = stage.id('system.slice/a.service');
  assert.deepEqual(stage.packetsMeet('vpn'), [
    'tcp dport 1 accept',
    'tcp dport 2 accept',
    `socket cgroupv2 level 2 ${a} accept`,
  ]);
  assert.deepEqual(stage.ownSet('vpn.level2'), [a.slice(1)]);
  const before = stage.ruleset.generation;
  await stage.quiet(60_000);
  assert.equal(stage.ruleset.generation, before, 'nothing is done when nothing happens');
  await stage.running.stop('shutdown');
});

test('after a crash all is right again: nothing of the earlier run is left, and nothing of others is touched', async () => {
  const rules = `${rule('a.service', 'system.slice/a.service')}${rule('b.service', 'system.slice/b.service')}
# a.service :: inet filter output meta skuid 1 accept
# a.service :: add element inet filter units { "system.slice/a.service" }
# a.service :: add element inet filter gone { "system.slice/a.service" }\n`;
  const stage = await staged(rules);
  await stage.change({ op: 'add-set', table: filter, set: 'gone', type: 'cgroupsv2' });
  await stage.change({ op: 'add-members', table: filter, set: 'gone', members: ['"system.slice"'] });
  await stage.start({ files, group: groups });
  await stage.change({ op: 'add-statement', table: filter, chain: 'vpn', statement: 'tcp dport 9 accept' });
  stage.crash();
  stage.tree.remake('system.slice/a.service');
  stage.files.put(
    rulesFile,
    `${rule('b.service', 'system.slice/a.service')}# b.service :: add element inet filter units { "system.slice/a.service" }\n`,
  );
  await stage.start({ files });
  const a = stage.id('system.slice/a.service');
  assert.deepEqual(stage.packetsMeet('vpn'), [
    'tcp dport 1 accept',
    `socket cgroupv2 level 2 ${a} accept`,
    'tcp dport 9 accept',
  ]);
  assert.deepEqual(stage.chain('output'), ['jump vpn']);
  assert.equal(stage.chainNames().filter((name) => name.startsWith('netsteward-')).length, 2);
  assert.deepEqual(stage.ruleset.elements(filter, 'units'), [a.slice(1)]);
  assert.deepEqual(stage.ruleset.elements(filter, 'gone'), [stage.id('system.slice').slice(1)]);
  await stage.running.stop('shutdown');
});

test('on_stop: keep leaves rules and elements, flush takes away everything that is ours', async () => {
  const rules = `${rule('a.service', 'system.slice/a.service')}# a.service :: add element inet filter units { "system.slice/a.service" }\n`;
  for (const on_stop of ['keep', 'flush']) {
    const stage = await staged(rules);
    stage.ruleset.known = new Set();
    await stage.start({ files, group: groups, on_stop });
    assert.equal(stage.detail.table, 'plain');
    await stage.running.stop('shutdown');
    const kept = on_stop === 'keep' ? 1 : 0;
    assert.equal(stage.packetsMeet('vpn').length, 1 + kept, on_stop);
    assert.equal(stage.ruleset.elements(filter, 'units').length, kept);
    assert.equal(stage.ruleset.tables.has('inet netsteward-units'), kept === 1);
    assert.equal(stage.chainNames().length, 2 + 2 * kept);
    assert.equal(stage.ruleset.watchers, 0);
    assert.equal(stage.journal.followers, 0);
  }
});

test('a table without owner is made anew when others empty or flush it', async () => {
  const stage = await staged('');
  stage.ruleset.known = new Set();
  await stage.start({ group: groups });
  stage.ruleset.flush();
  await stage.quiet();
  assert.equal(stage.ownSet('vpn.level2').length, 1);
  await stage.change({ op: 'flush-set', table: ownTable, set: 'vpn.level2' });
  await stage.quiet();
  assert.equal(stage.ownSet('vpn.level2').length, 1);
  await stage.change({ op: 'flush-chain', table: ownTable, chain: 'output' });
  await stage.quiet();
  assert.equal(stage.chain('output', ownTable)?.length, 1);
  await stage.running.stop('shutdown');
});

test('where notifications tell own changes like those of others, nothing goes round in circles', async () => {
  const stage = await staged(
    `${rule('a.service', 'system.slice/a.service')}# a.service :: add element inet filter units { "system.slice/a.service" }\n`,
  );
  stage.ruleset.known = new Set();
  const host = stage.host();
  const events = stage.ruleset.events();
  const deaf = {
    ...host,
    openEvents: () =>
      Promise.resolve({ watch: (_: unknown, ...rest: [never, never]) => events.watch(() => new Set(), ...rest) }),
  };
  const running = await RunningCgroupNft.start(configOf({ files, group: groups }), deaf, new AbortController().signal);
  await stage.quiet(10_000);
  const before = stage.ruleset.generation;
  await stage.quiet(60_000);
  assert.equal(stage.ruleset.generation, before);
  stage.tree.mkdir('system.slice/b.service');
  await stage.quiet(10_000);
  assert.ok(stage.ruleset.generation - before < 6);
  await running.stop('shutdown');
});

test('the end of the nft child is survived: its table is made anew at once', async () => {
  const stage = await staged(rule('a.service', 'system.slice/a.service'));
  stage.child = true;
  await stage.start({ files, group: groups });
  stage.nft?.die();
  await stage.quiet(0);
  assert.equal(stage.ownSet('vpn.level2').length, 1);
  await stage.running.stop('shutdown');
});

test('when notifications end they are asked for again, and what was missed is looked for', async () => {
  const stage = await staged(rule('a.service', 'system.slice/a.service'));
  const host = stage.host();
  const events = stage.ruleset.events();
  let end: (error: Error) => void = () => {};
  let opened = 0;
  const watch: typeof events.watch = (ignore, onChange, onError) => {
    opened += 1;
    const watching = events.watch(ignore, onChange, onError);
    end = (error) => {
      void watching.close();
      onError(error);
    };
    return watching;
  };
  const faulty = { ...host, openEvents: () => Promise.resolve({ watch }) };
  const running = await RunningCgroupNft.start(configOf({ files }), faulty, new AbortController().signal);
  end(new Error('gone'));
  stage.ruleset.flush();
  await stage.change(...administrators);
  assert.equal(stage.packetsMeet('vpn').length, 1);
  await stage.quiet(1000);
  assert.equal(opened, 2);
  assert.equal(stage.packetsMeet('vpn').length, 2);
  await running.stop('shutdown');
});
