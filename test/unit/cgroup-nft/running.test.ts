/** cgroup-nft as a whole on fakes: what the kernel has after starts, changes of cgroups, flushes by others, failures and reloads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunningCgroupNft } from '../../../src/cgroup-nft/running.ts';
import { NftError } from '../../../src/system/nft-error.ts';
import { administrators, configOf, filter, ownTable, rulesFile, Stage } from './stage.ts';

const accept = (path: string, level = 2): string => `socket cgroupv2 level ${level} "${path}" accept`;
const rule = (unit: string, path: string, rest = 'accept'): string =>
  `# ${unit} :: add rule inet filter vpn socket cgroupv2 level ${path.split('/').length} "${path}" ${rest}\n`;
const groups = [{ name: 'vpn', units: ['system.slice/*.service'], mark: 0x10000 }];
const files = [rulesFile];

async function staged(rules: string): Promise<Stage> {
  const stage = new Stage(rules);
  await stage.change(...administrators);
  stage.tree.mkdirAll('system.slice/a.service');
  return stage;
}

test('living members are in the own table, rules behind one jump, elements in the set; what is not there is waited for', async () => {
  const rules = `${rule('a.service', 'system.slice/a.service')}${rule('b.service', 'system.slice/b.service')}
# a.service :: add element inet filter units { "system.slice/a.service" }\n`;
  const stage = await staged(rules);
  await stage.start({ files, group: groups });
  const a = stage.id('system.slice/a.service');
  assert.deepEqual(stage.ownSet('vpn.level2'), [a.slice(1)]);
  assert.deepEqual(stage.packetsMeet('vpn'), ['tcp dport 1 accept', `socket cgroupv2 level 2 ${a} accept`]);
  assert.deepEqual(stage.ruleset.elements(filter, 'units'), [a.slice(1)]);
  assert.deepEqual(stage.detail.waiting, ['b.service (/etc/nftables.conf:2)']);
  assert.equal(stage.running.health().summary, '1 of 1 cgroup in the ruleset');
  assert.equal(stage.detail.table, 'owner');
  await stage.running.stop('shutdown');
});

test('a unit that comes, goes and is made anew is followed: new ids at once, dead ones soon', async () => {
  const stage = await staged(rule('b.service', 'system.slice/b.service'));
  await stage.start({ files, group: groups });
  stage.tree.mkdir('system.slice/b.service');
  await stage.quiet(0);
  const [a, b] = ['a', 'b'].map((name) => stage.id(`system.slice/${name}.service`));
  assert.deepEqual(stage.ownSet('vpn.level2'), [a?.slice(1), b?.slice(1)].sort());
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), [`socket cgroupv2 level 2 ${b} accept`]);
  stage.tree.remake('system.slice/b.service');
  stage.tree.rmdir('system.slice/a.service');
  await stage.quiet(100);
  const again = stage.id('system.slice/b.service');
  assert.deepEqual(stage.ownSet('vpn.level2'), [again.slice(1)]);
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), [`socket cgroupv2 level 2 ${again} accept`]);
  const told = (event: string) => stage.log.of(event).map(({ fields }) => `${fields.path} ${fields.id}`);
  assert.deepEqual(
    told('cgroup-gone').sort(),
    [`system.slice/a.service ${a?.slice(1)}`, `system.slice/b.service ${b?.slice(1)}`].sort(),
  );
  assert.equal(told('cgroup-applied').at(-1), `system.slice/b.service ${again.slice(1)}`);
  await stage.running.stop('shutdown');
});

test('an element is in the kernel in the same turn of the event loop in which its cgroup is told', async () => {
  const stage = await staged('');
  await stage.start({ group: groups });
  stage.tree.mkdir('system.slice/new.service');
  const seen = await new Promise<readonly string[]>((resolve) => {
    // The tree tells in the next turn; microtasks of that turn are all that may lie between.
    setImmediate(() => {
      queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => resolve(stage.ownSet('vpn.level2')))));
    });
  });
  assert.ok(seen.includes(stage.id('system.slice/new.service').slice(1)));
  await stage.running.stop('shutdown');
});

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

test('rules that name no cgroup are there from the start', async () => {
  const stage = await staged('# a.service :: inet filter vpn meta skuid 7 accept\n');
  await stage.start({ files });
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), ['meta skuid 7 accept']);
  assert.deepEqual(stage.detail.waiting, []);
  await stage.running.stop('shutdown');
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
  const { nftScript } = await import('../../../src/system/nft-script.ts');
  await nft.apply(nftScript({ op: 'add-table', table: ownTable, flags: ['owner'] }));
  await assert.rejects(stage.start({ files, group: groups }), { code: 'table-owned' });
  await nft.close();
  await stage.start({ files, group: groups });
  assert.equal(stage.ownSet('vpn.level2').length, 1);
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

test('a comment that was meant as a rule but is none is said, and shown', async () => {
  const stage = await staged('# a.service ::add rule inet filter vpn accept\n');
  await stage.start({ files });
  assert.equal(stage.log.of('rule-not-a-rule').length, 1);
  assert.match(stage.detail.remarks?.[0] ?? '', /^\/etc\/nftables\.conf:1:1: .*a space is missing/);
  await stage.running.stop('shutdown');
});

test('the margin counts starts under these rules alone: not units that ran before, nor units of other managers', async () => {
  const stage = await staged('');
  stage.tree.mkdirAll('user.slice/user-1.slice/user@1.service/app.slice/a.service');
  await stage.quiet(100_000);
  stage.starts.set('a.service', 5_000_000);
  await stage.start({
    group: [{ name: 'vpn', units: ['system.slice/*.service', 'user@*.service/app.slice/*.service'], mark: 1 }],
  });
  await stage.quiet(10_000);
  assert.deepEqual(stage.warnings, []);
  assert.deepEqual(
    stage.detail.entries.map(({ margin }) => margin),
    [null, null],
  );
  assert.deepEqual(
    stage.starts.requests.flat().filter((unit) => unit !== 'a.service'),
    [],
  );
  stage.tree.remake('system.slice/a.service');
  await stage.quiet(0);
  stage.starts.set('a.service', stage.starts.now() + 9000);
  await stage.quiet(10_000);
  const entry = stage.detail.entries.find(({ path }) => path === 'system.slice/a.service');
  assert.equal(entry?.margin, 9);
  stage.tree.remake('system.slice/a.service');
  await stage.quiet(0);
  stage.starts.set('a.service', stage.starts.now() - 20_000);
  await stage.quiet(10_000);
  assert.deepEqual(stage.warnings, ['unit-rule-late a.service']);
  await stage.running.stop('shutdown');
});

test('10 000 rules that do not fit into one message go in all the same', async () => {
  const many = Array.from({ length: 600 }, (_, at) => rule(`u${at}.service`, 'system.slice/a.service')).join('');
  const stage = await staged(many);
  for (let at = 0; at < 500; at++) stage.tree.mkdir(`system.slice/m${at}.service`);
  stage.ruleset.mostElements = 50;
  stage.ruleset.mostOperations = 40;
  await stage.start({ files, group: groups });
  assert.equal(stage.packetsMeet('vpn').length, 601);
  assert.equal(stage.ownSet('vpn.level2').length, 501);
  assert.ok(accept('x').length > 0);
  await stage.running.stop('shutdown');
});
