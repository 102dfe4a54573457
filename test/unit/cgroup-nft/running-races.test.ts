/** cgroup-nft on fakes, at the wrong moment: tables that vanish between look and act, rules refused before, a journal that is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunningCgroupNft } from '../../../src/cgroup-nft/running.ts';
import { NftError } from '../../../src/system/nft-error.ts';
import type { NftOperation } from '../../../src/system/nft-script.ts';
import {
  administrators,
  configOf,
  files,
  filter,
  groups,
  ownTable,
  rule,
  rulesFile,
  type Stage,
  staged,
} from './stage.ts';

const a = 'system.slice/a.service';

/** Others do this at the moment in which netsteward's next transaction begins: after it has looked, before it has acted. */
function justBefore(stage: Stage, ...operations: readonly NftOperation[]): void {
  stage.ruleset.before = () => {
    stage.ruleset.before = () => {};
    void stage.change(...operations);
  };
}

test('a rule that was refused is remembered while its unit is away: at the next start the good ones are in at once', async () => {
  const stage = await staged(`${rule('a.service', a, 'tcp dprt 2 accept')}${rule('a.service', a, 'drop')}`);
  await stage.start({ files });
  assert.deepEqual(stage.warnings, ['unit-rule-refused inet filter vpn a.service']);
  for (let restarts = 0; restarts < 3; restarts++) {
    stage.tree.rmdir(a);
    await stage.quiet();
    assert.deepEqual(stage.packetsMeet('vpn').slice(1), []);
    assert.deepEqual(stage.warnings, ['unit-rule-refused inet filter vpn a.service'], 'the rule is as wrong as it was');
    const tried = stage.ruleset.applied.length;
    let transactions = 0;
    stage.ruleset.before = () => {
      transactions += 1;
      const applied = stage.ruleset.applied.slice(tried).join('');
      // Whatever comes after the first transaction, such as another try of the refused one, the good rule is in by then.
      if (transactions === 2) assert.match(applied, /"system\.slice\/a\.service" drop/);
    };
    stage.tree.mkdir(a);
    await stage.quiet();
    stage.ruleset.before = () => {};
    assert.ok(transactions >= 2, 'the refused one is tried again');
    assert.deepEqual(stage.packetsMeet('vpn').slice(1), [`socket cgroupv2 level 2 ${stage.id(a)} drop`]);
  }
  stage.files.put(rulesFile, rule('a.service', a, 'drop'));
  await stage.running.reload(configOf({ files }));
  assert.deepEqual(stage.warnings, []);
  await stage.running.stop('shutdown');
});

for (const child of [false, true]) {
  const how = child ? 'a child process' : 'in-process';
  test(`a table that vanishes between look and act is waited for, and filled when it is there again (${how})`, async () => {
    const element = `# a.service :: add element inet filter units { "${a}" }\n`;
    for (const rules of [rule('a.service', a), element, rule('a.service', a, 'drop', 'output') + element]) {
      const stage = await staged(rules);
      stage.child = child;
      await stage.start({ files });
      justBefore(stage, { op: 'delete-table', table: filter });
      stage.tree.remake(a);
      await stage.quiet();
      assert.ok(
        stage.warnings.length > 0 && stage.warnings.every((warning) => warning.startsWith('unit-chain-missing')),
        JSON.stringify(stage.warnings),
      );
      await stage.change(...administrators);
      await stage.quiet();
      assert.deepEqual(stage.warnings, []);
      const id = stage.id(a).slice(1);
      if (rules.includes('element')) assert.deepEqual(stage.ruleset.elements(filter, 'units'), [id]);
      if (rules.includes(' vpn ')) assert.match(stage.packetsMeet('vpn')[1] ?? '', new RegExp(`#${id} accept`));
      if (rules.includes(' output ')) assert.match(stage.packetsMeet('output')[1] ?? '', new RegExp(`#${id} drop`));
      await stage.running.stop('shutdown');
    }
  });

  test(`a chain, a set or our own table that is replaced between look and act is filled at once (${how})`, async () => {
    const ours: readonly (readonly NftOperation[])[] = [
      [{ op: 'delete-table', table: filter }, ...administrators],
      [{ op: 'flush-set', table: filter, set: 'units' }],
      [{ op: 'delete-table', table: ownTable }],
    ];
    for (const operations of ours) {
      const stage = await staged(`${rule('a.service', a)}# a.service :: add element inet filter units { "${a}" }\n`);
      stage.child = child;
      // Others cannot change a table with an owner.
      stage.ruleset.known = new Set();
      await stage.start({ files, group: groups });
      justBefore(stage, ...operations);
      stage.tree.remake(a);
      await stage.quiet();
      const id = stage.id(a).slice(1);
      assert.deepEqual(stage.packetsMeet('vpn'), ['tcp dport 1 accept', `socket cgroupv2 level 2 #${id} accept`]);
      assert.deepEqual(stage.ruleset.elements(filter, 'units'), [id]);
      assert.deepEqual(stage.ownSet('vpn.level2'), [id]);
      assert.deepEqual(stage.warnings, ['table-not-owned inet netsteward-units']);
      await stage.running.stop('shutdown');
    }
  });
}

test('a table that vanishes in the middle of a start with flush is waited for: it was there when it was looked at', async () => {
  const stage = await staged(rule('a.service', a));
  let transactions = 0;
  stage.ruleset.before = () => {
    transactions += 1;
    // The first one asks whether the kernel has the match.
    if (transactions === 2) justBefore(stage, { op: 'delete-table', table: filter });
  };
  await stage.start({ files, flush: true });
  assert.equal(transactions, 2);
  await stage.quiet();
  if (stage.warnings.length > 0) assert.deepEqual(stage.warnings, ['unit-chain-missing inet filter vpn']);
  await stage.change({ op: 'delete-table', table: filter });
  await stage.change(...administrators);
  await stage.quiet();
  assert.equal(stage.packetsMeet('vpn').length, 2);
  await stage.running.stop('shutdown');
});

test('a reload with flush and a chain that is missing by now is no end: it is said, and the others are in force', async () => {
  const stage = await staged(rule('a.service', a) + rule('a.service', a, 'accept', 'output'));
  await stage.start({ files, flush: true });
  await stage.change(
    { op: 'flush-chain', table: filter, chain: 'output' },
    { op: 'flush-chain', table: filter, chain: 'vpn' },
    { op: 'delete-chain', table: filter, chain: 'vpn' },
  );
  await stage.running.reload(configOf({ files, flush: true }));
  assert.deepEqual(stage.warnings, ['unit-chain-missing inet filter vpn']);
  assert.deepEqual(stage.packetsMeet('output'), [`socket cgroupv2 level 2 ${stage.id(a)} accept`]);
  await stage.running.stop('shutdown');
});

test('a jump to a chain on its way out, which others load again at that moment, goes with it', async () => {
  const stage = await staged(rule('a.service', a));
  await stage.start({ files });
  const own = stage.chainNames().find((name) => name.startsWith('netsteward-vpn')) ?? '';
  stage.files.put(rulesFile, '');
  justBefore(stage, { op: 'add-rule', table: filter, chain: 'vpn', when: [], action: { kind: 'jump', chain: own } });
  await stage.running.reload(configOf({ files }));
  assert.deepEqual(stage.chain('vpn'), ['tcp dport 1 accept']);
  assert.deepEqual(stage.chainNames(), ['output', 'vpn']);
  await stage.running.stop('shutdown');
});

test('of a reload that fails, and whose undoing fails too, nothing is left once the trouble has passed', async () => {
  const stage = await staged(rule('a.service', a));
  await stage.start({ files, group: groups });
  stage.files.put(
    '/next',
    `${rule('b.service', a, 'drop', 'output')}# b.service :: add element inet filter units { "${a}" }\n`,
  );
  // The new elements and rules go in, the new groups do not, and then nothing does.
  let transactions = 0;
  stage.ruleset.before = () => {
    transactions += 1;
    if (transactions === 1 || transactions > 4) throw new NftError('other', 'Error: Cannot allocate memory');
  };
  const next = configOf({ files: ['/next'], group: [{ ...groups[0], name: 'other' }] });
  await assert.rejects(stage.running.reload(next), /Cannot allocate/);
  stage.ruleset.before = () => {};
  await stage.quiet(60_000);
  assert.deepEqual(stage.ruleset.elements(filter, 'units'), []);
  assert.deepEqual(stage.chain('output'), ['jump vpn']);
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), [`socket cgroupv2 level 2 ${stage.id(a)} accept`]);
  assert.equal(stage.ownSet('vpn.level2').length, 1);
  assert.deepEqual(stage.ownSet('other.level2'), []);
  assert.equal(stage.chainNames().filter((name) => name.startsWith('netsteward-')).length, 2);
  assert.deepEqual(stage.warnings, []);
  await stage.running.stop('shutdown');
});

test('a journal that cannot be read is said, cgroups are followed all the same, and what it tells later counts', async () => {
  const stage = await staged(rule('a.service', a));
  stage.journal.lose('journalctl: not found');
  await stage.start({ files, group: groups, reload_with_units: ['nftables.service'] });
  await stage.quiet(0);
  assert.deepEqual(stage.warnings, ['journal-unreadable']);
  assert.match(stage.running.health().warnings[0]?.text ?? '', /journalctl: not found/);
  assert.equal(stage.detail.journal, 'lost');
  stage.tree.remake(a);
  await stage.quiet();
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), [`socket cgroupv2 level 2 ${stage.id(a)} accept`]);
  assert.deepEqual(stage.ownSet('vpn.level2'), [stage.id(a).slice(1)]);
  stage.files.put(rulesFile, rule('a.service', a, 'drop'));
  stage.journal.job('nftables.service');
  await stage.quiet();
  assert.match(stage.packetsMeet('vpn')[1] ?? '', /accept$/);
  stage.journal.find();
  await stage.quiet();
  assert.deepEqual(stage.warnings, []);
  assert.equal(stage.detail.journal, 'read');
  assert.match(stage.packetsMeet('vpn')[1] ?? '', /drop$/);
  stage.journal.lose('it ended');
  assert.deepEqual(stage.warnings, ['journal-unreadable']);
  await stage.running.reload(configOf({ group: groups }));
  assert.deepEqual(stage.warnings, [], 'groups alone do not need it');
  assert.equal(stage.journal.followers, 0);
  await stage.running.stop('shutdown');
});

test('an own table that others can flush is said, with the reason, until it is gone', async () => {
  const stage = await staged('');
  stage.ruleset.known = new Set();
  await stage.start({ files, group: groups });
  assert.deepEqual(stage.warnings, ['table-not-owned inet netsteward-units']);
  assert.match(
    stage.running.health().warnings[0]?.text ?? '',
    /^the table inet netsteward-units is without the owner flag: this (?:kernel|nft) does not know "flags owner"/,
  );
  await stage.running.reload(configOf({ files }));
  assert.deepEqual(stage.warnings, []);
  await stage.running.stop('shutdown');
});

test('a unit of very many rules rests after a change as long as they took; one of few never does, however slow all is', async () => {
  const many = Array.from({ length: 70 }, (_, at) => `t.slice/m${at}.service`);
  const stage = await staged(rule('big.service', 't.slice/*.service') + rule('a.service', a));
  for (const path of many) stage.tree.mkdirAll(path);
  const host = stage.host();
  let spent = 0;
  const clock = { ...host.clock, monotonic: () => host.clock.monotonic() + spent };
  const running = await RunningCgroupNft.start(configOf({ files }), { ...host, clock }, new AbortController().signal);
  await stage.quiet();
  stage.ruleset.before = () => {
    spent += 40;
  };
  const [first = ''] = many;
  const has = (path: string): boolean => stage.packetsMeet('vpn').some((text) => text.includes(`${stage.id(path)} `));
  stage.tree.remake(first);
  await stage.quiet(0);
  assert.ok(has(first), 'the first change acts at once');
  stage.tree.remake(first);
  for (let restarts = 0; restarts < 3; restarts++) {
    spent -= 40;
    stage.tree.remake(a);
    await stage.quiet(0);
    assert.ok(has(a));
    assert.ok(!has(first), 'it rests');
  }
  await stage.quiet(39);
  assert.ok(!has(first));
  await stage.quiet(2);
  assert.ok(has(first));
  await running.stop('shutdown');
});

test('at the start the way of a new member is taken once with one that is in force, and nothing is changed by it', async () => {
  for (const child of [false, true]) {
    const stage = await staged('# a.service :: add element inet filter units { "system.slice/*.service" }\n');
    stage.tree.mkdir('system.slice/b.service');
    stage.child = child;
    await stage.start({ files, group: groups });
    await stage.quiet();
    const added = stage.ruleset.applied.filter((text) => /^add element inet filter units \{[^}]*\}\n$/.test(text));
    assert.equal(added.length, 2);
    assert.ok(added[0]?.includes('a.service') && added[0].includes('b.service'), 'both');
    assert.ok(added[1]?.includes('a.service') && !added[1].includes('b.service'), 'one of them once more');
    const ids = ['a', 'b'].map((name) => stage.id(`system.slice/${name}.service`).slice(1));
    assert.deepEqual(stage.ruleset.elements(filter, 'units'), ids);
    assert.deepEqual(stage.ownSet('vpn.level2'), ids);
    assert.equal(stage.running.health().summary, '2 of 2 cgroups in the ruleset');
    await stage.running.stop('shutdown');
  }
});

test('of rules with globs those wait of which no cgroup lives', async () => {
  const stage = await staged(
    rule('a.service', 'system.slice/*.service') +
      rule('b.service', 'system.slice/b*.service') +
      '# c.service :: add element inet filter units { "x.slice", "system.slice/?.service" }\n' +
      '# d.service :: add rule inet filter vpn accept\n',
  );
  await stage.start({ files });
  assert.deepEqual(stage.detail.waiting, ['b.service (/etc/nftables.conf:2)']);
  await stage.running.stop('shutdown');
});
