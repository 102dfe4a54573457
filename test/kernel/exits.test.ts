/** Two ways around, in the kernel: checks reach each by its source address, services change over when one dies, and are dropped without any. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serviceAddress } from '../../src/lab/plan.ts';
import type { RunningDetail } from '../../src/nbrpc/index.ts';
import { eventually } from '../system/eventually.ts';
import { RoutedLab } from './routed-lab.ts';

const config = `[nbrpc]
schedule = "prompt"
when_no_exit = "drop"
[nbrpc.table]
mark = 0x10000
mask = 0x30000
[[nbrpc.exit]]
name = "one"
source = ["62.10.2.2", "2a10:2::2"]
endpoints = ["62.10.2.1"]
[[nbrpc.exit]]
name = "two"
source = ["62.10.5.2", "2a10:5::2"]
mark = 0x20000
`;
const names = ['around.example', 'blocked.example', 'news.example'];
let routed: RoutedLab;

before(async () => {
  routed = await RoutedLab.up({
    services: names.map((name, index) => ({ name, ipv4: [serviceAddress(4, index, 0)], ipv6: [] })),
    checkList: 'around.example=na blocked.example news.example',
    config,
    set: ['nbrpc.schedule="prompt"', 'nbrpc.control.services=["news.example"]'],
    prepare: async (lab) => {
      await lab.censor('blocked.example', 'rst');
    },
  });
});
after(() => routed?.down());

/** Nothing comes out of this tunnel any more, or all does again. */
async function cut(exit: 'exit' | 'exit2', off: boolean): Promise<void> {
  const { code, stderr } = await routed.lab.exec(exit, ['ip', 'link', 'set', 'world', off ? 'down' : 'up']);
  assert.equal(code, 0, stderr);
  // Exits are looked at, at once, by passes that are new.
  routed.daemon.kill('SIGHUP');
}

async function elements(set: string): Promise<readonly string[]> {
  const json = await routed.router('nft', '-j', 'list', 'set', 'inet', 'netsteward-nbrpc', set);
  const listed = (JSON.parse(json) as { nftables: { set?: { elem?: string[] } }[] }).nftables;
  return listed.flatMap(({ set: found }) => found?.elem ?? []);
}

test('services take the first exit, the next one when it is dead, and none without any', async () => {
  const [around] = [serviceAddress(4, 0, 0)];
  const direct = await routed.lab.curl('news.example');
  assert.equal(direct.via, 'direct', JSON.stringify(direct));
  await routed.fetchUntil('around.example', {}, 'took the first exit', ({ via }) => via === 'tunnel');
  assert.deepEqual(await elements('blocked4-one'), [around]);

  await cut('exit', true);
  await routed.fetchUntil('around.example', {}, 'took the second exit', ({ via }) => via === 'second tunnel');
  assert.deepEqual([await elements('blocked4-one'), await elements('drop4')], [[], []]);
  // Blocked since the start, and seen to work through the second exit alone.
  await routed.fetchUntil('blocked.example', {}, 'was routed around', ({ via }) => via === 'second tunnel');

  await cut('exit2', true);
  await eventually('dropped', async () => (await elements('drop4')).includes(around));
  const dropped = await routed.lab.curl('around.example', { timeout: 1000 });
  assert.deepEqual([dropped.ok, dropped.reason], [false, 'timeout']);
  const still = await routed.lab.curl('news.example');
  assert.equal(still.via, 'direct', JSON.stringify(still));
  const { warnings, modules } = await routed.status();
  assert.deepEqual(warnings.map(({ code, subject }) => `${code} ${subject}`.trim()).sort(), [
    'exit-down one',
    'exit-down two',
    'no-exit',
  ]);
  const detail = (modules.find(({ name }) => name === 'nbrpc')?.health?.detail ?? {}) as Partial<RunningDetail>;
  const { hosts, reactions } = detail;
  assert.equal(hosts?.find(({ name }) => name === 'around.example')?.standing, 'dropped');
  const took = reactions?.last.map(({ kind, host }) => `${kind} ${host}`);
  assert.deepEqual(took?.sort(), ['fail-over around.example', 'reroute blocked.example']);
  for (const { took: seconds } of reactions?.last ?? []) assert.ok(seconds > 0, `${seconds} s`);
});
