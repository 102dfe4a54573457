/** cgroup-nft as a whole on fakes: what the kernel has after starts and changes of cgroups. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { files, filter, groups, rule, staged } from './stage.ts';

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

test('rules that name no cgroup are there from the start', async () => {
  const stage = await staged('# a.service :: inet filter vpn meta skuid 7 accept\n');
  await stage.start({ files });
  assert.deepEqual(stage.packetsMeet('vpn').slice(1), ['meta skuid 7 accept']);
  assert.deepEqual(stage.detail.waiting, []);
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
  await stage.running.stop('shutdown');
});
