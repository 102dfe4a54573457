/** The second way of holding sets: in the administrator's ruleset, which is nftables.example.conf here, word for word. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkout } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';
import { RoutedLab } from './routed-lab.ts';

const table = ['inet', 'filter'] as const;
let routed: RoutedLab;
let ruleset: string;

/** The example with the device names of the lab's router. */
function exampleRuleset(): string {
  return readFileSync(join(checkout, 'nftables.example.conf'), 'utf8')
    .replace('define lan = "lan0"', 'define lan = "lan"')
    .replace('define wan = "wan0"', 'define wan = "uplink"')
    .replace('define tunnel = "wg0"', 'define tunnel = "tunnel"');
}

/** The example configuration with sets of the administrator's instead of the own table. */
function exampleConfig(): string {
  const text = readFileSync(join(checkout, 'netsteward.example.toml'), 'utf8');
  const [before = '', own = ''] = text.split('\n[nbrpc.table]\n');
  const [commented = ''] = own.slice(own.indexOf('# [nbrpc.sets]')).split('\n\n', 1);
  const sets = commented.replace(/^# /gm, '');
  assert.match(sets, /^\[nbrpc\.sets\]\nfamily = "inet"\ntable = "filter"\n/);
  return `${before}\n${sets}`;
}

before(async () => {
  routed = await RoutedLab.up({
    services: [{ name: 'video.example' }, { name: 'news.example' }],
    checkList: 'video.example\nnews.example\n',
    config: exampleConfig(),
    prepare: async (lab, folder) => {
      ruleset = join(folder, 'nftables.conf');
      writeFileSync(ruleset, exampleRuleset());
      const { code, stderr } = await lab.exec('router', ['nft', '-f', ruleset]);
      assert.equal(code, 0, stderr);
    },
  });
});
after(() => routed?.down());

test('the example ruleset and the example sets route a blocked service around, and back', async () => {
  await routed.fetchUntil('video.example', {}, 'worked directly at first', ({ ok, via }) => ok && via === 'direct');
  await routed.lab.censor('video.example', 'drop');
  await routed.fetchUntil('video.example', {}, 'went around', ({ ok, via }) => ok && via === 'tunnel');
  assert.equal((await routed.blocked(table)).length, 4);
  const fromRouter = await routed.lab.curl('video.example', { host: 'router' });
  assert.equal(fromRouter.via, 'tunnel', "the router's own traffic takes the tunnel too");
  const other = await routed.lab.curl('news.example');
  assert.equal(other.via, 'direct');
});

test('a reload of the ruleset by others empties the sets only for a moment', async () => {
  const before = await routed.blocked(table);
  for (let reload = 0; reload < 20; reload++) {
    await routed.router('nft', '-f', ruleset);
    await eventually('the sets are full again', async () => (await routed.blocked(table)).join() === before.join());
  }
  const status = await routed.status();
  assert.deepEqual(status.warnings, []);
});

test('a table that disappears is reported with what is missing, and filled when it returns', async () => {
  const before = await routed.blocked(table);
  await routed.router('nft', 'delete', 'table', ...table);
  // The contents wanted from now on cannot be applied until the table is back.
  await eventually('the status says what is missing', async () =>
    /filter/.test(JSON.stringify((await routed.status()).modules)),
  );
  await routed.router('nft', '-f', ruleset);
  await eventually('the sets are full again', async () => (await routed.blocked(table)).join() === before.join());
});

test('rules and elements of others in the same table stay as they are', async () => {
  await routed.router('nft', 'add set inet filter theirs { type ipv4_addr; elements = { 192.0.2.1 }; }');
  await routed.lab.censor('video.example', 'none');
  await routed.fetchUntil('video.example', {}, 'went direct again', ({ ok, via }) => ok && via === 'direct');
  assert.deepEqual(await routed.blocked(table), []);
  const listing = await routed.router('nft', 'list', 'ruleset');
  assert.match(listing, /set theirs \{\s+type ipv4_addr\s+elements = \{ 192\.0\.2\.1 \}/);
  assert.match(listing, /masquerade/);
});

test('after SIGTERM the sets stay as they are: on_stop is keep', async () => {
  await routed.lab.censor('video.example', 'drop');
  await routed.fetchUntil('video.example', {}, 'went around', ({ ok, via }) => ok && via === 'tunnel');
  await routed.endDaemon('SIGTERM');
  assert.equal(routed.daemon.exitCode, 0);
  assert.equal((await routed.blocked(table)).length, 4);
  const still = await routed.lab.curl('video.example');
  assert.equal(still.via, 'tunnel');
});
