/** cgroup-nft on fakes over reloads: what others ask for and what units ask for, and that a refused one changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { administrators, configOf, files, filter, groups, rule, rulesFile, Stage, staged } from './stage.ts';

test('with flush the chain is emptied at the start, and at each reload; a chain that is missing then ends the start', async () => {
  const stage = await staged(rule('a.service', 'system.slice/a.service'));
  await stage.start({ files, flush: true });
  const a = `socket cgroupv2 level 2 ${stage.id('system.slice/a.service')} accept`;
  assert.deepEqual(stage.packetsMeet('vpn'), [a]);
  await stage.change({ op: 'add-statement', table: filter, chain: 'vpn', statement: 'tcp dport 9 accept' });
  await stage.quiet();
  assert.deepEqual(stage.packetsMeet('vpn'), [a, 'tcp dport 9 accept']);
  await stage.running.reload(configOf({ files, flush: true }));
  assert.deepEqual(stage.packetsMeet('vpn'), [a]);
  await stage.running.stop('shutdown');

  const other = new Stage(`${rule('a.service', 'system.slice/a.service')}# b.service :: inet filter nowhere accept\n`);
  await other.change(...administrators);
  await assert.rejects(other.start({ files, flush: true }), {
    code: 'unit-chain-missing',
    message: /inet filter nowhere/,
  });
  assert.deepEqual(other.chain('vpn'), ['tcp dport 1 accept'], 'nothing was flushed');
  assert.equal(other.ruleset.watchers, 0);
});

test('a job of a trigger unit resolves its rules anew, globs among the triggers too; jobs of others do nothing', async () => {
  const stage = await staged(rule('foo@*.service', 'system.slice/a.service'));
  await stage.start({ files });
  // As if others had replaced what is in our chain, which only a look at each rule would show.
  const name = stage.chainNames().find((chain) => chain.startsWith('netsteward-vpn-foo')) ?? '';
  await stage.change(
    { op: 'flush-chain', table: filter, chain: name },
    { op: 'add-statement', table: filter, chain: name, statement: 'drop' },
  );
  await stage.quiet();
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), ['drop']);
  stage.journal.job('bar@1.service');
  await stage.quiet();
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), ['drop']);
  stage.journal.job('foo@1.service');
  await stage.quiet(0);
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), [
    `socket cgroupv2 level 2 ${stage.id('system.slice/a.service')} accept`,
  ]);
  await stage.running.stop('shutdown');
});

test('a unit of reload_with_units lets the files be read again, but not one that a user has given its name', async () => {
  const stage = await staged('');
  await stage.start({ files, reload_with_units: ['nftables.service'] });
  stage.files.put(rulesFile, rule('a.service', 'system.slice/a.service'));
  stage.journal.job('nftables.service', { user: true });
  await stage.quiet();
  assert.equal(stage.packetsMeet('vpn').length, 1);
  stage.journal.job('nftables.service');
  await stage.quiet();
  assert.equal(stage.packetsMeet('vpn').length, 2);
  stage.files.put(rulesFile, '# a.service :: add rule\n');
  stage.journal.job('nftables.service');
  await stage.quiet();
  assert.deepEqual(stage.warnings, ['rule-files-refused']);
  assert.equal(stage.packetsMeet('vpn').length, 2, 'what was in force stays');
  stage.files.put(rulesFile, '');
  await stage.running.reload(configOf({ files, reload_with_units: ['nftables.service'] }));
  assert.deepEqual(stage.warnings, [], 'a reload that succeeds ends the warning, whoever asked for it');
  assert.equal(stage.packetsMeet('vpn').length, 1);
  await stage.running.stop('shutdown');
});

test('a reload drops what is no longer wanted: units, chains, sets, groups, and the jumps to them', async () => {
  const both = `${rule('a.service', 'system.slice/a.service')}# a.service :: inet filter output meta skuid 1 accept
# a.service :: add element inet filter units { "system.slice/a.service" }\n`;
  const stage = await staged(both);
  await stage.start({ files, group: [...groups, { ...groups[0], name: 'other' }] });
  assert.equal(stage.ownSet('other.level2').length, 1);
  stage.files.put(rulesFile, rule('b.service', 'system.slice/a.service'));
  await stage.running.reload(configOf({ files, group: groups }));
  assert.deepEqual(stage.chain('output'), ['jump vpn']);
  assert.deepEqual(stage.ruleset.elements(filter, 'units'), []);
  assert.deepEqual(stage.ownSet('other.level2'), []);
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), [
    `socket cgroupv2 level 2 ${stage.id('system.slice/a.service')} accept`,
  ]);
  assert.equal(stage.chainNames().filter((name) => name.startsWith('netsteward-')).length, 2);
  await stage.running.stop('shutdown');
});

test('a reload to another table name makes the new table before the old one goes', async () => {
  const stage = await staged('');
  await stage.start({ group: groups });
  await stage.running.reload(configOf({ group: groups, table: { name: 'elsewhere' } }));
  assert.deepEqual([...stage.ruleset.tables.keys()].sort(), ['inet elsewhere', 'inet filter']);
  assert.equal(stage.ruleset.elements({ family: 'inet', name: 'elsewhere' }, 'vpn.level2').length, 1);
  assert.equal(stage.detail.tableName, 'elsewhere');
  await stage.running.stop('shutdown');
});

test('a reload that cannot be brought in leaves the old configuration in force', async () => {
  const stage = await staged(rule('a.service', 'system.slice/a.service'));
  await stage.start({ files, group: groups });
  // A table of somebody else's bears the name that is asked for.
  const foreign = { family: 'inet', name: 'foreign' } as const;
  await stage.change(
    { op: 'add-table', table: foreign },
    { op: 'add-plain-chain', table: foreign, chain: 'his', comment: '' },
  );
  stage.files.put(rulesFile, rule('b.service', 'system.slice/a.service', 'drop'));
  const next = configOf({ files, group: [{ ...groups[0], name: 'other' }], table: { name: 'foreign' } });
  await assert.rejects(stage.running.reload(next), { code: 'table-foreign' });
  stage.tree.mkdir('system.slice/b.service');
  await stage.quiet();
  assert.equal(stage.detail.tableName, 'netsteward-units');
  assert.equal(stage.ownSet('vpn.level2').length, 2);
  assert.deepEqual(stage.chainNames(foreign), ['his']);
  assert.equal(stage.chain('his', foreign)?.length, 0);
  await stage.running.stop('shutdown');
});

test('an unreadable or malformed file rejects the reload, and nothing changes', async () => {
  const stage = await staged(rule('a.service', 'system.slice/a.service'));
  await stage.start({ files });
  const before = stage.ruleset.generation;
  stage.files.put(rulesFile, '# a.service :: add rule inet\n');
  await assert.rejects(stage.running.reload(configOf({ files })), { code: 'rule-file-invalid' });
  stage.files.fail(rulesFile, 'EACCES');
  await assert.rejects(stage.running.reload(configOf({ files })), { code: 'rule-file-unreadable' });
  assert.equal(stage.ruleset.generation, before);
  await stage.running.stop('shutdown');
});
